/* SPDX-License-Identifier: MIT */
/*
 * add_to_rows(): adds what cells have counted since they were read last to their rows and sides, and
 * to the log of the window. It takes turns, each a cell's counters or an octave of its histogram.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "maps.h"
#include "steps.h"
#include "sums.h"
#include "sums_abi.h"
#include "sums_cells.h"

/* Append a word to the log. */
static __always_inline void log_word(struct sums_state *s, struct window_log *log, u32 word)
{
	log->word[s->run.logged++ % LOG_WORDS] = word;
}

/* Begin an entry of the log: say of which row it is, if that is another than before. */
static __always_inline void log_entry(struct sums_state *s, struct window_log *log, u32 kind)
{
	if (!s->run.logged || s->log_row != s->row)
		log_word(s, log, LOG_ROW | s->side << 30 | s->log_number);
	s->log_row = s->row;
	log_word(s, log, kind);
}

/* Whether a status, or a class, is one of errors. */
static __always_inline bool is_error(u32 status)
{
	return status >= 400 || (status >= 4 && status < 10);
}

/* Return the sums of what the screen's filter picks of the side of the cell in hand. */
static __always_inline struct side_sums *kept_sums(struct sums_state *s)
{
	u32 at = KEPT(s->side);

	return side_sums.lookup(&at);
}

/* Count requests that are over, with the time they took, in a row, its side and the log. */
static __always_inline void add_finished(struct sums_state *s, struct row *row, struct row *all,
					 struct side_sums *side, u64 requests, bool failed,
					 u64 spent_ns)
{
	struct window_log *log = log_here();
	u64 errors = failed ? requests : 0;
	u32 what = LOG_FINISHED;

	row->requests += requests;
	row->window_requests += requests;
	row->window_errors += errors;
	row->latency_sum_ns += spent_ns;
	row->window_sum_ns += spent_ns;
	all->requests += requests;
	all->window_requests += requests;
	all->latency_sum_ns += spent_ns;
	all->window_sum_ns += spent_ns;
	all->window_errors += errors;
	side->tick_requests += requests;
	side->tick_errors += errors;
	if (!log)
		return;
	if (failed)
		what |= LOG_FAILED;
	if (spent_ns >> 32)
		what |= LOG_LONG;
	log_entry(s, log, LOG_KIND(what, 0));
	log_word(s, log, requests);
	log_word(s, log, spent_ns);
	if (spent_ns >> 32)
		log_word(s, log, spent_ns >> 32);
}

/* Add the new responses of a cell of requests for whose status there was no cell of its own. */
static __always_inline void add_rest(struct sums_state *s, struct row *row, struct row *all,
				     struct side_sums *side)
{
	u32 cell = s->run.next, zero = 0;
	struct rest *known = read_rests.lookup(&cell);
	void *blank = blank_group.lookup(&zero);
	struct rest now = {};

	if (!known && blank) {
		read_rests.update(&cell, blank);
		known = read_rests.lookup(&cell);
	}
	if (!known)
		return;
#pragma clang loop unroll(disable)
	for (u32 shard = 0; shard < SHARDS; shard++) {
		u32 at = cell * SHARDS + shard;
		struct cell *copy = cells.lookup(&at);

		if (!copy)
			return;
		for (u32 n = 0; n < CLASSES; n++)
			now.of_class[n] += copy->rest.of_class[n];
		now.bytes += copy->rest.bytes;
	}
	row->response_bytes += now.bytes - known->bytes;
	all->response_bytes += now.bytes - known->bytes;
	known->bytes = now.bytes;
#pragma clang loop unroll(full)
	for (u32 n = 0; n < CLASSES; n++) {
		u64 more = now.of_class[n] - known->of_class[n];

		known->of_class[n] = now.of_class[n];
		if (!more)
			continue;
		s->run.rest[s->run.rests++ % REST_WORDS] = cell * 8 + n;
		s->run.rest[s->run.rests++ % REST_WORDS] = more;
		s->run.unmeasured += more;
		row->open -= more;
		all->open -= more;
		side->status[n] += more;
		add_finished(s, row, all, side, more, is_error(n), 0);
	}
}

/*
 * Count requests that are over in what the screen's filter picks, if it picks those of this cell;
 * `status`: of their responses, STATUSES: there are none.
 */
static __always_inline void add_kept(struct sums_state *s, u32 status, u64 requests, bool failed)
{
	struct side_sums *kept = kept_sums(s);

	if (!kept || !s->kept)
		return;
	kept->tick_requests += requests;
	kept->tick_errors += failed ? requests : 0;
	if (status < STATUSES)
		kept->status[status % STATUSES] += requests;
}

