/* SPDX-License-Identifier: MIT */
/*
 * What the filter of a run compares, the layout of its values, and what is kept for it in each
 * connection. Types and constants only. The loader sets FILTER and FILTER_SIZE, which decide what
 * there is room for; what else a filter asks for is linked (bpf/filter/conditions.py).
 */
#pragma once

#include "abi.h"
#include "linked.h"

#ifndef FILTER /* there is a filter: connections may be left out */
#define FILTER 0
#endif
#ifndef FILTER_SIZE /* something is decided when the response is over: it is held back until then */
#define FILTER_SIZE 0
#endif
/* Something is decided at each call of a process. */
#define FILTER_PROCESS (FILTER && LINKED(FILTER_PROCESS))
/* Something is decided once a header section is complete, or later; it compares the Host field. */
#define FILTER_REQUEST (FILTER && LINKED(FILTER_REQUEST))
#define FILTER_HOST (FILTER && LINKED(FILTER_HOST))
/* Something is decided when the response begins, or later. */
#define FILTER_RESPONSE (FILTER && LINKED(FILTER_RESPONSE))

#define MOST_MATCHERS 64 /* a power of two */
#define MOST_HOST_MATCHERS 12

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
#if FILTER
	u64 excluded; /* unless a PROXY header names another client */
	u64 truths; /* comparisons of the connection that hold, as bits */
	u8 current_hosts; /* the same for the Host field of the current request */
	u8 unused[7];
#endif
#if FILTER_SIZE
	struct held held;
#endif
};
