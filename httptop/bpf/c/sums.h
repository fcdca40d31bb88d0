/* SPDX-License-Identifier: MIT */
/*
 * The sums of rows: what the cells count, added up by endpoint for user space, which looks at them
 * once a tick (bpf/row_sums.py). User space says what each cell is for (cell_uses) and runs three
 * programs, each as often as it takes, so that no run is long. What it asks of a run, and what that
 * tells it, stands in the state (struct sums_run):
 *
 * add_to_rows() adds what cells have counted since the last reading to their rows and sides, and
 * logs what belongs to the window; user space keeps the log. replay_window() takes what the log says
 * out of the window again, or puts it back where the window becomes longer. summarize_rows() finds
 * the percentiles of the rows that have changed.
 *
 * Nothing else writes these maps but user space, whose one thread runs the programs. Cells and pages
 * are read while other programs count: a histogram may be read before or after the count that
 * belongs to it. So a cell that has changed is read again the next time, changed or not.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "maps.h"
#include "steps.h"
#include "sums_abi.h"

/* A search for percentiles, bucket by bucket. */
struct search {
	u64 seen; /* times so far */
	u64 rank[8]; /* PERCENTILES of them, in their order */
	u32 next; /* the first that is not found yet */
	u16 at[8]; /* the buckets that were found */
	u8 unused[4];
};

/* The state of a run, which the next one goes on with. */
struct sums_state {
	struct sums_run run;
	u32 cell_in_hand; /* never at the end of add_to_rows() */
	u32 row_in_hand;
	u32 row;
	u32 side;
	u32 measure;
	u32 log_row; /* that the log's next entry is of */
	u32 log_number; /* of the row of the cell in hand */
	u32 kept; /* 1: the screen's filter picks what the cell in hand counts; or 0 */
	u32 again; /* whether the cell is to be read again, even if no counter changes */
	u32 counting; /* only count the times, to know their ranks */
	u64 bits; /* of the octaves or groups that are left */
	u64 added; /* times in the cell's histogram since it was read last */
	u64 groups; /* that they are in */
	u64 max_ns;
	u64 new_count; /* what the cell has counted since it was read last, as in struct cell_use */
	u64 new_bytes;
	u64 new_spent_ns;
	u32 new_unanswered;
	u32 new_moved;
	u32 now[OCTAVE_BUCKETS]; /* times in the buckets of an octave */
	u32 new_times[OCTAVE_BUCKETS]; /* of these, where new_buckets says so */
	u64 new_buckets; /* bits */
	u64 left; /* bits of those that are not done yet */
	u64 times[GROUP_BUCKETS]; /* in a group of the row's buckets */
	u64 up_to[GROUP_BUCKETS]; /* times in the histogram up to a bucket of a group */
	struct search total;
	struct search window;
};

/* What was read of a cell's histogram so far, all shards together: by cell and octave. */
BPF_F_TABLE("hash", u32, struct page, read_octaves, SIZED, BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", u32, struct bucket_group, bucket_groups, SIZED, BPF_F_NO_PREALLOC);
BPF_ARRAY(blank_group, struct bucket_group, 1); /* zeros, for new entries of the others */
/* What was read of an endpoint's rest so far, all shards together. */
BPF_F_TABLE("hash", u32, struct rest, read_rests, SIZED, BPF_F_NO_PREALLOC);
BPF_F_TABLE("array", u32, struct cell_use, cell_uses, SIZED, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct row, rows, SIZED, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct row_time, row_times, SIZED, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct side_sums, side_sums, SIDE_SUMS, BPF_F_MMAPABLE);
/* The loader makes it one struct window_log (build/object_file.py). */
BPF_F_TABLE("array", u32, u32, window_log, LOG_WORDS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, u64, log_rows, LOG_NUMBERS, BPF_F_MMAPABLE); /* rows by log number */
BPF_F_TABLE("array", u32, struct sums_state, sums_state, 1, BPF_F_MMAPABLE);

/*
 * Take the turns that user space asks for. Where there is no bpf_loop, the kernel runs the program
 * as many times, and each run takes one: turns beyond the last do nothing.
 */
#define MORE_TURNS (OCTAVES + 1) /* for what is in hand then */
#define MOST_TURNS 4096
#ifdef LOOPS
/* Whatever user space asks for, or whoever took it over: no run may hold a CPU up for long. */
#define TAKE_ALL_TURNS(s, turn, TURN)                                                              \
	TAKE_TURNS((s)->run.turns % MOST_TURNS + MORE_TURNS, turn, TURN)
#else
#define TAKE_ALL_TURNS(s, turn, TURN) turn(s)
#endif

static __always_inline struct sums_state *sums_here(void)
{
	u32 zero = 0;

	return sums_state.lookup(&zero);
}

/* Return a group of a row's buckets, made now if there is none and `make`; 0: none, or no room. */
static __always_inline struct bucket_group *group_of(u32 row, u32 measure, u32 number, bool make)
{
	u32 key = GROUP_KEY(row, measure, number), zero = 0;
	struct bucket_group *group = bucket_groups.lookup(&key), *blank;

	if (group || !make)
		return group;
	blank = blank_group.lookup(&zero);
	if (!blank || bucket_groups.insert(&key, blank))
		return 0;
	return bucket_groups.lookup(&key);
}

/* Return what was read of an octave so far; 0 if there is no room to note it. */
static __always_inline struct page *read_so_far(u32 number)
{
	struct page *page = read_octaves.lookup(&number);
	u32 zero = 0;
	void *blank;

	if (page)
		return page;
	blank = blank_group.lookup(&zero);
	if (!blank || read_octaves.insert(&number, blank))
		return 0;
	return read_octaves.lookup(&number);
}

static __always_inline struct window_log *log_here(void)
{
	u32 zero = 0;

	return (struct window_log *)window_log.lookup(&zero);
}

/* Return the number of the lowest bit that is set, without a branch, as lowest_bit() has many. */
static __always_inline u32 first_of(u64 bits)
{
	u64 below = (bits & (0 - bits)) - 1; /* count these */

	OPAQUE(below); /* or newer compilers look the answer up in a table, which BCC does not load */
	below -= below >> 1 & 0x5555555555555555ULL;
	below = (below & 0x3333333333333333ULL) + (below >> 2 & 0x3333333333333333ULL);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return below * EACH >> 56;
}
