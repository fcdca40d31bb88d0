/* SPDX-License-Identifier: MIT */
/*
 * What kernel and user space share, and limits. Every struct has a mirror in bpf/abi.py, under its
 * name in capitals; tests/live/test_layout.py compares sizes, offsets and constants.
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
#ifndef MAX_PROCESSES
#define MAX_PROCESSES 16384
#endif
#ifndef SHARDS /* copies of every counter, one a CPU, a power of two */
#define SHARDS 8
#endif

#define COMM_LEN 16
#define TEMPLATE_LEN 96 /* longest path template kept */
#define LINE_LEN 128    /* bytes of the last request kept with its connection */
#define RESPONSE_LEN 512  /* bytes of the response that travel with a sample */
#ifndef CAPTURE_LEN /* of these, and of the request line, at most so many are copied */
#define CAPTURE_LEN RESPONSE_LEN
#endif
#define PIECE_LEN 4096  /* bytes of a call that go to user space in a piece */
#define SEGMENTS 32 /* of a path; a power of two */
#define MAX_RULES 64 /* for paths, of the user's own */
#define LINE_HEAD 112 /* of a line longer than LINE_LEN: this much, and its last 16 bytes */

/* Histogram: 32 buckets an octave from 2^9 ns to 2^41 ns; a page holds one octave. */
#define OCTAVE_FIRST 9
#define OCTAVES 32
#define OCTAVE_BUCKETS 32

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

/* Classes of a byte, see httptop/http/path_template.py. */
#define C_DIGIT 1
#define C_HEX 2
#define C_LOWER 4
#define C_UPPER 8
#define C_JOINT 16
#define C_END 32
#define C_SLASH 64
#define C_TOKEN 128
#define C_KIND (C_DIGIT | C_LOWER | C_UPPER)

/* Cells that the loader has set up before anything is attached (bpf/build/loader.py). */
#define OVERFLOW_ENDPOINT(side) (1 + (side))
#define OVERFLOW_RESPONSE(side) (3 + (side)) /* status unknown */
#define LEFT_OUT_ENDPOINT(side) (5 + (side)) /* of requests that the filter excludes */

/* ---- structs ------------------------------------------------------------------------------- */

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
 * requests, unanswered) or to an (endpoint, status) pair (responses, bytes of responses,
 * latencies).
 */
struct cell {
	u64 count;
	u64 bytes;
	u64 latency_sum_ns; /* of those in the pages */
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
struct process_key {
	u32 endpoint;
	u32 tgid;
};

/* Something else than HTTP/1 that a process speaks, by what its connections begin with. */
#define OTHER_TLS 0
#define OTHER_HTTP2 1
struct other_protocol_key {
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
	u32 processes; /* whether those of endpoints are noted */
	u64 rules; /* how many of the user's rules for paths there are */
	u64 generation; /* of these rules: it grows when they change */
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
	u64 overfull_pipelines; /* requests that found no place in their connection's queue */
	u64 unused[2];
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

/* What a byte adds to the counts of its segment of a path (path_template.h), and its classes. */
struct byte_class {
	u64 add;
	u64 bits; /* C_... */
};
