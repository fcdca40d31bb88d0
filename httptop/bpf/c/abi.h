/* SPDX-License-Identifier: MIT */
/*
 * What the kernel side and user space share: limits, constants and structs. Every struct has a
 * mirror in bpf/abi.py, under its name in capitals; tests/live/test_layout.py compares sizes,
 * offsets and constants.
 */
#pragma once

#include "linked.h"

/* ---- limits; the loader may override those in #ifndef ------------------------------------- */
#define MAX_CONNECTIONS LINKED(MAX_CONNECTIONS)
#define MAX_ENDPOINTS LINKED(MAX_ENDPOINTS)
#define MAX_PIPELINED LINKED(MAX_PIPELINED) /* queued requests of all pipelined connections */
#define MAX_PARTIES LINKED(MAX_PARTIES)     /* the first two are nobody's */
#define MAX_RESPONSES LINKED(MAX_RESPONSES) /* cells of responses */
#define MAX_PAGES LINKED(MAX_PAGES)
#define THREAD_NAMES LINKED(THREAD_NAMES) /* whether rows are per thread (general.process_name) */
#define MAX_SHARES 512 /* tenants and users (shares.h); a power of two */
#ifndef SHARDS /* copies of every counter, one per CPU; a power of two */
#define SHARDS 8
#endif

#define COMM_LEN 16
#define TEMPLATE_LEN 96 /* longest path template kept */
#define LINE_LEN 128 /* bytes of the last request kept with its connection */
#define RESPONSE_LEN 512 /* bytes of the response copied into a sample */
#define HEAD_LEN 1024 /* for a request's header section, kept for its sample; a power of two */
#define SEGMENTS 32 /* most segments of a path; a power of two */
#define MAX_RULES 64 /* most path rules that a user can configure */
#define LINE_HEAD 112 /* bytes kept of a line longer than LINE_LEN, and its last 16 */

/* Histogram: 32 buckets per octave, from 2^9 ns to 2^41 ns; a page holds one octave. */
#define OCTAVE_FIRST 9
#define OCTAVES 32
#define OCTAVE_BUCKETS 32

#define STATUS_UNKNOWN 0
#define STATUS_LEFT_OUT 0xffff /* excluded by the run's filter, whatever its status */

