/*
 * The shapes that kernel and user space share. httptop/bpf/abi.py mirrors every struct marked
 * SHARED; tests/live/test_layout.py compares sizes and offsets.
 */
#pragma once

/* ---- limits; the loader may override those in #ifndef ------------------------------------- */
#ifndef MAX_CONNECTIONS
#define MAX_CONNECTIONS 32768
#endif
#ifndef MAX_ENDPOINTS
#define MAX_ENDPOINTS 12288
#endif
#ifndef MAX_CELLS /* endpoints + (endpoint, status) pairs; cell 0 is never used */
#define MAX_CELLS 32768
#endif
#ifndef MAX_PAGES /* histogram pages; page 0 is never used; an id has 16 bits */
#define MAX_PAGES 65535
#endif
#ifndef MAX_PIPELINED /* requests that wait behind others on their connections */
#define MAX_PIPELINED 16384
#endif
#ifndef MAX_USERS
#define MAX_USERS 16384
#endif
#ifndef SHARDS /* copies of every counter, one a CPU, a power of two */
#define SHARDS 8
#endif
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define COMM_LEN 16
#define TEMPLATE_LEN 96 /* longest path template kept */
#define LINE_LEN 128    /* bytes of the last request kept with its connection */
#define RESPONSE_LEN 512  /* bytes of the response that travel with a sample */
#ifndef CAPTURE_LEN /* of these, and of the request line, at most so many are copied */
#define CAPTURE_LEN RESPONSE_LEN
#endif
#define PIECE_LEN 4096  /* bytes of a call that go to user space in a piece */
#define MAX_RULES 64 /* for paths, of the user's own */
#define MAX_PIPELINE 512 /* requests of one connection that wait for their responses */
#ifdef FILTER_HOST
#define PARTIAL_LEN 128 /* of a header line that a call cut in two, what is kept */
#else
#define PARTIAL_LEN 32
#endif
#define HOST_LEN 256
#define CACHED_LEN 80 /* longest request line whose endpoint is remembered beyond its connection */
#define LINE_HEAD 112 /* of a line longer than LINE_LEN: this much, and its last 16 bytes */

/* Histogram: 32 buckets an octave from 2^9 ns to 2^41 ns; a page holds one octave. */
#define OCTAVE_FIRST 9
#define OCTAVES 32
#define OCTAVE_BUCKETS 32

#define BODY_OPEN (~0ULL) /* a body that ends when the response begins */
#define LOST_PIECE (1ULL << 32) /* in conn.deferred */
#define STATUS_UNKNOWN 0
#define STATUS_LEFT_OUT 0xffff /* excluded by the filter of the run, whatever the status */

/* What the histogram of a response's cell holds. */
enum measure {
	MEASURE_LATENCY = 0,
	MEASURE_WAIT, /* from bytes ready to the read, where that was noted (wait.h) */
	/* Of responses that more than one call sent: */
	MEASURE_HANDLING, /* to the first byte: their latency */
	MEASURE_SENDING, /* from the first byte to the last */
	MEASURE_DURATION, /* both together */
};

enum phase {
	PHASE_IDLE = 0, /* the next byte begins a request */
	PHASE_LINE, /* within a request line; line[] holds what has come */
	PHASE_HEAD, /* behind the request line, within the head */
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
	SHAPE_HEAD, /* its head and nothing else, with a Content-Length */
};

enum strategy { STRATEGY_TAIL = 0, STRATEGY_ALL, STRATEGY_RANDOM, STRATEGY_PER_ENDPOINT };

enum side { SIDE_SERVER = 0, SIDE_CLIENT = 1 };

enum method {
	METHOD_OTHER = 0,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_CONNECT,
	METHOD_OPTIONS,
	METHOD_TRACE,
	METHOD_PATCH,
};

/* Whether a filter may leave out whole connections. */
#if defined(FILTER_CONNECTION) || (defined(FILTER_SIDES) && FILTER_SIDES != 3)
#define FILTER_WHOLE_CONNECTIONS 1
#endif

/* ---- SHARED -------------------------------------------------------------------------------- */

/* What makes an endpoint. Bytes behind the template are zero. */
struct endpoint_key {
	char comm[COMM_LEN];
	u8 side;
	u8 method;
	u8 minor; /* HTTP/1.minor */
	u8 truncated; /* the template went on */
	u32 unused;
	char path[TEMPLATE_LEN];
};

/* What a cell of responses counts; the value in the map is its number. */
struct response_key {
	u32 endpoint; /* its cell */
	u16 status; /* or STATUS_UNKNOWN, STATUS_LEFT_OUT */
	u16 measure; /* enum measure */
};

/*
 * Counters, one set a shard. A cell belongs either to an endpoint (requests begun, bytes of
 * requests, unanswered) or to an (endpoint, status) pair (responses, bytes of responses, latencies).
 */
struct cell {
	u64 count;
	u64 bytes;
	u64 latency_sum_ns;
	u64 latency_max_ns;
	u64 unanswered; /* endpoint cells only */
	u64 unmeasured; /* latencies for which no histogram page was left */
	u64 moved; /* endpoint cells only: responses counted in the overflow row */
	u64 due_ns; /* endpoint cells only, first shard: its bucket of samples */
	u16 page[OCTAVES]; /* 0: no page yet */
};

struct page {
	u32 bucket[OCTAVE_BUCKETS];
};

