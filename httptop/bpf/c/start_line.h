/* SPDX-License-Identifier: MIT */
/*
 * The grammar of start lines: methods, request lines, versions, statuses. Works on the bytes in
 * data[CARRY..have), of which request_line() reads the line up to line_end, and writes s->method,
 * s->minor and version_at. cursor is a temporary. Called by the reader's headers, and by first_bytes().
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "maps.h"
#include "scratch.h"

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
