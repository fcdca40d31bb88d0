/* SPDX-License-Identifier: MIT */
/*
 * The HTTP/1 parser of header sections. It works on the bytes in s->data and knows nothing of
 * sockets and connections, so tests can run it through BPF_PROG_TEST_RUN on their own bytes.
 *
 * Reads data[CARRY..have); writes what it finds as offsets into data (newline, line_end, head_end,
 * length_at, coding_at, host_at, version_at), s->method and s->minor. cursor, number and stop are
 * temporaries, not preserved between calls. Called by read_message() and first_bytes().
 *
 * A header section is scanned in words of eight bytes: most words contain no newline, and only
 * lines that may be Content-Length or Transfer-Encoding are examined further.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "filter_state.h"
#include "maps.h"
#include "scratch.h"
#include "steps.h"

#define SCAN_TURNS 128
#define SCANNED_TOGETHER 16

/*
 * Return the method that these eight bytes begin with, and the length of its name; -1: none of enum
 * method.
 */
static __always_inline int method_of(u64 word, u32 *length)
{
	if ((word & MASK(4)) == CHARS('G', 'E', 'T', ' ', 0, 0, 0, 0)) {
		*length = 3;
		return METHOD_GET;
	}
	if ((word & MASK(5)) == CHARS('P', 'O', 'S', 'T', ' ', 0, 0, 0)) {
		*length = 4;
		return METHOD_POST;
	}
	if ((word & MASK(4)) == CHARS('P', 'U', 'T', ' ', 0, 0, 0, 0)) {
		*length = 3;
		return METHOD_PUT;
	}
	if ((word & MASK(5)) == CHARS('H', 'E', 'A', 'D', ' ', 0, 0, 0)) {
		*length = 4;
		return METHOD_HEAD;
	}
	if ((word & MASK(7)) == CHARS('D', 'E', 'L', 'E', 'T', 'E', ' ', 0)) {
		*length = 6;
		return METHOD_DELETE;
	}
	if ((word & MASK(6)) == CHARS('P', 'A', 'T', 'C', 'H', ' ', 0, 0)) {
		*length = 5;
		return METHOD_PATCH;
	}
	if (word == CHARS('O', 'P', 'T', 'I', 'O', 'N', 'S', ' ')) {
		*length = 7;
		return METHOD_OPTIONS;
	}
	if (word == CHARS('C', 'O', 'N', 'N', 'E', 'C', 'T', ' ')) {
		*length = 7;
		return METHOD_CONNECT;
	}
	if ((word & MASK(6)) == CHARS('T', 'R', 'A', 'C', 'E', ' ', 0, 0)) {
		*length = 5;
		return METHOD_TRACE;
	}
	return -1;
}

#define METHOD_LEN 23 /* longest method name accepted */
#define LINE_LEAST 12 /* "A * HTTP/1.1" */

/* Return the length of the token that data[CARRY..) begins with, at most METHOD_LEN + 1. */
static __always_inline u32 token_length(struct scratch *s)
{
	s->cursor = 0;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i <= METHOD_LEN; i++) {
		u32 byte = s->data[CARRY + i];
		struct byte_class *class = classes.lookup(&byte);

		if (!class || !(class->bits & C_TOKEN))
			break;
		s->cursor = i + 1;
	}
	return s->cursor;
}

/*
 * Whether a target may begin with this byte, after a method not in enum method: "/", "*",
 * "http://".
 */
static __always_inline bool target_may_come(u8 byte)
{
	return byte == '/' || byte == '*' || (byte | 0x20) == 'h';
}

/* Whether data[CARRY..have), which holds no line end, may be the start of a request line. */
static __always_inline bool line_may_come(struct scratch *s)
{
	u32 length, have = s->have - CARRY, name;

	if (have >= 8 && method_of(WORD(&s->data[CARRY]), &name) >= 0)
		return true;
	length = token_length(s); /* bytes after `have` are stale, but may be counted */
	if (length >= have)
		return have <= METHOD_LEN;
	if (!length || length > METHOD_LEN || BYTE(s, CARRY + length) != ' ')
		return false;
	/*
	 * Known methods are compared above only if there are eight bytes; with fewer, accept any
	 * target.
	 */
	return length + 1 >= have || have < 8 || target_may_come(BYTE(s, CARRY + length + 1));
}

/* Whether a byte is a line end, or the first byte of one (CR LF). */
static __always_inline bool ends_line(u8 byte)
{
	return byte == '\r' || byte == '\n';
}

#define STATUS_LINE_LEAST 16 /* bytes that hold a status and what is behind it */