/* What the histogram of a response's cell holds. */
enum measure {
	MEASURE_LATENCY = 0,
	MEASURE_WAIT, /* from the first byte being readable to the read, where known (wait.h) */
	/* Only for responses sent by more than one call: */
	MEASURE_HANDLING, /* up to the first byte: the latency of these responses */
	MEASURE_SENDING, /* from the first byte to the last */
	MEASURE_DURATION, /* handling and sending together */
	MEASURES,
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
#define C_WORD 256
#define C_FIRM 512
#define C_OPENING 1024
#define C_PARAMETER 2048
#define C_DOT 4096

/* Cells that the loader sets up before anything is attached (bpf/build/loader.py). */
#define OVERFLOW_ENDPOINT(side) (1 + (side))
#define OVERFLOW_RESPONSE(side) (3 + (side)) /* status unknown */
#define LEFT_OUT_ENDPOINT(side) (5 + (side)) /* for requests that the filter excludes */

/* Marks of an endpoint's key. */
#define KEY_TRUNCATED 1 /* the template was cut off */
#define KEY_OWN 2 /* the path is httptop's own, such as ~other, and no request's */

/* Numbers of parties: requests for which there are none, and those for which there is none yet. */
#define NO_PARTY 0
#define NO_PARTY_YET 1
#define FIRST_PARTY 2

/* Codes of an endpoint that have cells of their own; the others share one by class. */
#define MOST_CODES 16

/* ---- structs ------------------------------------------------------------------------------- */

/* The key of an endpoint. Bytes after the template are zero. */
struct endpoint_key {
	char comm[COMM_LEN];
	u8 side;
	u8 method;
	u8 minor; /* of HTTP/1; from 100 on: 100 + 10 * major + minor */
	u8 marks; /* KEY_... */
	u32 uid; /* of the process */
	u16 port; /* of the server; 0: a Unix socket, or the path is httptop's own */
	u8 unused[6];
	char path[TEMPLATE_LEN];
};

/* The key of a cell of responses; the map's value is the number of the cell. */
struct response_key {
	u32 endpoint; /* number of the endpoint's cell */
	u16 status; /* or STATUS_UNKNOWN, STATUS_LEFT_OUT */
	u16 measure; /* enum measure */
};

#define CLASSES 6

/*
 * Responses to requests of an endpoint for whose status there was no cell. They are counted with the
 * endpoint's requests: whatever else is full, an error stays in its row.
 */
struct rest {
	u64 of_class[CLASSES]; /* by the first digit of the status; 0: unknown, or 600 and more */
	u64 bytes;
	u64 codes; /* first shard: how many codes have a cell of their own */
};

/*
 * Counters, one set per shard. A cell belongs either to an endpoint (requests begun, bytes of
 * requests, unanswered) or to an (endpoint, status) pair (responses, bytes of responses,
 * latencies).
 */
struct cell {
	u64 count;
	u64 bytes;
	u64 latency_sum_ns; /* sum of the latencies that are in the pages */
	u64 latency_max_ns;
	u64 unanswered; /* endpoint cells only */
	u32 unmeasured; /* latencies in no histogram: no page was left; of endpoints: those of the rest */
	u32 share; /* number of the share that it is of; of endpoint cells in the first shard only */
	u64 moved; /* endpoint cells only: requests that are not counted after all */
	u64 due_ns; /* endpoint cells only, first shard: like control.due_ns */
	union {
		u16 page[OCTAVES]; /* 0: no page yet */
		struct rest rest; /* endpoint cells only */
	};
};

/* What shares are of: endpoints, cells of responses, pages of histograms, ... (shares.h). */
enum resource { ENDPOINTS = 0, CELLS, PAGES, QUEUED, CONNECTIONS, PARTIES, RESOURCES };

#define SIDE_OF_USER 2 /* the key is a user's: both sides, no name; of root, a control group's id */

/* The key of a share. */
struct tenant_key {
	char comm[COMM_LEN];
	u32 uid;
	u32 side;
};

/* What the processes of one name and user on a side, or all of a user's, have taken of the tables. */
struct share {
	u32 taken[RESOURCES];
	u32 user; /* number of the user's share */
	u32 other; /* cell of the endpoint ~other; 0: there is none yet */
	u64 due_ns; /* of its own bucket of samples, as a time (samples.h) */
};

struct shares {
	struct share share[MAX_SHARES];
};

struct page {
	u32 bucket[OCTAVE_BUCKETS];
};

/* A party to requests: whose they are, and where they come from or go to (parties.h). */
struct party_key {
	u32 endpoint; /* number of its cell; 0: there is no party with this number */
	u32 tgid;
	u32 family; /* of the peer's address */
	u32 share; /* number of the process's share */
	u8 address[16]; /* of the peer, network order; IPv4 in the first four; Unix sockets: zeros */
};

/* What a party has had, one set per shard: requests that are over. */
struct party_counts {
	u64 answered;
	u64 latency_sum_ns; /* of these */
	u64 failed; /* of these, with a status of 400 or more */
	u32 latency_max_1024ns;
	u32 generation; /* how often the party's number has been given back */
	u32 unanswered;
	u32 unknown; /* with an unknown outcome */
};

/*
 * A protocol other than HTTP/1 that a process speaks, recognised by the first bytes of connections.
 */
#define OTHER_TLS 0
#define OTHER_HTTP2 1
struct other_protocol_key {
	u32 tgid;
	u32 kind;
};

/* Settings that user space may change while the programs run; none of them affects a count. */
struct control {
	u64 due_ns; /* state of the token bucket, as a time (samples.h); 0: it is full */
	u64 heads_due_ns; /* likewise, of the requests whose header sections are kept (heads.h) */
	u64 interval_ns; /* time between two samples; 0: take no samples */
	u64 burst_ns; /* size of the token bucket: burst_ns / interval_ns samples */
	u64 slow_ns;
	u64 share; /* how many of 2^32 requests may be sampled */
	u32 strategy;
	u32 parties; /* whether the parties to requests are recorded */
	u64 generation; /* version of the path rules: it grows when they change */
	/* What every request looks at is in one cache line up to here. */
	u64 rules; /* number of path rules that the user has configured */
};

/* A path rule: a template that the user has configured, or a path to be kept as it is. */
struct rule {
	u32 keep; /* keep the path as it is */
	u32 unused;
	char text[TEMPLATE_LEN];
};

struct rule_shape {
	u64 of_length; /* bits of the rules that have as many segments as the map index says */
	u64 any; /* bits of the rules that accept any segment at this position */
};

struct rule_word {
	u64 hash;
	u64 at;
};

/* What was lost or could not be parsed, one set per shard. */
struct losses {
	u64 orphan_responses;
	u64 lost_samples;
	u64 parse_errors;
	u64 untracked_requests; /* no room to track their connection */
	u64 lost_pieces;
	u64 overfull_pipelines; /* requests for which their connection's queue had no room */
	u64 discarded_requests; /* behind a response that closes the connection */
	/* Sockets found to carry HTTP after calls had been dismissed (others.h); idle connections used while let go. */
	u64 missed_calls;
	u64 stood_in; /* no loss: calls that a program was skipped for and another handled (hooks.h) */
};

/* A sample; in the ring buffer head_len bytes follow it, the beginning of its request. */
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
	u16 line_cut; /* the request line goes on behind line[] */
	u16 head_len;
	u16 unused;
	u8 address[16]; /* of the peer, network order; IPv4 in the first four */
	u8 line[LINE_LEN];
	u8 response[RESPONSE_LEN];
};

