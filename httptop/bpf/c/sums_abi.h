/* SPDX-License-Identifier: MIT */
/*
 * What sums.h and user space share: the structs of rows, and what user space says of cells. Mirrored
 * in httptop/collect/sums.py and bpf/abi.py like those of abi.h.
 */
#pragma once

#include "abi.h"

/* A row's histogram is kept in groups of neighbouring buckets, by a key of row, measure and number. */
#define BUCKETS (OCTAVES * OCTAVE_BUCKETS)
#define GROUP_BUCKETS 16
#define GROUPS (BUCKETS / GROUP_BUCKETS)
#define GROUP_KEY(row, measure, number) ((row) << 9 | (measure) << 6 | (number))

#define PERCENTILES 6 /* the 50th, 90th, 95th, 99th, 99.9th and 100th */
#define TIMES 4 /* measures beside the latency */
#define STATUSES 1024
#define SIDE_ROW(side) (1 + (side)) /* the row of a side's sums; row 0 is never used */
#define KEPT(side) (2 + (side)) /* in side_sums: what the screen's filter picks of a side */
#define SIDE_SUMS 4

/*
 * The log of the window, in words. A word says either of which row the next entries are, or what an
 * entry is: a group of buckets, and which of them; or requests that are over. Then come the numbers:
 * what was added to each of these buckets, lowest first, unless that is 1 each; or how many requests,
 * and the sum of their latencies in one word or, if it is long, in two, the low one first.
 *
 * Rows have numbers of their own there, which are not used again while the window has anything of
 * them; log_rows says whose they are. So when a row has been merged into another, its part of the
 * window is the other's, and it is free at once.
 */
#define LOG_ROW (1U << 31) /* with the side in the next bit, and a log number in the others */
#define LOGGED_SIDE(word) ((word) >> 30 & 1)
#define LOGGED_ROW(word) ((word) & ((1U << 30) - 1))
#define LOG_FINISHED 64 /* or'ed with the next two; below it: the number of a group */
#define LOG_FAILED 1 /* all of the requests count as errors */
#define LOG_LONG 2
#define LOG_KIND(what, buckets) ((what) | (buckets) << 8)
#define LOG_ONES (1U << 24) /* or'ed with the kind: 1 was added to each bucket */
#define LOGGED_WHAT(word) ((word) & 127)
#define LOGGED_BUCKETS(word) ((word) >> 8 & 0xffff)
#define LOG_WORDS (1 << 15)
#define LOG_NUMBERS (1 << 15)
#define MOST_LOGGED (5 + 4 * CLASSES + GROUPS * (1 + GROUP_BUCKETS)) /* words for a cell */
#define UNKNOWN_A_RUN 512
#define REST_WORDS 512

#define CELL_CLIENT 1 /* flags of a cell: it is of that side */
#define CELL_IN_SCOPE 2 /* responses of its status, or unanswered requests, count */
#define CELL_AGAIN 4 /* to be read again, even if no counter has changed */
#define CELL_RETIRED 8 /* to be given back (give_back.h) */
#define CELL_HELD 16 /* a connection has held on to it when user space looked last */
#define CELL_KEPT 32 /* the screen's filter picks what it counts, but for struct rest */

/* What a cell is that is given back: two bits below its number. */
enum reclaim {
	RECLAIM_RESPONSE = 0,
	RECLAIM_ENDPOINT,
	RECLAIM_OWN, /* an endpoint of httptop's own */
};

/* What user space wants with a cell. */
enum use {
	USE_UNKNOWN = 0, /* not said yet */
	USE_NOTHING, /* its endpoint is not in scope */
	USE_REQUESTS,
	USE_RESPONSES, /* from here on in the order of enum measure */
	USE_WAIT,
	USE_HANDLING,
	USE_SENDING,
	USE_DURATION,
};

/* What a cell is for, and what was read of it so far, all shards together. */
struct cell_use {
	u64 count;
	u64 bytes;
	u64 spent_ns; /* of requests: responses of the rest (struct rest) */
	u32 unanswered; /* may wrap around, like the next; of responses: those that were cut off */
	u32 moved; /* of responses: those that no histogram had room for */
	u32 row;
	u16 status;
	u8 kind; /* enum use */
	u8 flags;
};

/* The sums of a row, or of all rows of a side. */
struct row {
	u64 requests; /* that are over: with their final response, or without one for good */
	u64 open; /* begun, less those that are over; may be below 0 for a moment */
	u64 unanswered;
	u64 truncated; /* responses that were cut off */
	u64 request_bytes;
	u64 response_bytes;
	u64 latency_sum_ns;
	u64 latency_max_ns;
	u64 window_requests;
	u64 window_errors; /* of these: with a status of 400 or more, or unanswered */
	u64 window_sum_ns;
	u64 tick_sum_ns;
	u64 total_count; /* of the latencies that its histogram has */
	u64 window_count;
	u64 groups; /* bits of the groups of buckets that the histogram has */
	u16 total_at[PERCENTILES]; /* the buckets that these are in */
	u16 window_at[PERCENTILES];
	u32 tick_count; /* latencies in tick_sum_ns */
	u32 tick; /* the last in which anything was counted; these two are of it */
	u32 log_number; /* of the row in the log of the window; never 0 where anything counts */
	u8 changed; /* since its percentiles were found */
	u8 measures; /* bits of the times that row_times has of it */
	u8 unused[2];
};

/* Times of a row's responses beside the latency, since start. */
struct row_time {
	u64 sum_ns;
	u64 max_ns;
	u64 count; /* of MEASURE_DURATION: of all responses, however they were sent */
	u64 groups;
	u16 at[PERCENTILES];
	u8 unused[4];
};

/* What only the sums of a side have, and those of what the screen's filter picks of it. */
struct side_sums {
	u64 tick_requests;
	u64 tick_errors;
	u64 status[STATUSES];
	u32 tick[BUCKETS]; /* latencies */
};

/* Neighbouring buckets of a row's histogram. */
struct bucket_group {
	u32 window[GROUP_BUCKETS]; /* of latencies only */
	u64 total[GROUP_BUCKETS];
};

struct window_log {
	u32 word[LOG_WORDS];
};

/* What user space asks of a run, and what the run tells it. */
struct sums_run {
	u32 next; /* the cell, row or word of window_log to begin with; then: to go on with */
	u32 end; /* the number behind the last one */
	u32 tick;
	u32 turns; /* how many to take, and a few more to end what is in hand */
	u32 logged; /* words in window_log */
	u32 unknown; /* cells that have counted and whose use is not known */
	u32 first_row; /* the least and the greatest row that got something */
	u32 last_row;
	u32 rests; /* words in rest[] */
	u32 back; /* of replay_window(): whether the log comes back into the window, or leaves it */
	u64 unmeasured; /* since start: latencies that the kernel had no page for */
	u64 unplaced; /* since start: latencies that bucket_groups had no room for */
	u32 unknown_cell[UNKNOWN_A_RUN]; /* of reclaim_cells(): those to be given back */
	u64 rest[REST_WORDS]; /* in pairs: endpoint's cell * 8 + class; new responses of the rest */
};
