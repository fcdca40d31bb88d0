/* SPDX-License-Identifier: MIT */
/*
 * The state of a connection between calls: one struct conn for each tracked end of a connection, in
 * the map conns.
 *
 * The programs write it, on whichever CPU the call runs; a read and a write on the same connection
 * may run at the same time. User space looks at the keys of the map, and at what is pending where
 * somebody asks for it (bpf/in_flight.py).
 */
#pragma once

#include "abi.h"
#include "filter_state.h"

#define BODY_OPEN (~0ULL) /* body of unknown length: a request's ends when its response begins */

/* Bytes kept of a field line that is split between two calls. */
#define PARTIAL_LEN (FILTER ? 128 : 64)

/*
 * How far the messages in one direction have been read. Whatever the phase, `left` bytes of a body, or
 * of a chunk, come first.
 */
enum phase {
	PHASE_START = 0, /* the next byte begins a message */
	PHASE_LINE, /* within a request line; line[] holds its beginning */
	PHASE_HEAD, /* after the first line, within the header section */
	PHASE_INTERIM, /* likewise, of a 1xx response */
	PHASE_CHUNKS, /* the next byte belongs to the line of a chunk */
	PHASE_TRAILERS, /* after the last chunk */
	PHASE_BAD, /* of requests: no request, until a response comes */
	PHASE_PROXY, /* of requests: within a PROXY header of version 2; line[] holds its beginning */
	PHASE_TUNNEL, /* of requests: no longer HTTP/1, in either direction */
};

/* One direction of a connection. */
struct stream {
	u64 left; /* bytes of a body, or of a chunk, still to come; BODY_OPEN: an unknown number */
	u64 length; /* of the body, as the header section says; BODY_OPEN: it does not */
	u32 seen; /* TCP: where the last call that was seen ended (unseen.h) */
	u8 phase;
	u8 chunked; /* the body is chunked */
	u8 partial_len; /* bytes of conn.partial[] that are set */
	u8 fields; /* what the header section has said about the body: HAS_LENGTH, ... */
};

#define SIGNATURE_LINE_ENDS 4 /* bytes of them that a PROXY header of version 2 begins with */

#define HAS_LENGTH 1
#define BAD_LENGTH 2
#define HAS_CODING 4
#define EMPTY_LENGTH 8 /* no digit of it has come yet */
#define LENGTH_OPEN 16 /* the last line was of Content-Length: a folded one may follow */
#define CODING_OPEN 32 /* likewise, of Transfer-Encoding */
#define SAYS_CLOSE 64 /* Connection says close, or keep-alive */
#define SAYS_KEEP 128

#define REQUESTS 0 /* directions, as indexes of conn.streams[] */
#define RESPONSES 1

/* The other side of a connection, as a PROXY header says. */
struct peer {
	u8 address[16]; /* network order; IPv4 in the first four */
	u16 family; /* 0: it is the other end of the socket */
	u16 port; /* host order */
	u32 unused;
};

/*
 * A status for which there is no cell: with its class, and the number of the endpoint's cell, where
 * such responses are counted (struct rest).
 */
#define REST 0x80000000
#define REST_OF(status, endpoint) (REST | CLASS_OF(status) << 28 | (endpoint))
#define CLASS_OF(status) ((status) == STATUS_LEFT_OUT ? 7 : (status) >= 600 ? 0 : (status) / 100)
#define REST_CLASS(cell) ((cell) >> 28 & 7)
#define REST_ENDPOINT(cell) ((cell) & 0xfffffff)

/* What responses of one kind have in common. */
struct response_kind {
	u32 endpoint; /* cell of the endpoint; 0: `cell` is of no use any more (give_back.h) */
	u32 cell; /* of its responses with this status; or'ed with REST: it has none */
	u32 times[MEASURES - 1]; /* cells of that pair's other measures; 0: not looked up yet */
	/*
	 * A call of the same length with the same Content-Length at the same place leaves as much of
	 * the body to other calls.
	 */
	u64 length_word; /* eight bytes from the value of Content-Length on */
	u64 left;
	u32 call_len; /* 0: nothing is known of such calls */
	u16 length_at; /* offset of length_word */
	u16 status;
	u32 whole; /* the connection's last response was whole in its call, and alone */
	u32 closing; /* such a response closes the connection */
};

