/* SPDX-License-Identifier: MIT */
/*
 * The values of the fields that frame a message, and the lines of chunks. Works on the bytes in
 * data[], from where scan_head() has found a value. number, digits, bad, value_end, states, cursor and
 * stop are temporaries. Called by read_message() and place_request().
 */
#pragma once

#include "branchless.h"
#include "conn.h"
#include "scratch.h"
#include "start_line.h"
#include "steps.h"

#define VALUE_LEN 64 /* bytes of a field's value that are looked at */
#define VALUE_TOGETHER 16

/* Whether the newline at data[at] is within a value: the next line is folded, and in the window. */
static __always_inline bool is_folded(struct scratch *s, u32 at)
{
	return at + 1 < s->have && is_blank(BYTE(s, at + 1));
}

/* Read bytes of a number; return whether it has ended (s->value_end), see read_length(). */
static __always_inline bool length_turns(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < VALUE_TOGETHER; i++) {
		u8 byte = BYTE(s, s->cursor);

		if (byte == '\n' && !is_folded(s, s->cursor)) {
			s->value_end = s->cursor;
			return true;
		}
		s->cursor++;
		if (byte - '0' <= 9u) {
			/* A second number, or too many digits: no length is so large. */
			s->bad |= s->stop | (s->number >= 1000000000000000000ULL);
			s->number = s->number * 10 + (byte - '0');
			s->digits = 1;
			continue;
		}
		/* Some servers let a line end with more than one CR. */
		if (!is_blank(byte) && !ends_line(byte))
			s->bad = 1;
		s->stop = s->digits;
	}
	return false;
}

/* Read bytes of codings; return whether they have ended (s->value_end), see read_codings(). */
static __always_inline bool coding_turns(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < VALUE_TOGETHER; i++) {
		u64 byte = BYTE(s, s->cursor);

		if (byte == '\n' && !is_folded(s, s->cursor)) {
			s->value_end = s->cursor;
			return true;
		}
		s->cursor++;
		if (is_blank(byte) || ends_line(byte))
			continue;
		s->digits = 1;
		/* Letters in lower case; a form feed would become a comma. */
		s->number = s->number >> 8 | (byte == '\f' ? 'x' : byte | 0x20) << 56;
	}
	return false;
}

/* Read bytes of options, which go into s->states; return whether they have ended. */
static __always_inline bool option_turns(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < VALUE_TOGETHER; i++) {
		u8 byte = BYTE(s, s->cursor);
		u64 word;

		if (byte == '\n')
			return true;
		s->cursor++;
		if (is_blank(byte) || byte == ',' || byte == '\r') {
			s->number = 0;
			continue;
		}
		word = s->number << 8 | byte | 0x20;
		s->number = word;
		if (word == ((u64)'c' << 32 | 'l' << 24 | 'o' << 16 | 's' << 8 | 'e'))
			s->states |= SAYS_CLOSE;
		else if (word == (CHARS('i', 'l', 'a', '-', 'p', 'e', 'e', 'k')))
			s->states |= SAYS_KEEP;
	}
	return false;
}

#ifdef LOOPS
int take_length_turns(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || length_turns(s);
}

int take_coding_turns(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || coding_turns(s);
}

int take_option_turns(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || option_turns(s);
}
#endif

/*
 * Go on reading a number at data[cursor..), over folded lines: s->number is what was read so far, if
 * s->digits. Return it; BODY_OPEN if it makes no sense, or there is none. s->value_end is the newline
 * behind it.
 */
static __always_inline u64 read_length(struct scratch *s)
{
	s->stop = s->digits;
	s->value_end = 0;
	TAKE_TURNS(VALUE_LEN / VALUE_TOGETHER, length_turns, LENGTH_TURNS);
	return s->value_end && s->digits && !s->bad ? s->number : BODY_OPEN;
}

/* Return the value of Content-Length, at data[length_at..); BODY_OPEN if it is not a number. */
static __always_inline u64 content_length(struct scratch *s)
{
	s->number = 0;
	s->digits = 0;
	s->bad = 0;
	s->cursor = s->length_at;
	return read_length(s);
}

/*
 * Whether the last coding at data[at..), over folded lines, is "chunked": only then is the body
 * chunked. s->digits: whether there is any coding; s->value_end is the newline behind it.
 */
static __always_inline bool read_codings(struct scratch *s, u32 at)
{
	s->number = 0;
	s->cursor = at;
	s->digits = 0;
	s->value_end = 0;
	TAKE_TURNS(VALUE_LEN / VALUE_TOGETHER, coding_turns, CODING_TURNS);
	if (s->number >> 8 != CHARS('c', 'h', 'u', 'n', 'k', 'e', 'd', 0))
		return false;
	return !(u8)s->number || (u8)s->number == ',';
}

/* Whether a byte is a hexadecimal digit. */
static __always_inline bool hexadecimal(u8 byte)
{
	return byte - '0' < 10u || (byte | 0x20) - 'a' < 6u;
}

/* Return whether Connection says close or keep-alive: SAYS_CLOSE, SAYS_KEEP. */
static __always_inline u8 connection_option(struct scratch *s)
{
	u64 word = WORD_AT(s, s->connection_at + 1);

	/* As most servers write it. */
	if ((word | LOWER_CASE(0, 8)) == CHARS('k', 'e', 'e', 'p', '-', 'a', 'l', 'i'))
		return SAYS_KEEP;
	if (((word | LOWER_CASE(0, 5)) & MASK(6)) == CHARS('c', 'l', 'o', 's', 'e', '\r', 0, 0))
		return SAYS_CLOSE;
	s->cursor = s->connection_at;
	s->number = 0;
	s->states = 0;
	TAKE_TURNS(VALUE_LEN / VALUE_TOGETHER, option_turns, OPTION_TURNS);
	return s->states;
}

#define MOST_ZEROS 32

/*
 * Return the size of a chunk from its line at data[CARRY..line_end); BODY_OPEN: the line says none.
 * Zeros may lead it; blanks, and extensions behind ";", may follow.
 */
static __always_inline u64 chunk_size(struct scratch *s)
{
	u8 behind;

	s->number = 0;
	s->cursor = CARRY;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < MOST_ZEROS; i++) {
		if (BYTE(s, s->cursor) != '0')
			break;
		s->cursor++;
	}
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 15; i++) {
		u8 byte = BYTE(s, s->cursor);

		if (!hexadecimal(byte))
			break;
		s->number = s->number << 4 | (byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
		s->cursor++;
	}
	behind = BYTE(s, s->cursor);
	if (s->cursor == CARRY || !(is_blank(behind) || behind == ';' || ends_line(behind)))
		return BODY_OPEN;
	return s->number;
}
