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

#define METHOD_LEN 31 /* longest method name accepted */
#define LINE_LEAST 5  /* "GET /" */
#define MOST_BLANKS 7 /* blanks in a row within a request line */

/* Whether a byte is a blank: SP or HTAB. */
static __always_inline bool is_blank(u8 byte)
{
	return byte == ' ' || byte == '\t';
}

/* Whether a method may begin with this byte: RFC 9110, 5.6.2. */
static __always_inline bool begins_token(u8 byte)
{
	u64 half = byte & 64 ? 0x57ffffffc7fffffeULL : 0x03ff6cfa00000000ULL;

	return byte < 128 && half >> (byte & 63) & 1;
}

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

/* Whether a target, or another blank before it, may begin with this byte. */
static __always_inline bool target_may_come(u8 byte)
{
	return (byte > ' ' && byte != 0x7f) || is_blank(byte);
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
	if (!length || length > METHOD_LEN || !is_blank(BYTE(s, CARRY + length)))
		return false;
	return length + 1 >= have || target_may_come(BYTE(s, CARRY + length + 1));
}

/* Whether a byte is a line end, or the first byte of one (CR LF). */
static __always_inline bool ends_line(u8 byte)
{
	return byte == '\r' || byte == '\n';
}

#define STATUS_LINE_LEAST 16 /* bytes that hold a status and what is behind it */

/*
 * Return the status of a response that begins with these 16 bytes, n of them valid; 0: it is not a
 * response. Up to three blanks may stand before the status: clients take that.
 */