/*
 * What a filter may compare of a call and its connection; of names, addresses and containers the
 * comparisons that hold, as bits.
 */
struct subject {
	u64 comm;
	u64 peer;
	u32 pid;
	u32 user;
	u32 container;
	u32 side;
	u32 port;
	u32 socket; /* 1: a Unix socket */
	u32 connection; /* 1: accepted */
	u32 unused;
};

/* What a filter may compare of a response and its request. */
struct outcome {
	u64 latency_ns;
	u64 request_bytes;
	u64 response_bytes;
	u16 status;
	u8 method;
	u8 hosts; /* comparisons of the host that hold, as bits */
	u32 unused;
};

/* A search for a number in a set of ranges. */
struct number_search {
	u64 value; /* below 2^62 */
	u32 first; /* the set's first range, in filter_ranges; they are in order */
	u32 half; /* of their number, which is a power of two; 0: there is one */
};

struct filter_range {
	u64 low;
	u64 span; /* from low to low + span */
};

/* Globs that are looked for together, as states of one word (bpf/filter/globs.py). */
struct matcher {
	u64 start;
	u64 stay;
	u64 accept;
	u64 comparison; /* that they belong to, as a bit */
};

/* An address of the other side, or a network, in a trie. */
#define PEER_BITS 160 /* of words and address */
struct peer_key {
	u32 bits; /* of words and address that count */
	u32 words; /* of the address: 1 or 4 */
	u32 address[4]; /* network order */
};

/*
 * Of a byte, or of an escaped one: its classes, and what it adds to the counts and the score of its word
 * (ids.h).
 */
struct byte_class {
	u64 bits; /* C_... */
	u64 add;
	u64 weights; /* signed bytes: what it adds to the score, by the group of the byte before */
	u64 last; /* shifts the weight for this byte's group to the highest byte */
};
