/* SPDX-License-Identifier: MIT */
/*
 * Which cell counts what: found by the key of an endpoint, or by an endpoint and a status, and taken
 * out of the pool when it is new. What has no room is counted elsewhere, and says so: an endpoint
 * under ~other of its process, a status by its class.
 *
 * Called by request_line.h and counters.h, when a line or a status is not known yet; reads and writes
 * s->key, and the maps of keys.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "linked.h"
#include "maps.h"
#include "scratch.h"
#include "shares.h"

/* Begin s->key with what all endpoints of the connection's process have in common. */
static __always_inline void begin_key(struct scratch *s, struct conn *conn)
{
	copy_words((u8 *)s->key.comm, (u8 *)conn->comm, COMM_LEN / 8);
	s->key.side = conn->side;
	s->key.uid = conn->uid;
	s->key.port = conn->port;
}

/* Return the first shard's copy of a cell. */
static __always_inline struct cell *first_copy_of(u32 number)
{
	u32 at = number * SHARDS;

	return cells.lookup(&at);
}

/* Take a free cell; return its number, 0 if there is none. */
static __always_inline u32 take_cell(void)
{
	u32 number = 0;

	return returned_cells.pop(&number) && free_cells.pop(&number) ? 0 : number;
}

/* Give back a cell that was not used. */
static __always_inline void return_cell(u32 number)
{
	returned_cells.push(&number, 0);
}

/* Return the number of the cell of s->key, which gets one now if it has none; 0: there is no room. */
static __always_inline u32 cell_of_key(struct scratch *s, u32 share)
{
	u32 *known, number = take_cell();
	struct cell *first;

	if (!number)
		return 0;
	if (!endpoints.insert(&s->key, &number)) {
		first = first_copy_of(number);
		if (first)
			first->share = share;
		return number;
	}
	/* The map is full, or another CPU was first. */
	return_cell(number);
	known = endpoints.lookup(&s->key);
	return known ? *known : 0;
}

/* Have s->key be that of one of httptop's own rows, of the same process. */
static __always_inline void make_own_key(struct scratch *s)
{
	for (u32 i = 0; i < TEMPLATE_LEN; i += 8)
		WORD(&s->key.path[i]) = 0;
	s->key.method = METHOD_OTHER;
	s->key.minor = 1;
	s->key.marks = KEY_OWN;
	s->key.port = 0;
}

/*
 * Return the number of the cell of ~other of the process in s->key, for which there was no room. Where
 * the share is a user's, it is that of all.
 */
static __always_inline u32 other_of(struct scratch *s, u32 number)
{
	struct shares *all = shares_here();
	u32 *other;

	if (!all || SHARE_AT(all, number)->user == ALL_SHARES)
		return OVERFLOW_ENDPOINT(s->key.side & 1);
	other = &SHARE_AT(all, number)->other;
	if (!*other) {
		make_own_key(s);
		WORD(&s->key.path[0]) = CHARS('~', 'o', 't', 'h', 'e', 'r', 0, 0);
		*other = cell_of_key(s, number);
	}
	return *other ? *other : OVERFLOW_ENDPOINT(s->key.side & 1);
}

/*
 * Return the number of the cell of s->key, which gets one now if it has none; if there is no room,
 * or the process has its share of it, that of ~other.
 */
static __always_inline u32 endpoint_of(struct scratch *s, u32 share)
{
	u32 *known = endpoints.lookup(&s->key), number;

	if (known)
		return *known;
	if (!take(share, ENDPOINTS, MAX_ENDPOINTS))
		return other_of(s, share);
	number = cell_of_key(s, share);
	if (!number) {
		give_back(share, ENDPOINTS);
		return other_of(s, share);
	}
	return number;
}

/* Note in all copies of a cell what share it is of, and so its pages. */
static __always_inline void be_of_share(u32 number, u32 share)
{
#pragma clang loop unroll(disable)
	for (u32 shard = 0; shard < SHARDS; shard++) {
		u32 at = number * SHARDS + shard;
		struct cell *cell = cells.lookup(&at);

		if (cell)
			cell->share = share;
	}
}

/*
 * Return the number of the cell of a response_key, which gets one now if it has none; 0: there is no
 * room, or the process has its share of it. A status beyond the first MOST_CODES of its endpoint shares the cell of its class. A function of
 * its own (linked.h).
 */
u64 find_response(const struct response_key *asked)
{
	struct response_key key = {};
	u32 *known, number, share;
	bool is_code;
	struct cell *first;

	if (!asked)
		return 0;
	key = *asked;
	known = responses.lookup(&key);
	if (known)
		return *known;
	first = first_copy_of(key.endpoint);
	if (!first)
		return 0;
	is_code = key.status != STATUS_UNKNOWN && key.status != STATUS_LEFT_OUT;
	if (is_code && first->rest.codes >= MOST_CODES) {
		key.measure = MEASURE_LATENCY;
		if (asked->measure == MEASURE_LATENCY || !responses.lookup(&key))
			key.status /= 100;
		key.measure = asked->measure;
		known = responses.lookup(&key);
		if (known)
			return *known;
	}
	share = first->share;
	if (!take(share, CELLS, MAX_RESPONSES))
		return 0;
	number = take_cell();
	if (number && !responses.insert(&key, &number)) {
		if (is_code && key.measure == MEASURE_LATENCY)
			ADD_ANYWHERE(first->rest.codes, 1);
		be_of_share(number, share);
		return number;
	}
	give_back(share, CELLS);
	if (!number)
		return 0;
	return_cell(number);
	known = responses.lookup(&key);
	return known ? *known : 0;
}

static u64 (*call_find_response)(const struct response_key *) = FUNCTION(FIND_RESPONSE);

/* Return the number of a response's cell; 0: there is no room for one. */
static __always_inline u32 response_of(u32 endpoint, u16 status, enum measure measure)
{
	struct response_key key = {.endpoint = endpoint, .status = status, .measure = measure};

	return call_find_response(&key);
}