static __always_inline u32 status_of(u64 first, u64 second, u32 n)
{
	u32 a, b, c, behind;
	u64 more = EQUAL((u8)(second >> 8), ' ');

	more += more & EQUAL((u8)(second >> 16), ' ');
	OPAQUE(more);
	n -= more;
	if (n < 12 || n > 1U << 31)
		return 0;
	if ((first & MASK(7)) != CHARS('H', 'T', 'T', 'P', '/', '1', '.', 0))
		return 0;
	if ((u8)(first >> 56) - '0' > 9u || (u8)second != ' ')
		return 0;
	second >>= more * 8;
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

/* Whether these n bytes are too few to tell, and may begin a response. */
static __always_inline bool may_be_response(u64 word, u32 n)
{
	u64 mask = n >= 7 ? MASK(7) : (1ULL << ((n & 7) * 8)) - 1;

	return n < 15 && !((word ^ CHARS('H', 'T', 'T', 'P', '/', '1', '.', 0)) & mask);
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

#define VERSION(major, minor) (100 + 10 * (major) + (minor)) /* as struct endpoint_key has it */

/* The highest bit of each byte of a word that is no blank. */
static __always_inline u64 no_blanks(u64 word)
{
	u64 spaces = word ^ (EACH * ' '), tabs = word ^ (EACH * '\t'), low = EACH * 0x7f;

	return (((spaces & low) + low) | spaces) & (((tabs & low) + low) | tabs) & (EACH << 7);
}

/*
 * Return an offset as one of which the verifier knows nothing: what it knows of map memory it forgets,
 * and so has fewer states to follow.
 */
static __always_inline u32 forgotten(struct scratch *s, u32 at)
{
	s->cursor = at;
	asm volatile("" : : : "memory");
	return s->cursor;
}

/* Return where a run of blanks before data[end] begins; at most MOST_BLANKS are looked at. */
static __always_inline u32 before_blanks(struct scratch *s, u32 end)
{
	u64 others = no_blanks(WORD_AT(s, end - 8)) | 1;

	return forgotten(s, end - 7 + (log2_of(others) >> 3));
}

/* Return where a run of blanks at data[at] ends. */
static __always_inline u32 behind_blanks(struct scratch *s, u32 at)
{
	u64 others = no_blanks(WORD_AT(s, at)) | 1ULL << 63;

	return forgotten(s, at + (lowest_bit(others) >> 3));
}

/*
 * Read the version that ends at data[end) into minor, and set version_at to the first blank before it.
 * False: there is none.
 */
static __always_inline bool read_version(struct scratch *s, u32 end)
{
	u64 word = WORD_AT(s, end - 8);
	u32 at = end - 8, major, minor, more = 0;
	bool two;

	two = (word & MASK(5)) != CHARS('H', 'T', 'T', 'P', '/', 0, 0, 0);
	if (two) {
		at--;
		word = WORD_AT(s, at);
		more = BYTE(s, end - 1) - '0';
	}
	major = (u8)(word >> 40) - '0';
	minor = (u8)(word >> 56) - '0';
	if ((word & MASK(5)) != CHARS('H', 'T', 'T', 'P', '/', 0, 0, 0) ||
	    (u8)(word >> 48) != '.' || major > 9 || minor > 9 || more > 9 ||
	    end < CARRY + LINE_LEAST + 4 || !is_blank(BYTE(s, at - 1)))
		return false;
	if (two)
		minor = minor * 10 + more;
	s->minor = major == 1 ? minor : VERSION(major, minor);
	s->version_at = before_blanks(s, at);
	return major == 1 || !two;
}

/*
 * Whether data[at..end) is the target of a request without a version: a path, and no blank in it.
 * Nothing longer than a kept line is taken for one.
 */
static __always_inline bool is_old_target(struct scratch *s, u32 at, u32 end)
{
	if (BYTE(s, at) != '/' || s->cut || end > CARRY + LINE_LEN)
		return false;
	s->cursor = at;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < LINE_LEN; i++) {
		if (s->cursor >= end)
			break;
		if (is_blank(BYTE(s, s->cursor)))
			return false;
		s->cursor++;
	}
	return true;
}

/* Return the method of `length` letters at data[CARRY..), whatever blank follows it. */
static __always_inline u32 method_named(struct scratch *s, u32 length)
{
	u64 word = WORD(&s->data[CARRY]), bits = length < 8 ? length * 8 : 0;
	int method;
	u32 unused;

	if (!bits || bits > 56)
		return METHOD_OTHER;
	word &= (1ULL << bits) - 1;
	method = method_of(word | (u64)' ' << bits, &unused);
	return method < 0 ? METHOD_OTHER : method;
}

/*
 * Read the request line data[CARRY..line_end) into method, minor and version_at; return the offset
 * where the target begins. 0: it is not a request line. Blanks and tabs may stand in runs, and at its
 * end: some servers take that.
 */
static __always_inline u32 request_line(struct scratch *s)
{
	u32 end = s->line_end - 1, length = 0, at, byte;
	struct byte_class *class;
	int method;

	if (end < CARRY + LINE_LEAST)
		return 0;
	if (BYTE(s, end - 1) == '\r')
		end--;
	end = before_blanks(s, end);
	if (end < CARRY + LINE_LEAST)
		return 0;
	method = method_of(WORD(&s->data[CARRY]), &length);
	if (method < 0) {
		length = token_length(s);
		if (!length || length > METHOD_LEN || !is_blank(BYTE(s, CARRY + length)))
			return 0;
		method = method_named(s, length);
	}
	s->method = method;
	at = CARRY + length + 1;
	at = behind_blanks(s, at);
	if (!read_version(s, end)) {
		if (method != METHOD_GET || !is_old_target(s, at, end))
			return 0;
		s->minor = VERSION(0, 9);
		s->version_at = end;
	}
	if (s->minor == VERSION(2, 0) && method == METHOD_OTHER &&
	    (WORD(&s->data[CARRY]) & MASK(6)) == CHARS('P', 'R', 'I', ' ', '*', ' ', 0, 0))
		return 0; /* HTTP/2 */
	byte = BYTE(s, at);
	class = classes.lookup(&byte);
	if (at >= s->version_at || !class || class->bits & C_END)
		return 0;
	return at;
}

/* Whether the line data[CARRY..line_end) ends as a request line does; it need not be one. */
static __always_inline bool may_be_request_line(struct scratch *s)
{
	u32 end = s->line_end - 1;

	if (end < CARRY + LINE_LEAST)
		return false;
	if (BYTE(s, end - 1) == '\r')
		end--;
	return read_version(s, before_blanks(s, end)) ||
	       (WORD(&s->data[CARRY]) & MASK(3)) == CHARS('G', 'E', 'T', 0, 0, 0, 0, 0);
}

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