/* Add what a cell of requests has counted. */
static __always_inline void add_requests(struct sums_state *s, struct cell_use *use,
					 struct row *row, struct row *all, struct side_sums *side)
{
	u64 opened = s->new_count - s->new_unanswered - s->new_moved;

	row->open += opened;
	row->request_bytes += s->new_bytes;
	all->open += opened;
	all->request_bytes += s->new_bytes;
	if (s->new_spent_ns)
		add_rest(s, row, all, side);
	if (!s->new_unanswered || !(use->flags & CELL_IN_SCOPE))
		return;
	row->unanswered += s->new_unanswered;
	all->unanswered += s->new_unanswered;
	add_kept(s, STATUSES, s->new_unanswered, true);
	add_finished(s, row, all, side, s->new_unanswered, true, 0);
}

/* Add what a cell of responses has counted, but for their histogram. */
static __always_inline void add_responses(struct sums_state *s, struct cell_use *use,
					  struct row *row, struct row *all, struct side_sums *side)
{
	u64 count = s->new_count, spent_ns = s->new_spent_ns, unmeasured = s->new_moved;

	row->open -= count;
	all->open -= count;
	if (!(use->flags & CELL_IN_SCOPE))
		return;
	row->truncated += s->new_unanswered;
	row->response_bytes += s->new_bytes;
	all->response_bytes += s->new_bytes;
	if (s->max_ns > row->latency_max_ns)
		row->latency_max_ns = s->max_ns;
	if (s->max_ns > all->latency_max_ns)
		all->latency_max_ns = s->max_ns;
	s->run.unmeasured += unmeasured;
	side->status[use->status % STATUSES] += count;
	add_kept(s, use->status, count, is_error(use->status));
	row->tick_sum_ns += spent_ns;
	row->tick_count += count - unmeasured;
	if (count || spent_ns)
		add_finished(s, row, all, side, count, is_error(use->status), spent_ns);
}

/* Add `buckets` of new_times[first] and the next ones to a group of the row's buckets. */
static __always_inline void add_group(struct sums_state *s, struct side_sums *side, u32 number,
				      u32 first, u32 buckets)
{
	bool latency = s->measure == MEASURE_LATENCY;
	struct side_sums *kept = kept_sums(s);
	struct window_log *log = log_here();
	struct bucket_group *group;
	u64 before = s->added;
	u32 begin;

	if (!buckets || !log || !kept)
		return;
	group = group_of(s->row, s->measure, number, true);
	if (group)
		s->groups |= 1ULL << number;
	if (group && latency)
		log_entry(s, log, LOG_KIND(number, buckets));
	begin = s->run.logged;
	s->left = buckets;
#pragma clang loop unroll(disable)
	for (u32 turn = 0; turn < GROUP_BUCKETS; turn++) {
		u64 n = first_of(s->left), at;
		u32 more;

		if (!s->left)
			break;
		s->left &= s->left - 1;
		/* Bounded where it is used: Linux 6.1 forgets what it knew of a number on the stack. */
		at = bounded(first + n, OCTAVE_BUCKETS);
		more = s->new_times[at];
		if (!group) {
			s->run.unplaced += more;
			continue;
		}
		s->added += more;
		at = bounded(n, GROUP_BUCKETS);
		group->total[at] += more;
		if (!latency)
			continue;
		group->window[at] += more;
		at = bounded(number * GROUP_BUCKETS + n, BUCKETS);
		side->tick[at] += more;
		kept->tick[at] += more * s->kept;
		log_word(s, log, more);
	}
	if (group && latency && s->added - before == s->run.logged - begin) {
		/* As many times as buckets. */
		log->word[(begin - 1) % LOG_WORDS] |= LOG_ONES;
		s->run.logged = begin;
	}
}

/* Add what is new in the next of the octaves s->bits of the cell's histogram to its row's. */
static __always_inline int add_octave(struct sums_state *s)
{
	struct side_sums *side = side_sums.lookup(&s->side);
	u32 octave = first_of(s->bits) % OCTAVES;

	s->bits &= s->bits - 1;
	if (!side)
		return 0;
	read_octave(s, octave);
	add_group(s, side, 2 * octave, 0, s->new_buckets & 0xffff);
	add_group(s, side, 2 * octave + 1, GROUP_BUCKETS, s->new_buckets >> GROUP_BUCKETS);
	return 0;
}