/*
 * Return the status of a response that begins with these 16 bytes, n of them valid; 0: it is not a
 * response.
 */
static __always_inline u32 status_of(u64 first, u64 second, u32 n)
{
	u32 a, b, c, behind;

	if (n < 13 && n != 12)
		return 0;
	if ((first & MASK(7)) != CHARS('H', 'T', 'T', 'P', '/', '1', '.', 0))
		return 0;
	if ((u8)(first >> 56) - '0' > 9u || (u8)second != ' ')
		return 0;
	a = (u8)(second >> 8) - '0';
	b = (u8)(second >> 16) - '0';
	c = (u8)(second >> 24) - '0';
	behind = (u8)(second >> 32);
	if (a < 1 || a > 9 || b > 9 || c > 9)
		return 0;
	if (n > 12 && behind != ' ' && behind != '\r' && behind != '\n')
		return 0;
	return a * 100 + b * 10 + c;
}

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

/*
 * Read the request line data[CARRY..line_end) into method, minor and version_at; return the offset
 * where the target begins. 0: it is not a request line.
 */
static __always_inline u32 request_line(struct scratch *s)
{
	u32 end = s->line_end - 1, length = 0, at, byte;
	struct byte_class *class;
	u64 version;
	int method;

	if (end < CARRY + LINE_LEAST)
		return 0;
	if (BYTE(s, end - 1) == '\r')
		end--;
	if (end < CARRY + LINE_LEAST)
		return 0;
	version = WORD_AT(s, end - 8);
	if ((version & MASK(7)) != CHARS('H', 'T', 'T', 'P', '/', '1', '.', 0))
		return 0;
	s->minor = (u8)(version >> 56) - '0';
	if (s->minor > 9 || BYTE(s, end - 9) != ' ')
		return 0;
	method = method_of(WORD(&s->data[CARRY]), &length);
	if (method < 0) {
		length = token_length(s);
		if (!length || length > METHOD_LEN || BYTE(s, CARRY + length) != ' ')
			return 0;
		method = METHOD_OTHER;
	}
	s->method = method;
	at = CARRY + length + 1;
	s->version_at = end - 9;
	byte = BYTE(s, at);
	class = classes.lookup(&byte);
	if (at >= s->version_at || !class || class->bits & C_END)
		return 0;
	return at;
}

/*
 * Return the value of Content-Length, the digits at data[length_at..); BODY_OPEN if it is not a
 * number.
 */
static __always_inline u64 content_length(struct scratch *s)
{
	u32 at = s->length_at;

	s->number = 0;
	s->cursor = 0;
	s->stop = 0;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 40; i++) {
		u8 byte;

		byte = BYTE(s, at + i);
		if (byte == ' ' || byte == '\t') {
			if (s->cursor)
				s->stop = 1;
			continue;
		}
		if (byte == '\r' || byte == '\n')
			return s->cursor ? s->number : BODY_OPEN;
		if (byte - '0' > 9u || s->stop || s->cursor > 18)
			return BODY_OPEN;
		s->number = s->number * 10 + (byte - '0');
		s->cursor++;
	}
	return BODY_OPEN;
}

/* Whether the last coding at data[coding_at..) is "chunked": only then is the body chunked. */
static __always_inline bool is_chunked(struct scratch *s)
{
	s->number = 0;
	s->cursor = s->coding_at;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 64; i++) {
		u64 byte = BYTE(s, s->cursor);

		s->cursor++;
		if (byte == ' ' || byte == '\t')
			continue;
		if (byte == '\r' || byte == '\n')
			break;
		s->number = s->number >> 8 | (byte | 0x20) << 56;
	}
	if (s->number >> 8 != CHARS('c', 'h', 'u', 'n', 'k', 'e', 'd', 0))
		return false;
	return !(u8)s->number || (u8)s->number == ',';
}

/* Whether a byte is a hexadecimal digit. */
static __always_inline bool hexadecimal(u8 byte)
{
	return byte - '0' < 10u || (byte | 0x20) - 'a' < 6u;
}

/*
 * Return the length of a chunk, with the line end after it, from the chunk's line at data[CARRY];
 * 0: the last chunk.
 */
static __always_inline u64 chunk_length(struct scratch *s)
{
	s->number = 0;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 15; i++) {
		u32 byte = BYTE(s, CARRY + i), digit = byte - '0';

		if (digit > 9) {
			digit = (byte | 0x20) - 'a';
			if (digit > 5)
				break;
			digit += 10;
		}
		s->number = s->number << 4 | digit;
	}
	return s->number ? s->number + 2 : 0;
}
