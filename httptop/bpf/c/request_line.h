/* SPDX-License-Identifier: MIT */
/*
 * Request lines: kept until they are complete, compared with the previous one on the connection,
 * looked for among those that the CPU has met lately, or parsed into an endpoint's key.
 *
 * Reads the request line, data[CARRY..line_end), and writes line[] of the connection and s->key.
 * Called by read_message() and place_request(); same_bytes() by on_bytes(), too.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "cells.h"
#include "conn.h"
#include "connections.h"
#include "counters.h"
#include "http_head.h"
#include "kernel_structs.h"
#include "maps.h"
#include "path_template.h"
#include "scratch.h"

/* Whether two strings of `length` bytes, at most LINE_LEN, are equal. */
static __always_inline bool same_bytes(u8 *a, u8 *b, u32 length)
{
	u64 words = length & ~7ULL, difference = 0;

	OPAQUE(words);
	if (words > LINE_LEN)
		return false;
#pragma clang loop unroll(disable)
	for (u64 at = 0; at < words; at += 8)
		difference |= WORD(a + at) ^ WORD(b + at);
	if (length & 7)
		difference |= (WORD(a + words) ^ WORD(b + words)) & MASK(length & 7);
	return !difference;
}

/* Whether the request line equals that of the previous request on the connection. */
static __always_inline bool same_line(struct conn *conn, struct scratch *s, u32 length)
{
	return conn->line_len == length && length <= LINE_LEN &&
	       same_bytes(conn->line, &s->data[CARRY], length);
}

/* Keep an incomplete request line, data[CARRY..have), for the next window: PHASE_LINE. */
static __always_inline void keep_line(struct conn *conn, struct scratch *s)
{
	u32 length = s->have - CARRY, end = s->have;

	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	if (length > LINE_LEN) {
		copy_words(&conn->line[LINE_HEAD], &s->data[inside(end - 16)], 2);
		length = LINE_LEN + 1;
	}
	conn->line_len = length;
	conn->streams[REQUESTS].phase = PHASE_LINE;
}

/*
 * Parse the complete request line into s->key, except for the process name. False: it is not a
 * request line.
 */
static __always_inline bool make_endpoint_key(struct scratch *s)
{
	u32 target, end;

	target = request_line(s);
	if (!target)
		return false;
	s->limit = s->cut ? CARRY + LINE_HEAD : s->line_end;
	end = template_of(s, target);
	/* Only the version may follow the first space. */
	if (s->stop && BYTE(s, end) == ' ' && end != s->version_at)
		return false;
	s->key.method = s->method;
	s->key.minor = s->minor;
	return true;
}

/* Spread the bits of a word over all of it. */
static __always_inline u64 mixed(u64 word)
{
	word *= 0x9e3779b97f4a7c15ULL;
	return word ^ word >> 32;
}

/*
 * Return the place in known_lines of a request line, at most LINE_LEN bytes long, of a connection's
 * process.
 */
static __always_inline struct known_line *place_of(struct conn *conn, struct scratch *s)
{
	u64 length = s->line_end - CARRY, words = length & ~7ULL;
	u64 hash = (length << 1 | conn->side) ^ WORD(conn->comm) ^ WORD(conn->comm + 8);
	u64 last = 0;
	u32 at;

	hash ^= (u64)conn->port << 32;
	OPAQUE(words);
	if (words > LINE_LEN)
		return 0;
#pragma clang loop unroll(disable)
	for (u64 from = 0; from < words; from += 8)
		hash = mixed(hash ^ WORD(&s->data[CARRY + from]));
	if (length & 7)
		last = WORD(&s->data[CARRY + words]) & MASK(length & 7);
	hash = mixed(hash ^ last);
	at = hash & (KNOWN_LINES - 1);
	return known_lines.lookup(&at);
}

/* Note the line's endpoint, which is in the connection, for other requests on this CPU. */
static __always_inline void remember_line(struct conn *conn, struct scratch *s)
{
	struct control *control = control_here();
	u32 length = s->line_end - CARRY;
	struct known_line *known;

	if (length > LINE_LEN || s->cut || !control)
		return;
	known = place_of(conn, s);
	if (!known)
		return;
	copy_words((u8 *)known->comm, (u8 *)conn->comm, COMM_LEN / 8);
	known->uid = conn->uid;
	known->port = conn->port;
	known->generation = control->generation;
	known->endpoint = conn->endpoint;
	known->length = length;
	known->side = conn->side;
	known->method = conn->method;
	copy_words(known->line, &s->data[CARRY], LINE_LEN / 8);
}

/* If the line has been met lately, put its endpoint into the connection; return whether it has. */
static __always_inline bool recall_line(struct conn *conn, struct scratch *s)
{
	struct control *control = control_here();
	u32 length = s->line_end - CARRY;
	struct known_line *known;

	if (length > LINE_LEN || s->cut || !control)
		return false;
	known = place_of(conn, s);
	if (!known || known->length != length || known->side != conn->side || !known->endpoint ||
	    known->generation != (u32)control->generation ||
	    WORD(known->comm) != WORD(conn->comm) ||
	    WORD(known->comm + 8) != WORD(conn->comm + 8) || known->uid != conn->uid ||
	    known->port != conn->port || !same_bytes(known->line, &s->data[CARRY], length))
		return false;
	conn->endpoint = known->endpoint;
	conn->method = known->method;
	conn->line_len = length;
	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	return true;
}

/*
 * Whether the request line is known: that of the previous request on its connection, or another's.
 * Its endpoint is in the connection then.
 */
static __always_inline bool find_line(struct conn *conn, struct scratch *s)
{
	if (s->carried != CARRY)
		return false;
	if (!same_line(conn, s, s->line_end - CARRY))
		return recall_line(conn, s);
	if (s->call_len <= LINE_LEN) /* all of it is compared with the next call */
		copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	return true;
}

/* Parse the request line, and put its endpoint into the connection. False: it is none. */
static __always_inline bool parse_line(struct conn *conn, struct scratch *s)
{
	u32 length = s->line_end - CARRY;

	if (!make_endpoint_key(s))
		return false;
	begin_key(s, conn);
	conn->endpoint = endpoint_of(s, conn->share);
	conn->method = s->method;
	conn->line_len = s->cut || length > LINE_LEN ? LINE_LEN + 1 : length;
	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	if (s->carried == CARRY)
		remember_line(conn, s);
	return true;
}
