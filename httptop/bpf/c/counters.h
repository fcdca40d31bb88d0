/* SPDX-License-Identifier: MIT */
/*
 * Counting in cells (cells.h), histograms, losses. Called from everywhere; writes the maps of
 * counters, and the connection's members that say which cell its responses are counted in (kind).
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "cells.h"
#include "conn.h"
#include "maps.h"
#include "parties.h"
#include "scratch.h"
#include "shards.h"
#include "shares.h"

/* Return this shard's copy of a cell. */
static __always_inline struct cell *cell_of(u32 number)
{
	u32 at = number * SHARDS + shard();

	return cells.lookup(&at);
}

/* Return this shard's losses. */
static __always_inline struct losses *losses_here(void)
{
	u32 at = shard();

	return losses.lookup(&at);
}

/* Count one loss of this kind. */
#define COUNT_LOSS(field)                                                                          \
	do {                                                                                       \
		struct losses *l = losses_here();                                                  \
		if (l)                                                                             \
			ADD_ANYWHERE(l->field, 1);                                                 \
	} while (0)

/* Record a latency; `anywhere`: may be preempted by another of our programs, use atomics. */
static __always_inline void record_time(struct cell *cell, u64 latency_ns, const bool anywhere)
{
	u64 time_ns = latency_ns;
	u32 octave, number, bucket;
	struct page *page;

	if (latency_ns > cell->latency_max_ns)
		cell->latency_max_ns = latency_ns;
	if (latency_ns < (1ULL << OCTAVE_FIRST))
		latency_ns = 1ULL << OCTAVE_FIRST;
	if (latency_ns >= 1ULL << (OCTAVE_FIRST + OCTAVES))
		latency_ns = (1ULL << (OCTAVE_FIRST + OCTAVES)) - 1;
	octave = log2_of(latency_ns);
	bucket = (latency_ns >> (octave - 5)) & (OCTAVE_BUCKETS - 1);
	octave = (octave - OCTAVE_FIRST) & (OCTAVES - 1);
	number = cell->page[octave];
	if (!number) {
		if (!take(cell->share, PAGES, MAX_PAGES)) {
			ADD_ANYWHERE(cell->unmeasured, 1);
			return;
		}
		if (free_pages.pop(&number)) {
			give_back(cell->share, PAGES);
			ADD_ANYWHERE(cell->unmeasured, 1);
			return;
		}
		cell->page[octave] = number;
	}
	page = pages.lookup(&number);
	if (!page)
		return;
	if (anywhere) {
		ADD_ANYWHERE(cell->latency_sum_ns, time_ns);
		ADD_ANYWHERE(page->bucket[bucket], 1);
	} else {
		ADD(cell->latency_sum_ns, time_ns);
		ADD(page->bucket[bucket], 1);
	}
}

/* Have the latest request be one that is counted under ~bad request. */
static __always_inline void find_bad_request(struct conn *conn, struct scratch *s)
{
	begin_key(s, conn);
	make_own_key(s);
	WORD(&s->key.path[0]) = CHARS('~', 'b', 'a', 'd', ' ', 'r', 'e', 'q');
	WORD(&s->key.path[8]) = CHARS('u', 'e', 's', 't', 0, 0, 0, 0);
	conn->endpoint = endpoint_of(s, conn->share);
	conn->method = METHOD_OTHER;
	conn->line_len = 0;
}

/* Count a request whose connection could not be tracked, in the overflow row. */
static __always_inline void count_untracked(struct scratch *s)
{
	struct cell *cell = cell_of(OVERFLOW_ENDPOINT(s->side & 1));

	if (cell)
		ADD(cell->count, 1);
	cell = cell_of(OVERFLOW_RESPONSE(s->side & 1));
	if (cell)
		ADD(cell->count, 1);
	COUNT_LOSS(untracked_requests);
}

/* Count the latest request, and the bytes of its header section, under its endpoint. */
static __always_inline void count_request(struct conn *conn)
{
	struct cell *cell = cell_of(conn->endpoint);

	if (!cell)
		return;
	ADD(cell->count, 1);
	ADD(cell->bytes, conn->head_bytes);
}

/*
 * If the last response was not one to the current request's endpoint, put in its place the last one of
 * that endpoint on this CPU. Return whether the connection's kind is of that endpoint now.
 */
static __always_inline bool recall_kind(struct conn *conn)
{
	u32 at = conn->current & (KNOWN_KINDS - 1);
	struct response_kind *known;

	if (conn->kind.endpoint == conn->current)
		return true;
	known = known_kinds.lookup(&at);
	if (!known || known->endpoint != conn->current)
		return false;
	copy_words((u8 *)&conn->kind, (u8 *)known, sizeof(*known) / 8);
	conn->kind.whole = 0; /* that was another connection's */
	return true;
}