/*
 * Keyed by the masked address of its struct sock (maps.h); updated in place from request to request.
 * "Latest" is the request whose header section came last; "current" is the oldest request without a
 * final response. They differ only where requests are pipelined.
 *
 * What each call needs comes first: the fewer cache lines it touches, the faster it is.
 */
struct conn {
	/* ---- at each call ---- */
	struct stream streams[2];
	u32 tgid;
	u16 pending; /* requests whose final response has not begun */
	u16 call_len; /* length of the call that held the last request and nothing else; or 0 */
	u8 side;
	u8 verify; /* its struct sock may have been reused: compare the inode number */
	u8 lost; /* it has lost sync (lifecycle.h) */
	u8 tcp; /* sequence numbers tell its position */
	u8 blurred; /* pairing is uncertain: a response may belong to another request */
	u8 framed; /* it is known where the last response ends */
	u8 owed; /* an unsolicited response came; it may belong to the next request */
	u8 ready; /* if not 0, ready_mark and ready_ns describe a packet (wait.h) */

	/* ---- at each request and response ---- */
	u64 start_ns; /* first byte of the current request */
	u64 response_ns; /* first byte of the last response */
	u64 handling_ns; /* from the request to that byte */
	u64 last_ns; /* its latest byte so far, if more than one call sent it; else 0 */
	/* The latest request; these are in the order of struct queued (maps.h). */
	u64 head_ns; /* its first byte */
	u64 head_bytes; /* of its header section, as far as it was seen */
	u64 party; /* to it (parties.h) */
	u32 endpoint; /* cell of its endpoint */
	u8 method;
	u8 hosts; /* host conditions that it meets, as bits */
	u16 port; /* of the server, for all requests; 0: a Unix socket */

	u64 current_party; /* to the current request */
	u32 current; /* cell of the current request's endpoint */
	u16 asked; /* requests begun in this round, and responses; see stays_behind() */
	u16 answered;
	struct response_kind kind; /* of the last response */

	u64 request_bytes; /* of the current request */
	u64 wait_ns; /* of the current request, or of the one that begins; 0: unknown */
	u64 first; /* number of the current request, never used twice for a struct sock */
	u16 line_len; /* bytes of line[] that are set; > LINE_LEN: the middle is missing */
	u8 current_method; /* of the current request */
	u8 rounds;
	u8 bodyless; /* the last response has no body, whatever its header section says */
	u8 tunnel; /* no HTTP/1 follows the last response's header section */
	u8 minor; /* of the last response's version */
	u8 closing; /* the last response closes the connection */
	u8 refused; /* and its status is 400: what follows is not read as requests */
	u8 bad; /* bytes came that are no request, and were not answered yet */
	u8 adrift; /* it is not known whether the next bytes begin a message */
	u8 proxied; /* a PROXY header came before the first request */
	u16 code; /* status of the last response */
	u8 line[LINE_LEN];

	/* ---- where messages are cut, waits are measured, connections end ---- */
	u32 kept_of; /* number of the request whose header section is kept, and 1: its lower half */
	u32 kept; /* where it is (heads.h) */
	u64 key; /* under which it is in conns: see MASKED */
	u64 inode; /* the socket's inode number: it tells when the struct sock is reused */
	char comm[COMM_LEN];
	u32 uid; /* of the process */
	u32 share; /* number of its share (shares.h) */
	struct party_key who; /* the key of `party`; its endpoint is 0 if that is to be found again */
	u32 client_port; /* with `port` it tells which connection it is the other end of; or 0 */
	u32 thread; /* the last one that called, where rows are per thread */
	/* From here on members stand elsewhere where there is a filter. */
	u8 partial[2][PARTIAL_LEN]; /* by direction: start of a line that is split between calls */
	u64 ready_ns; /* when the packet in ready_mark arrived */
	u64 ready_mark;
	struct peer client; /* where a proxy has named it: the server's peer */
	struct conn_filter filter;
};
