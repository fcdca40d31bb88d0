/* SPDX-License-Identifier: MIT */
/*
 * Cells that are given back, because their endpoint has been idle for long or the table is full. User
 * space (bpf/give_back.py) takes them out of the maps that they are found by, and marks them as
 * retired. Then nothing begins to count in them but what holds on to them already: a connection, for
 * its next request with the same line, or for the rest of its last response.
 *
 * let_go() has a connection hold on to them no longer. Once none does, and all their requests are
 * over, reclaim_cells() blanks them and puts them back into the pool.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "cells.h"
#include "close.h"
#include "conn.h"
#include "maps.h"
#include "shares.h"
#include "steps.h"
#include "sums.h"
#include "sums_abi.h"
#include "sums_cells.h"

/* Return what is known of a cell if it is retired, else 0. */
static __always_inline struct cell_use *retired_use(u32 cell)
{
	struct cell_use *use = cell_uses.lookup(&cell);

	return use && use->flags & CELL_RETIRED ? use : 0;
}

/* Have a connection that is idle hold on to no retired cell, and mark those that it has held. */
static __always_inline void let_go_of_cells(u64 key)
{
	struct conn *conn = conns.lookup(&key);
	struct cell_use *use;

	if (!conn)
		return;
	use = retired_use(conn->endpoint);
	if (use) {
		use->flags |= CELL_HELD;
		/* Where a request has begun, it is still to be counted. */
		if (!conn->pending && conn->streams[REQUESTS].phase != PHASE_HEAD) {
			conn->line_len = 0;
			conn->call_len = 0;
			conn->endpoint = LEFT_OUT_ENDPOINT(conn->side & 1);
		}
	}
	use = retired_use(conn->kind.endpoint);
	if (use) {
		use->flags |= CELL_HELD;
		conn->kind.endpoint = 0; /* see count_response_body() */
	}
}

/* The program that user space runs for each connection, by its key. */
int let_go(u64 *ctx)
{
	preempt_disable();
	let_go_of_cells(ctx[0]);
	preempt_enable();
	return 0;
}

/* Give back the pages of the next octave of s->bits of the cell in hand. */
static __always_inline void return_octave(struct sums_state *s)
{
	u32 octave = first_of(s->bits) % OCTAVES, key = s->row * OCTAVES + octave;

	s->bits &= s->bits - 1;
	read_octaves.delete(&key);
#pragma clang loop unroll(disable)
	for (u32 shard = 0; shard < SHARDS; shard++) {
		u32 at = s->row * SHARDS + shard, number;
		struct cell *cell = cells.lookup(&at);
		struct page *page;

		if (!cell)
			return;
		number = cell->page[octave];
		if (!number)
			continue;
		cell->page[octave] = 0;
		page = pages.lookup(&number);
		if (!page)
			return;
#pragma clang loop unroll_count(4)
		for (u32 n = 0; n < OCTAVE_BUCKETS; n += 2)
			WORD(&page->bucket[n]) = 0;
		free_pages.push(&number, 0);
		give_back(cell->share, PAGES);
	}
}

/* The cell in hand has no pages any more: blank it, and put it back into the pool. */
static __always_inline void return_cell_in_hand(struct sums_state *s)
{
	struct cell_use *use = cell_uses.lookup(&s->row);
	u32 number = s->row, share = 0;
	struct shares *all = shares_here();
	u32 *other;

	s->cell_in_hand = 0;
	s->run.next++;
	if (!use || !all)
		return;
#pragma clang loop unroll(disable)
	for (u32 shard = 0; shard < SHARDS; shard++) {
		u32 at = s->row * SHARDS + shard;
		struct cell *cell = cells.lookup(&at);

		if (!cell)
			return;
		share |= cell->share; /* the first has it */
		__builtin_memset(cell, 0, sizeof(*cell));
	}
	if (s->measure == RECLAIM_ENDPOINT)
		give_back(share, ENDPOINTS);
	if (s->measure == RECLAIM_RESPONSE)
		give_back(share, CELLS);
	other = &SHARE_AT(all, share)->other;
	if (*other == s->row)
		*other = 0;
	read_rests.delete(&number);
	__builtin_memset(use, 0, sizeof(*use));
	return_cell(number);
}

/* Take a turn: an octave of the cell in hand, or the next cell. */
static __always_inline int reclaim_turn(struct sums_state *s)
{
	u32 word;

	s->run.turns -= s->run.turns ? 1 : 0;
	if (s->cell_in_hand && s->bits) {
		return_octave(s);
		return 0;
	}
	if (s->cell_in_hand)
		return_cell_in_hand(s);
	if (!s->run.turns || s->run.next >= s->run.end)
		return 1;
	word = s->run.unknown_cell[s->run.next % UNKNOWN_A_RUN];
	s->row = word / 4;
	s->measure = word % 4;
	s->bits = 0;
	if (!retired_use(s->row)) {
		s->run.next++;
		return 0;
	}
	if (s->measure == RECLAIM_RESPONSE)
		find_octaves(s, s->row);
	s->cell_in_hand = 1;
	return 0;
}

#ifdef LOOPS
int take_reclaim_turn(void *unused)
{
	struct sums_state *s = sums_here();

	return !s || reclaim_turn(s);
}
#endif

/* The program that reclaims the cells in unknown_cell[], from number `next` to before `end`. */
int reclaim_cells(void *ctx)
{
	struct sums_state *s = sums_here();

	if (s)
		TAKE_ALL_TURNS(s, reclaim_turn, RECLAIM_TURN);
	return 0;
}