/* Note the kind of the last response, for other connections on this CPU. */
static __always_inline void remember_kind(struct conn *conn)
{
	u32 at = conn->kind.endpoint & (KNOWN_KINDS - 1);
	struct response_kind *known = known_kinds.lookup(&at);

	if (known && conn->kind.endpoint)
		copy_words((u8 *)known, (u8 *)&conn->kind, sizeof(*known) / 8);
}

/* Find the cell for responses of this kind (a status, or STATUS_LEFT_OUT) to the current request. */
static __always_inline void find_response_cell(struct conn *conn, u32 kind)
{
	u32 cell = response_of(conn->current, kind, MEASURE_LATENCY);

	conn->kind.cell = cell ? cell : REST_OF(kind, conn->current);
	conn->kind.endpoint = conn->current;
	conn->kind.status = kind;
	for (u32 measure = 0; measure < MEASURES - 1; measure++)
		conn->kind.times[measure] = 0;
}

/*
 * Count a response, with its first `bytes` bytes, in the cell of its endpoint's requests: there was none
 * for its status. One that the filter excludes counts as if its request had not come.
 */
static __always_inline void count_rest(u32 kind_cell, u64 bytes)
{
	struct cell *cell = cell_of(REST_ENDPOINT(kind_cell));
	u32 of_class = REST_CLASS(kind_cell);

	if (!cell)
		return;
	if (of_class >= CLASSES) {
		ADD_ANYWHERE(cell->moved, 1);
		return;
	}
	ADD_ANYWHERE(cell->rest.of_class[of_class], 1);
	ADD_ANYWHERE(cell->rest.bytes, bytes);
	ADD_ANYWHERE(cell->unmeasured, 1);
}

/*
 * Count a response in the cell conn->kind.cell, and for its party, with its first `bytes` bytes and its
 * latency.
 */
static __always_inline void count_response(struct conn *conn, u64 latency_ns, u64 bytes)
{
	struct cell *cell;

	count_answered(conn, latency_ns);
	if (conn->kind.cell & REST) {
		count_rest(conn->kind.cell, bytes);
		return;
	}
	cell = cell_of(conn->kind.cell);
	if (!cell)
		return;
	ADD(cell->count, 1);
	ADD(cell->bytes, bytes);
	record_time(cell, latency_ns, false);
}

/*
 * Record a time of the last response in the cell for that measure. The programs that user space
 * runs may end responses, too, so additions are atomic.
 */
static __always_inline void count_time(struct conn *conn, enum measure measured, u64 time_ns)
{
	u32 *number = &conn->kind.times[measured - 1];
	struct cell *cell;

	if (!*number) {
		*number = response_of(conn->kind.endpoint, conn->kind.status, measured);
		remember_kind(conn);
	}
	cell = *number ? cell_of(*number) : 0;
	if (!cell)
		return;
	ADD_ANYWHERE(cell->count, 1);
	record_time(cell, time_ns, true);
}

/* Whether the last response is counted in a cell of its own. */
static __always_inline bool has_cell(struct conn *conn)
{
	return conn->kind.cell && conn->kind.endpoint && !(conn->kind.cell & REST) &&
	       conn->kind.status != STATUS_LEFT_OUT;
}

/*
 * Record how long the request of the last response waited to be read; 0: unknown, record nothing.
 */
static __always_inline void count_wait(struct conn *conn, u64 wait_ns)
{
	if (wait_ns && has_cell(conn))
		count_time(conn, MEASURE_WAIT, wait_ns);
}

/* Count a request that is over without a response that was seen; `kind` as in find_response_cell(). */
static __always_inline void count_outcome(u32 endpoint, u64 party, u32 kind)
{
	u32 number = response_of(endpoint, kind, MEASURE_LATENCY);
	struct cell *cell;

	if (kind != STATUS_LEFT_OUT)
		count_without_response(party, false);
	if (!number) {
		count_rest(REST_OF(kind, endpoint), 0);
		return;
	}
	cell = cell_of(number);
	if (cell)
		ADD_ANYWHERE(cell->count, 1);
}

/* Count the latest request as one whose outcome is unknown. */
static __always_inline void count_unknown_outcome(struct conn *conn)
{
	count_outcome(conn->endpoint, conn->party, STATUS_UNKNOWN);
	conn->head_bytes = 0;
}
