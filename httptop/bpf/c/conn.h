/* SPDX-License-Identifier: MIT */
/*
 * What is kept of a connection from call to call: a struct conn for each end of a connection that
 * is seen, in the map conns.
 *
 * The programs write it, on whichever CPU the call runs; a read and a write of one connection may
 * run at once. User space looks at the keys of the map only.
 */
#pragma once

#include "abi.h"
#include "filter_state.h"

#define BODY_OPEN (~0ULL) /* a body that ends when the response begins */
#define LOST_PIECE (1ULL << 32) /* in conn.deferred */

/* Of a field line that a call cut in two, what is kept. */
#define PARTIAL_LEN (FILTER_HOST ? 128 : 32)

enum phase {
	PHASE_IDLE = 0, /* the next byte begins a request */
	PHASE_LINE, /* within a request line; line[] holds what has come */
	PHASE_HEAD, /* behind the request line, within the header section */
	PHASE_BODY, /* body_left bytes to go, of the body or of a chunk */
	PHASE_CHUNKS, /* the next byte begins the line of a chunk, or goes on with it */
	PHASE_TRAILERS, /* behind the last chunk */
	PHASE_TUNNEL, /* no longer HTTP/1 */
};

/* Where the responses stand; see responses.h. */
enum response_phase {
	RESPONSE_START = 0, /* the next byte begins a response */
	RESPONSE_HEAD, /* behind the status line */
	RESPONSE_INTERIM, /* the same of a 1xx */
	RESPONSE_CHUNKS, /* the next byte begins the line of a chunk */
	RESPONSE_TRAILERS, /* behind the last chunk */
};

/* What the call was that began the last response: the next one of its kind may be like it. */
enum shape {
	SHAPE_OTHER = 0,
	SHAPE_WHOLE, /* one response and nothing else */
	SHAPE_HEAD, /* its header section and nothing else, with a Content-Length */
};

/*
 * Keyed by its struct sock (or its inode, see set_aside()); overwritten in place from request to
 * request. "Latest" is the request whose header section came last; "current" is the oldest one
 * without its final response. They differ only where requests are pipelined.
 */
struct conn {
	u64 start_ns; /* first byte of the current request */
	u64 head_ns; /* first byte of the latest request */
	u64 body_left; /* bytes of the latest request's body still to come */
	u64 response_left; /* bytes of the last response's body, or chunk, still to come */
	u64 response_length; /* its Content-Length; BODY_OPEN: chunked, or not told */
	u64 length_word; /* SHAPE_HEAD: the value of Content-Length, and what follows it */
	u64 request_bytes; /* of the current request */
	u64 head_bytes; /* of the latest request's header section, as far as it has come */
	u64 sk; /* its struct sock */
	u64 inode; /* number of the socket's inode: tells a reused struct sock */
	u64 first; /* number of the current request; no two of a struct sock have the same */
	u64 response_ns; /* first byte of the last response */
	u64 handling_ns; /* from its request to that byte */
	u64 last_ns; /* latest of its bytes, where more than one call sent it; else 0 */
	u64 leaving; /* it is being set aside */
	u64 deferred; /* pieces that wait in user space, and LOST_PIECE for each that was lost */
	u32 endpoint; /* cell of the latest request's endpoint */
	u32 current; /* cell of the current request's endpoint */
	u32 response; /* cell of the last response's (endpoint, status) */
	u32 response_of; /* the endpoint of that pair; 0: look for its cell */
	u32 tgid;
	u32 response_end; /* position in the bytes of a TCP connection where response_left ends */
	u32 body_end; /* likewise body_left */
	u16 head_len; /* SHAPE_HEAD: bytes of the call, and where in it length_word stands */
	u16 length_at;
	u8 blurred; /* which response is whose is not certain */
	u8 bodyless; /* the last response has no body, whatever its header section says */
	u8 chunked; /* the last response's body is */
	u8 framed; /* it is known where the last response ends */
	u8 shape; /* of the call that began the last response */
	u8 owed; /* a response came and no request was pending */
	u8 tunnel; /* no HTTP/1 follows the last response's header section */
	u8 tcp; /* the kernel counts its bytes */
	u8 numbered; /* response_end holds */
	u8 body_numbered; /* body_end holds */
	u8 chunked_request; /* the latest request's body is */
	u8 hosts; /* conditions on the host that hold for the latest request, as bits */
	u8 ready; /* a packet is noted in ready_mark (wait.h) */
	u16 status; /* the status of that pair */
	u16 pending; /* requests begun, final response not */
	u16 line_len; /* bytes of line[] that are set; > LINE_LEN: cut in the middle */
	u16 call_len; /* of the call that brought exactly one whole request; 0: none such */
	u8 side;
	u8 phase;
	u8 method; /* of the latest request */
	u8 current_method; /* of the current one */
	u8 verify; /* its struct sock may be another's by now: compare the inode */
	u8 partial_len;
	u8 response_partial_len;
	u8 response_phase;
	char comm[COMM_LEN];
	u8 partial[PARTIAL_LEN]; /* start of a field line of a request that a call cut in two */
	u8 response_partial[PARTIAL_LEN]; /* likewise of a line of a response */
	u8 line[LINE_LEN];
	/* Touched only where waits are looked at: what is above keeps its cache lines. */
	u64 wait_ns; /* of the current request, or the one that begins; 0: not known */
	u64 ready_ns; /* when the packet of ready_mark came */
	u64 ready_mark;
	struct conn_filter filter;
#ifdef THREAD_NAMES
	u32 thread;
	u32 unused_too;
#endif
};
