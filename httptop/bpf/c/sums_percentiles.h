/* SPDX-License-Identifier: MIT */
/*
 * summarize_rows(): finds the percentiles of the rows that have changed, each as the bucket that it
 * is in. It takes turns, each a group of a row's buckets; a run that ends within a row is gone on
 * with by the next.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "maps.h"
#include "steps.h"
#include "sums.h"
#include "sums_abi.h"

/* Begin to look for the percentiles of `count` times; 0: only count them. */
static __always_inline void begin_search(struct search *f, u64 count)
{
	f->seen = 0;
	f->next = count ? 0 : PERCENTILES;
	f->rank[0] = (count + 1) / 2;
	f->rank[1] = (9 * count + 9) / 10;
	f->rank[2] = (19 * count + 19) / 20;
	f->rank[3] = (99 * count + 99) / 100;
	f->rank[4] = (999 * count + 999) / 1000;
	f->rank[5] = count;
}

/*
 * Look for percentiles in a group of buckets, of which s->up_to was made: each is in the bucket with
 * which its rank is reached. The search has no branches: the verifier would follow each of them.
 */
static __always_inline void search_group(struct sums_state *s, struct search *f, u32 number)
{
	f->seen = s->up_to[GROUP_BUCKETS - 1];
#pragma clang loop unroll(disable)
	for (u32 turn = 0; turn < PERCENTILES; turn++) {
		u32 at = f->next % 8, n;
		u64 rank;

		if (at >= PERCENTILES)
			break;
		rank = f->rank[at];
		if (rank > f->seen)
			break;
		n = 8 * sign_of(s->up_to[7] - rank);
		n += 4 * sign_of(s->up_to[(n + 3) % GROUP_BUCKETS] - rank);
		n += 2 * sign_of(s->up_to[(n + 1) % GROUP_BUCKETS] - rank);
		n += sign_of(s->up_to[n % GROUP_BUCKETS] - rank);
		f->at[at] = number * GROUP_BUCKETS + n;
		f->next = at + 1;
	}
}

static __always_inline void copy_percentiles(u16 *to, const u16 *from)
{
#pragma clang loop unroll(full)
	for (u32 at = 0; at < PERCENTILES; at++)
		to[at] = from[at];
}

/* Make s->up_to of the times in a group of buckets, some or since start, after those before. */
#define ADD_UP(s, times, before)                                                                   \
	do {                                                                                       \
		u64 sum = before;                                                                  \
		_Pragma("clang loop unroll_count(4)") for (u32 n = 0; n < GROUP_BUCKETS; n++)      \
		{                                                                                  \
			sum += (times)[n];                                                         \
			(s)->up_to[n] = sum;                                                       \
		}                                                                                  \
	} while (0)

/* Look at the times in a group of the row's buckets. */
static __always_inline void search_times(struct sums_state *s, u32 number)
{
	struct bucket_group *group = group_of(s->row, s->measure, number, false);

	if (!group)
		return;
	ADD_UP(s, group->total, s->total.seen);
	search_group(s, &s->total, number);
	if (s->measure != MEASURE_LATENCY)
		return;
	ADD_UP(s, group->window, s->window.seen);
	search_group(s, &s->window, number);
}

/*
 * Look at the durations of all responses in a group of the row's buckets: they are the latencies of
 * all, less those of responses that several calls sent, and with the durations of these instead.
 */
static __always_inline void search_durations(struct sums_state *s, u32 number)
{
	struct bucket_group *all = group_of(s->row, MEASURE_LATENCY, number, false);
	struct bucket_group *group;

#pragma clang loop unroll(disable)
	for (u32 n = 0; n < GROUP_BUCKETS; n++)
		s->times[n] = all ? all->total[n] : 0;
	group = group_of(s->row, MEASURE_HANDLING, number, false);
#pragma clang loop unroll(disable)
	for (u32 n = 0; n < GROUP_BUCKETS && group; n++) {
		u64 times = s->times[n], less = group->total[n];

		s->times[n] = (times - less) * IS_AT_LEAST(times, less);
	}
	group = group_of(s->row, MEASURE_DURATION, number, false);
#pragma clang loop unroll(disable)
	for (u32 n = 0; n < GROUP_BUCKETS && group; n++)
		s->times[n] += group->total[n];
	ADD_UP(s, s->times, s->total.seen);
	search_group(s, &s->total, number);
}