/* The histogram of the cell in hand is read: its row has s->added more times. */
static __always_inline void end_cell(struct sums_state *s)
{
	struct cell_use *use = cell_uses.lookup(&s->run.next);
	u32 number = s->row * TIMES + s->measure - 1;
	struct row *row = rows.lookup(&s->row);
	struct row_time *time;

	s->cell_in_hand = 0;
	s->run.next++;
	if (!use || !row)
		return;
	use->flags = s->again ? use->flags | CELL_AGAIN : use->flags & ~CELL_AGAIN;
	row->changed |= s->added != 0;
	if (s->measure == MEASURE_LATENCY) {
		row->total_count += s->added;
		row->window_count += s->added;
		row->groups |= s->groups;
		return;
	}
	time = row_times.lookup(&number);
	if (!time)
		return;
	time->groups |= s->groups;
	if (s->measure != MEASURE_DURATION)
		time->count += s->added;
	row->measures |= 1 << s->measure;
}

/* Add what has been counted of a time beside the latency, but for its histogram. */
static __always_inline void add_time(struct sums_state *s)
{
	u32 number = s->row * TIMES + s->measure - 1;
	struct row_time *time = row_times.lookup(&number);

	if (!time)
		return;
	time->sum_ns += s->new_spent_ns;
	if (s->max_ns > time->max_ns)
		time->max_ns = s->max_ns;
}

/* Add what a cell has counted since the last time, and take it in hand if it has a histogram. */
static __always_inline void begin_cell(struct sums_state *s, struct cell_use *use, bool changed)
{
	u32 of_side = SIDE_ROW(use->flags & CELL_CLIENT);
	struct side_sums *side;
	struct row *row, *all;

	s->row = use->row;
	s->side = use->flags & CELL_CLIENT;
	s->kept = use->flags & CELL_KEPT ? 1 : 0;
	s->again = changed;
	row = rows.lookup(&s->row);
	all = rows.lookup(&of_side);
	side = side_sums.lookup(&s->side);
	if (!row || !all || !side)
		return;
	s->log_number = row->log_number;
	row->changed |= changed;
	if (changed && row->tick != s->run.tick) {
		row->tick = s->run.tick;
		row->tick_sum_ns = 0;
		row->tick_count = 0;
	}
	if (s->row < s->run.first_row)
		s->run.first_row = s->row;
	if (s->row > s->run.last_row)
		s->run.last_row = s->row;
	if (changed && use->kind == USE_REQUESTS)
		add_requests(s, use, row, all, side);
	if (changed && use->kind == USE_RESPONSES)
		add_responses(s, use, row, all, side);
	if (use->kind < USE_RESPONSES || !(use->flags & CELL_IN_SCOPE))
		return;
	s->measure = use->kind - USE_RESPONSES;
	if (changed && s->measure != MEASURE_LATENCY)
		add_time(s);
	s->cell_in_hand = 1;
	s->added = 0;
	s->groups = 0;
	find_octaves(s, s->run.next);
}

/*
 * Take a turn: an octave of the histogram of the cell in hand, or the next cell. The last one is
 * that with which there are no more cells, or no more room for what user space is to be told.
 */
static __always_inline int add_turn(struct sums_state *s)
{
	struct cell_use *use;
	bool changed;

	s->run.turns -= s->run.turns ? 1 : 0;
	if (s->cell_in_hand && s->bits)
		return add_octave(s);
	if (s->cell_in_hand)
		end_cell(s);
	if (!s->run.turns || s->run.next >= s->run.end || s->run.unknown >= UNKNOWN_A_RUN ||
	    s->run.rests > REST_WORDS - 2 * CLASSES || s->run.logged > LOG_WORDS - MOST_LOGGED)
		return 1;
	use = cell_uses.lookup(&s->run.next);
	if (!use)
		return 1;
	changed = read_cell(s, use);
	if (use->kind == USE_UNKNOWN && changed)
		s->run.unknown_cell[s->run.unknown++ % UNKNOWN_A_RUN] = s->run.next;
	if (use->kind > USE_NOTHING && (changed || use->flags & CELL_AGAIN))
		begin_cell(s, use, changed);
	if (!s->cell_in_hand)
		s->run.next++;
	return 0;
}

#ifdef LOOPS
int take_add_turn(void *unused)
{
	struct sums_state *s = sums_here();

	return !s || add_turn(s);
}
#endif

/*
 * The program that adds the news of cells, from number `next` to before `end`. Before a run user
 * space has it begin a log, and tell of no cell and no row yet.
 */
int add_to_rows(void *ctx)
{
	struct sums_state *s = sums_here();

	if (s)
		TAKE_ALL_TURNS(s, add_turn, ADD_TURN);
	return 0;
}
