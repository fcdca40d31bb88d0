/* SPDX-License-Identifier: MIT */
/*
 * What the filter of a run compares, the layout of its values, and what is kept for it in each
 * connection. Types and constants only. Each FILTER_ constant is 0 unless the loader sets it
 * (bpf/filter/c_conditions.py); code that depends on a 0 is not compiled.
 */
#pragma once

#include "abi.h"

#ifndef FILTER_PROCESS /* something is decided at each call of a process */
#define FILTER_PROCESS 0
#endif
#ifndef FILTER_CONNECTION /* there is a filter: connections may be left out */
#define FILTER_CONNECTION 0
#endif
#ifndef FILTER_REQUEST /* something is decided once a header section is complete, or later */
#define FILTER_REQUEST 0
#endif
#ifndef FILTER_HOST
#define FILTER_HOST 0
#endif
#ifndef FILTER_RESPONSE /* something is decided when the response begins, or later */
#define FILTER_RESPONSE 0
#endif
#ifndef FILTER_SIZE /* something is decided when the response is over: it is held back until then */
#define FILTER_SIZE 0
#endif

#ifndef FILTER_SETS /* comparisons of numbers */
#define FILTER_SETS 1
#endif
#ifndef FILTER_RANGES /* of all of them together, a power of two */
#define FILTER_RANGES 2048
#endif
#define MOST_MATCHERS 64 /* a power of two */
#define MOST_HOST_MATCHERS 12

/* The values that numbers are compared with. */
struct filter_sets {
	struct filter_set sets[FILTER_SETS];
	struct filter_range ranges[FILTER_RANGES];
};

/* The globs of all comparisons: first those of hosts, then, up to `all`, those of names. */
struct filter_globs {
	u32 hosts;
	u32 all;
	struct matcher matchers[MOST_MATCHERS];
	u64 next[MOST_MATCHERS * 256]; /* by matcher and byte: the states that go on with it */
};

struct filter_name {
	char comm[COMM_LEN];
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

/* A response that has not ended: it is counted once its size is known. */
struct held {
	struct outcome outcome;
	u64 wait_ns;
	u64 party;
	u32 endpoint; /* its cell; 0: nothing is held back */
	u32 unused;
};

/* Part of struct conn. */
struct conn_filter {
#if FILTER_CONNECTION
	u64 excluded; /* unless a PROXY header names another client */
#endif
#if FILTER_REQUEST
	u64 truths; /* comparisons of the connection that hold, as bits */
	u8 current_hosts; /* the same for the Host field of the current request */
	u8 unused[7];
#endif
#if FILTER_SIZE
	struct held held;
#endif
};
