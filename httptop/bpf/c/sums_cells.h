/* SPDX-License-Identifier: MIT */
/*
 * What is new in a cell, all its shards together: the counters and the histogram. Called by
 * add_to_rows(); leaves what it finds in the state of the run, and notes it as read.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "maps.h"
#include "sums.h"
#include "sums_abi.h"

/* Add up what all shards of a cell have counted since the last reading; return whether anything. */
static __always_inline bool read_cell(struct sums_state *s, struct cell_use *use)
{
	u64 count = 0, bytes = 0, spent_ns = 0, max_ns = 0;
	u32 unanswered = 0, moved = 0;
	bool responses = use->kind >= USE_RESPONSES;

#pragma clang loop unroll(disable)
	for (u32 shard = 0; shard < SHARDS; shard++) {
		u32 at = s->run.next * SHARDS + shard;
		struct cell *cell = cells.lookup(&at);

		if (!cell)
			return false;
		count += cell->count;
		bytes += cell->bytes;
		spent_ns += responses ? cell->latency_sum_ns : cell->unmeasured;
		unanswered += cell->unanswered;
		moved += responses ? cell->unmeasured : cell->moved;
		if (cell->latency_max_ns > max_ns)
			max_ns = cell->latency_max_ns;
	}
	s->max_ns = max_ns;
	s->new_count = count - use->count;
	s->new_bytes = bytes - use->bytes;
	s->new_spent_ns = spent_ns - use->spent_ns;
	s->new_unanswered = unanswered - use->unanswered;
	s->new_moved = moved - use->moved;
	if (!(s->new_count | s->new_bytes | s->new_spent_ns | s->new_unanswered | s->new_moved))
		return false;
	if (use->kind == USE_UNKNOWN)
		return true;
	use->count = count;
	use->bytes = bytes;
	use->spent_ns = spent_ns;
	use->unanswered = unanswered;
	use->moved = moved;
	return true;
}

/* Return which of four numbers of 16 bits are not 0, as bits. */
static __always_inline u64 which_of_four(u64 four)
{
	const u64 most = 0x7fff7fff7fff7fffULL;
	u64 some = ((four & most) + most | four) & ~most;

	return (some >> 15) * (1ULL << 48 | 1ULL << 33 | 1ULL << 18 | 1ULL << 3) >> 48 & 15;
}

/* Note in s->bits the octaves for which any shard of a cell has a page. */
static __always_inline void find_octaves(struct sums_state *s, u32 number)
{
	s->bits = 0;
#pragma clang loop unroll(disable)
	for (u32 shard = 0; shard < SHARDS; shard++) {
		u32 at = number * SHARDS + shard;
		struct cell *cell = cells.lookup(&at);

		if (!cell)
			continue;
#pragma clang loop unroll(disable)
		for (u32 octave = 0; octave < OCTAVES; octave += 4) {
			u64 four = WORD(&cell->page[octave]);

			if (four)
				s->bits |= which_of_four(four) << octave;
		}
	}
}

/* Add numbers of 32 bits in pairs; each may wrap around. */
static __always_inline u64 add_pairs(u64 a, u64 b)
{
	const u64 most = 0x7fffffff7fffffffULL;

	return ((a & most) + (b & most)) ^ ((a ^ b) & ~most);
}

/*
 * Add up the buckets of one octave of the cell's histogram, of all shards, in s->now. They have 32
 * bits and may have wrapped around.
 */
static __always_inline void sum_octave(struct sums_state *s, u32 octave)
{
	bool first = true;

#pragma clang loop unroll(disable)
	for (u32 shard = 0; shard < SHARDS; shard++) {
		u32 at = s->run.next * SHARDS + shard, number;
		struct cell *cell = cells.lookup(&at);
		struct page *page;

		if (!cell)
			continue;
		number = cell->page[octave];
		if (!number)
			continue;
		page = pages.lookup(&number);
		if (!page)
			continue;
		if (first) {
#pragma clang loop unroll_count(4)
			for (u32 n = 0; n < OCTAVE_BUCKETS; n += 2)
				WORD(&s->now[n]) = WORD(&page->bucket[n]);
			first = false;
			continue;
		}
#pragma clang loop unroll_count(4)
		for (u32 n = 0; n < OCTAVE_BUCKETS; n += 2)
			WORD(&s->now[n]) = add_pairs(WORD(&s->now[n]), WORD(&page->bucket[n]));
	}
}

/* Note how many times are new in a bucket. */
static __always_inline void note_new(struct sums_state *s, u32 bucket, u32 times)
{
	s->new_times[bucket] = times;
	s->new_buckets |= IS_SOME(times) << bucket;
}

/* Note in s->new_times and s->new_buckets what is new in one octave of the cell's histogram. */
static __always_inline void read_octave(struct sums_state *s, u32 octave)
{
	struct page *known = read_so_far(s->run.next * OCTAVES + octave);

	s->new_buckets = 0;
	if (!known) {
		s->again = 1;
		return;
	}
	sum_octave(s, octave);
#pragma clang loop unroll(disable)
	for (u32 n = 0; n < OCTAVE_BUCKETS; n += 2) {
		u64 now = WORD(&s->now[n]), before = WORD(&known->bucket[n]);

		if (now == before)
			continue;
		WORD(&known->bucket[n]) = now;
		note_new(s, n, (u32)now - (u32)before);
		note_new(s, n + 1, (u32)(now >> 32) - (u32)(before >> 32));
	}
}
