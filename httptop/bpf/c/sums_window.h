/* SPDX-License-Identifier: MIT */
/*
 * replay_window(): takes what add_to_rows() logged out of the window again, or puts it back into the
 * window. It takes turns, each an entry of the log.
 */
#pragma once

#include "abi.h"
#include "maps.h"
#include "steps.h"
#include "sums.h"
#include "sums_abi.h"

/* Return the next word of the log. */
static __always_inline u32 next_word(struct sums_state *s, struct window_log *log)
{
	return log->word[s->run.next++ % LOG_WORDS];
}

/* Return what an entry is multiplied by, before it is added to what the window has. */
static __always_inline u64 window_sign(struct sums_state *s)
{
	return s->run.back ? 1 : -1ULL;
}

/* The next entries are of another row. */
static __always_inline void replay_row(struct sums_state *s, u32 word)
{
	u32 number = LOGGED_ROW(word);
	u64 *row = log_rows.lookup(&number);

	s->side = LOGGED_SIDE(word);
	s->log_row = row ? *row : 0;
}

/* Requests that are over. */
static __always_inline void replay_finished(struct sums_state *s, struct row *row, struct row *all,
					    struct window_log *log, u32 what)
{
	u64 requests = next_word(s, log), spent_ns = next_word(s, log);
	u64 sign = window_sign(s), errors;

	if (what & LOG_LONG)
		spent_ns |= (u64)next_word(s, log) << 32;
	requests *= sign;
	spent_ns *= sign;
	errors = what & LOG_FAILED ? requests : 0;
	row->window_requests += requests;
	row->window_errors += errors;
	row->window_sum_ns += spent_ns;
	all->window_requests += requests;
	all->window_sum_ns += spent_ns;
	all->window_errors += errors;
}

/* What was added to a group of buckets. */
static __always_inline void replay_group(struct sums_state *s, struct row *row,
					 struct window_log *log, u32 number, u32 word)
{
	u32 buckets = LOGGED_BUCKETS(word);
	u64 sign = window_sign(s);
	struct bucket_group *group = group_of(s->log_row, MEASURE_LATENCY, number, false);

	if (!group) /* never: it was made before the entry */
		return;
#pragma clang loop unroll(disable)
	for (u32 n = 0; n < GROUP_BUCKETS; n++) {
		u64 more;

		if (!(buckets >> n & 1))
			continue;
		more = sign * (word & LOG_ONES ? 1 : next_word(s, log));
		group->window[n] += more;
		row->window_count += more;
	}
}

/* Take a turn: the next entry of the log. */
static __always_inline int window_turn(struct sums_state *s)
{
	u32 of_side = SIDE_ROW(s->side & 1), word, what;
	struct window_log *log = log_here();
	struct row *row = rows.lookup(&s->log_row), *all = rows.lookup(&of_side);

	if (!log || s->run.next >= s->run.end)
		return 1;
	word = next_word(s, log);
	if (word & LOG_ROW) {
		replay_row(s, word);
		return 0;
	}
	if (!row || !all)
		return 1;
	row->changed = 1;
	what = LOGGED_WHAT(word);
	if (what >= LOG_FINISHED)
		replay_finished(s, row, all, log, what);
	else
		replay_group(s, row, log, what, word);
	return 0;
}

#ifdef LOOPS
int take_window_turn(void *unused)
{
	struct sums_state *s = sums_here();

	return !s || window_turn(s);
}
#endif

/*
 * The program that takes out of the window, or puts `back`, what the words of window_log from number
 * `next` to before `end` say, a log that add_to_rows() wrote.
 */
int replay_window(void *ctx)
{
	struct sums_state *s = sums_here();

	if (s)
		TAKE_ALL_TURNS(s, window_turn, WINDOW_TURN);
	return 0;
}