/* Process seen on an endpoint. */
struct user_key {
	u32 endpoint;
	u32 tgid;
};

/* Something else than HTTP/1 that a process speaks, by what its connections begin with. */
#define OTHER_TLS 0
#define OTHER_HTTP2 1
struct other_key {
	u32 tgid;
	u32 kind;
};

/* What user space may change while the programs run; nothing of it changes a count. */
struct control {
	u64 due_ns; /* ours: when the bucket of samples is as full as it was at that time */
	u64 interval_ns; /* between two samples; 0: no samples */
	u64 burst_ns; /* that much of them may come at once */
	u64 slow_ns;
	u64 share; /* of 2^32 requests, how many may be sampled */
	u32 strategy;
	u32 users; /* whether processes of endpoints are noted */
	u64 rules; /* how many of the user's rules for paths there are */
	u64 generation; /* of these rules: it grows when they change */
};

/*
 * A request line of a process, as read under the rules for paths of this generation, and what became
 * of it. Bytes behind the line are zero.
 */
struct line_key {
	char comm[COMM_LEN];
	u32 side;
	u32 generation;
	u8 line[CACHED_LEN];
};

struct line_value {
	u32 endpoint;
	u32 tgid; /* noted as a user of it */
	u32 method;
	u32 unused;
};

/* A path template of the user's own, and where such rules take any segment. */
struct rule {
	u32 keep; /* the path stays as it is */
	u32 unused;
	char text[TEMPLATE_LEN];
};

struct rule_shape {
	u64 of_length; /* rules with so many segments, as bits */
	u64 any; /* rules that take any segment here */
};

struct rule_word {
	u64 hash;
	u64 at;
};

/* Things that went wrong, one set a shard. */
struct losses {
	u64 orphan_responses;
	u64 lost_samples;
	u64 parse_errors;
	u64 untracked_requests; /* no room for their connection */
	u64 lost_pieces;
	u64 unused[3];
};

struct sample {
	u64 start_ns; /* CLOCK_MONOTONIC */
	u64 latency_ns;
	u64 request_bytes;
	u32 endpoint;
	u32 tgid;
	u16 status;
	u16 line_len; /* bytes of line[] that are set */
	u16 response_len; /* bytes of response[] that are set */
	u16 family;
	u16 port; /* of the peer, host order */
	u16 unused[3];
	u8 address[16]; /* of the peer, network order; IPv4 in the first four */
	u8 line[LINE_LEN];
	u8 response[RESPONSE_LEN];
};

/* A piece of a call that waits in user space for its turn (deferred.h). */
struct piece_head {
	u64 sk;
	u64 inode;
	u64 now; /* of the call, CLOCK_MONOTONIC */
	u32 tgid;
	u32 length; /* of data[], or of bytes that no buffer holds */
	u8 inbound;
	u8 moved; /* no buffer holds the bytes */
	u8 unused[6];
};

struct piece {
	struct piece_head head;
	u8 data[PIECE_LEN];
};

/*
 * One HTTP connection end, keyed by its struct sock (or its inode, see set_aside()); overwritten in place from request to request.
 * "Latest" is the request whose head came last; "current" is the oldest one without its final
 * response. They differ only where requests are pipelined.
 */
struct conn {
	u64 start_ns; /* first byte of the current request */
	u64 head_ns; /* first byte of the latest request's head */
	u64 body_left; /* bytes of the latest request's body still to come */
	u64 response_left; /* bytes of the last response's body, or chunk, still to come */
	u64 response_length; /* what its head says of its body; BODY_OPEN: chunked, or nothing */
	u64 length_word; /* SHAPE_HEAD: the value of Content-Length, and what follows it */
	u64 request_bytes; /* of the current request */
	u64 head_bytes; /* of the latest request's head, as far as it has come */
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
	u8 blurred; /* the end of a response was not found */
	u8 bodyless;
	u8 chunked; /* the last response's body is */
	u8 framed; /* it is known where the last response ends */
	u8 shape; /* of the call that began the last response */
	u8 owed; /* a response came and no request was pending */
	u8 tunnel; /* no HTTP/1 follows the last response's head */
	u8 tcp; /* the kernel counts its bytes */
	u8 numbered; /* response_end holds */
	u8 body_numbered; /* body_end holds */
	u8 chunked_request; /* the latest request's body is */
	u8 hosts; /* conditions on the host that the latest request meets, as bits */
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
	u8 partial[PARTIAL_LEN]; /* start of a header line that a call cut in two */
	u8 response_partial[PARTIAL_LEN]; /* likewise of a line of a response */
	u8 line[LINE_LEN];
	/* Touched only where waits are looked at: what is above keeps its cache lines. */
	u64 wait_ns; /* of the current request, or the one that begins; 0: not known */
	u64 ready_ns; /* when the packet of ready_mark came */
	u64 ready_mark;
#ifdef FILTER_REQUEST
	u64 truths; /* conditions on the connection that hold, as bits */
	u8 current_hosts;
	u8 unused[7];
#endif
#ifdef FILTER_SIZE
	/* A response that is not over: counted once its size is known. */
	u64 held_latency_ns;
	u64 held_request_bytes;
	u64 held_bytes;
	u64 held_wait_ns;
	u32 held; /* the endpoint's cell; 0: nothing is held back */
	u16 held_status;
	u8 held_method;
	u8 held_hosts;
#endif
#ifdef THREAD_NAMES
	u32 thread;
	u32 unused_too;
#endif
};