/* Begin with one of the measures of the row in hand, if there is anything to look for. */
static __always_inline void begin_measure(struct sums_state *s, struct row *row)
{
	u32 number = s->row * TIMES + s->measure - 1;
	struct row_time *time;

	s->bits = 0;
	if (s->measure == MEASURE_LATENCY) {
		begin_search(&s->total, row->total_count);
		begin_search(&s->window, row->window_count);
		s->bits = row->groups;
		return;
	}
	time = row_times.lookup(&number);
	if (!time || !(row->measures >> s->measure & 1) || s->measure == MEASURE_HANDLING)
		return;
	s->groups = time->groups;
	if (s->measure == MEASURE_DURATION) {
		/* How many there are a first look at all groups tells. */
		s->groups |= row->groups;
		s->counting = 1;
		begin_search(&s->total, 0);
	} else {
		begin_search(&s->total, time->count);
	}
	s->bits = s->groups;
}

/* All groups have been looked at: note what was found. */
static __always_inline void end_measure(struct sums_state *s, struct row *row)
{
	u32 number = s->row * TIMES + s->measure - 1;
	struct row_time *time;

	if (s->measure == MEASURE_LATENCY) {
		copy_percentiles(row->total_at, s->total.at);
		copy_percentiles(row->window_at, s->window.at);
		return;
	}
	time = row_times.lookup(&number);
	if (!time)
		return;
	copy_percentiles(time->at, s->total.at);
	if (s->measure == MEASURE_DURATION)
		time->count = s->total.seen;
}

/*
 * Take a turn: a group of the row in hand; or the next of its measures; or the next row, if that has
 * changed. The last one is that with which there are no more rows.
 */
static __always_inline int summarize_turn(struct sums_state *s)
{
	struct row *row;
	u32 number;

	if (s->row_in_hand && s->bits) {
		number = first_of(s->bits) % GROUPS;
		s->bits &= s->bits - 1;
		if (s->measure == MEASURE_DURATION)
			search_durations(s, number);
		else
			search_times(s, number);
		return 0;
	}
	s->row = s->run.next;
	row = rows.lookup(&s->row);
	if (!row || s->row >= s->run.end)
		return 1;
	if (s->row_in_hand && s->counting) {
		s->counting = 0;
		s->bits = s->groups;
		begin_search(&s->total, s->total.seen);
		return 0;
	}
	if (s->row_in_hand) {
		end_measure(s, row);
		s->measure++;
		if (s->measure > MEASURE_DURATION || !(row->measures >> s->measure)) {
			s->row_in_hand = 0;
			s->run.next++;
			return 0;
		}
	} else {
		if (row->tick != s->run.tick) {
			row->tick_sum_ns = 0;
			row->tick_count = 0;
		}
		if (!row->changed) {
			s->run.next++;
			return 0;
		}
		row->changed = 0;
		s->row_in_hand = 1;
		s->measure = MEASURE_LATENCY;
	}
	begin_measure(s, row);
	return 0;
}

#ifdef LOOPS
int take_summarize_turn(void *unused)
{
	struct sums_state *s = sums_here();

	return !s || summarize_turn(s);
}
#endif

/*
 * The program that finds the percentiles of rows, from number `next` to before `end`; a row that got
 * nothing in this tick has nothing in its tick_... members then.
 */
int summarize_rows(void *ctx)
{
	struct sums_state *s = sums_here();

	if (s)
		TAKE_ALL_TURNS(s, summarize_turn, SUMMARIZE_TURN);
	return 0;
}
