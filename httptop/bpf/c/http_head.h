/* SPDX-License-Identifier: MIT */
/*
 * The HTTP/1 parser of header sections. It works on the bytes in s->data and knows nothing of
 * sockets and connections, so tests can run it through BPF_PROG_TEST_RUN on their own bytes.
 *
 * Reads data[CARRY..have); writes what it finds as offsets into data (newline, line_end, head_end,
 * length_at, coding_at, connection_at, host_at). cursor and stop are temporaries. start_line.h and
 * field_values.h, which come with it, read lines and values. Called by read_message() and first_bytes().
 *
 * A header section is scanned in words of eight bytes: most words contain no newline, and only
 * lines that may be Content-Length or Transfer-Encoding are examined further.
 */
#pragma once

#include "branchless.h"
#include "conn.h"
#include "field_values.h"
#include "filter_state.h"
#include "maps.h"
#include "scratch.h"
#include "start_line.h"
#include "steps.h"

#define SCAN_TURNS 128
#define SCANNED_TOGETHER 16

/*
 * Reset what an earlier scan found. `in_head`: the first line ended in an earlier window, and the
 * newline before the current line is at data[CARRY].
 */
static __always_inline void start_scan(struct scratch *s, bool in_head)
{
	s->newline = CARRY;
	s->line_end = in_head ? CARRY + 1 : 0;
	s->head_end = 0;
	s->length_at = 0;
	s->coding_at = 0;
	s->connection_at = 0;
	s->host_at = 0;
}

/* If the line at data[at..have) is a field that matters, note where its value begins. */
static __always_inline void note_field(struct scratch *s, u64 at)
{
	u64 name = WORD_AT(s, at), rest;
	u8 first = (u8)name | 0x20;

	if (first != 'c' && first != 't' && (!FILTER_HOST || first != 'h'))
		return;
	rest = WORD_AT(s, at + 8);
	/* Bytes after `have` are stale. */
	if ((name | LOWER_CASE(0, 7)) == CHARS('c', 'o', 'n', 't', 'e', 'n', 't', '-')) {
		if (((rest | LOWER_CASE(0, 6)) & MASK(7)) ==
			    CHARS('l', 'e', 'n', 'g', 't', 'h', ':', 0) &&
		    at + 16 <= s->have)
			s->length_at = at + 15;
	} else if ((name | LOWER_CASE(0, 8)) == CHARS('c', 'o', 'n', 'n', 'e', 'c', 't', 'i')) {
		if (((rest | LOWER_CASE(0, 2)) & MASK(3)) == CHARS('o', 'n', ':', 0, 0, 0, 0, 0) &&
		    at + 11 <= s->have)
			s->connection_at = at + 11;
	} else if ((name | LOWER_CASE(0, 8)) == CHARS('t', 'r', 'a', 'n', 's', 'f', 'e', 'r')) {
		if ((rest | LOWER_CASE(1, 8)) == CHARS('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n') &&
		    (BYTE(s, at + 16) | 0x20) == 'g' && BYTE(s, at + 17) == ':' &&
		    at + 19 <= s->have)
			s->coding_at = at + 18;
	} else if (FILTER_HOST &&
		   ((name | LOWER_CASE(0, 4)) & MASK(5)) ==
			   CHARS('h', 'o', 's', 't', ':', 0, 0, 0) &&
		   at + 6 <= s->have) {
		s->host_at = at + 5;
	}
}

/* Return a word that has the highest bit of each newline set, up to the first; 0: there is none. */
static __always_inline u64 newlines_of(u64 word)
{
	word ^= EACH * '\n';
	return (word - EACH) & ~word & (EACH << 7);
}

/*
 * Look for newlines at data[cursor..have), two words at a time; note the fields whose lines begin
 * behind them. Return whether the scan is over (s->stop).
 */
static __always_inline bool scan_turns(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u64 turn = 0; turn < SCANNED_TOGETHER; turn++) {
		u64 at = s->cursor, found, gap;
		u8 *words = &s->data[inside(at)];

		if (at >= s->have) {
			s->stop = 1;
			break;
		}
		found = newlines_of(WORD(words));
		if (!found) {
			found = newlines_of(WORD(words + 8));
			at += 8;
			if (!found) {
				s->cursor = at + 8;
				continue;
			}
		}
		at += ((found & (0 - found)) >> 7) * 0x0001020304050607ULL >> 56;
		if (at >= s->have) {
			s->stop = 1;
			break;
		}
		gap = at - s->newline;
		if (!s->line_end) {
			s->line_end = at + 1;
		} else if (gap == 1 || (gap == 2 && BYTE(s, at - 1) == '\r')) {
			s->head_end = at + 1;
			s->stop = 1;
			break;
		}
		s->newline = at;
		s->cursor = at + 1;
		note_field(s, at + 1);
	}
	return s->stop;
}

#ifdef LOOPS
int take_scan_turns(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || scan_turns(s);
}
#endif

/*
 * Look for the end of a header section in data[CARRY..have), after start_scan(): newline is the
 * last newline before it, line_end is just after the first line, head_end just after the empty
 * line; what is not found is 0. length_at, coding_at and host_at are where field values begin.
 *
 * A turn takes either a word without a newline, or one newline. If the turns run out, `have` is
 * lowered to what was scanned, and the rest comes in the next window.
 */
static __always_inline void scan_head(struct scratch *s)
{
	s->cursor = CARRY;
	s->stop = 0;
	TAKE_TURNS(SCAN_TURNS / SCANNED_TOGETHER, scan_turns, SCAN_TURNS);
	if (!s->stop)
		s->have = s->cursor;
}
