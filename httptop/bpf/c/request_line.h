/* SPDX-License-Identifier: MIT */
/*
 * Request lines: kept until they are complete, compared with the previous one on the connection,
 * looked up in a cache for all connections, or parsed into an endpoint's key.
 *
 * Reads the request line, data[CARRY..line_end), and writes line[] of the connection and s->key.
 * Called by read_message() and place_request(); same_bytes() by on_bytes(), too.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
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
	u64 difference = 0;

#pragma clang loop unroll(disable)
	for (u32 turn = 0; turn < LINE_LEN / 8; turn++) {
		u64 mask = ~0ULL, at = turn * 8;

		OPAQUE(at); /* else the compiler drops the bound that the verifier needs */
		if (at >= LINE_LEN || at >= length)
			break;
		if (length - at < 8)
			mask = (1ULL << ((length - at) * 8)) - 1;
		difference |= (WORD(a + at) ^ WORD(b + at)) & mask;
	}
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
	s->key.side = s->side;
	s->key.method = s->method;
	s->key.minor = s->minor;
	s->key.unused = 0;
	return true;
}

/* Make the cache key s->line from the request line. False: the line is too long for the cache. */
static __always_inline bool make_line_key(struct scratch *s, const char *comm)
{
	u32 length = s->line_end - CARRY;
	struct control *control = control_here();

	if (length > CACHED_LEN || s->cut || !control)
		return false;
	copy_words((u8 *)s->line.comm, (const u8 *)comm, COMM_LEN / 8);
	s->line.side = s->side;
	s->line.generation = control->generation;
#pragma clang loop unroll(disable)
	for (u32 at = 0; at < CACHED_LEN; at += 8) {
		u64 keep = ~0ULL;

		if (length <= at)
			keep = 0;
		else if (length - at < 8)
			keep = (1ULL << (length - at) * 8) - 1;
		WORD(&s->line.line[at]) = WORD(&s->data[CARRY + at]) & keep;
	}
	return true;
}

/*
 * Cache the line's endpoint, which is in the connection, for other connections. Only one line in
 * eight is, at random.
 */
static __always_inline void remember_line(struct conn *conn, struct scratch *s)
{
	struct line_value value = {
		.endpoint = conn->endpoint, .tgid = s->tgid, .method = conn->method};

	if (bpf_get_prandom_u32() & 7)
		return; /* most lines that contain ids come only once */
	if (make_line_key(s, conn->comm))
		lines.update(&s->line, &value);
}

/* If the line is in the cache, put its endpoint into the connection; return whether it is. */
static __always_inline bool recall_line(struct conn *conn, struct scratch *s)
{
	struct line_value *known;

	if (!make_line_key(s, conn->comm))
		return false;
	known = lines.lookup(&s->line);
	if (!known)
		return false;
	if (known->tgid != s->tgid) {
		note_process(known->endpoint, s->tgid);
		known->tgid = s->tgid;
	}
	conn->endpoint = known->endpoint;
	conn->method = known->method;
	conn->line_len = s->line_end - CARRY;
	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	return true;
}

/*
 * Whether the request line is known: that of the previous request on its connection, or another's.
 * Its endpoint is in the connection then.
 */
static __always_inline bool find_line(struct conn *conn, struct scratch *s)
{
	return s->carried == CARRY &&
	       (same_line(conn, s, s->line_end - CARRY) || recall_line(conn, s));
}

/* Parse the request line, and put its endpoint into the connection. False: it is none. */
static __always_inline bool parse_line(struct conn *conn, struct scratch *s)
{
	u32 length = s->line_end - CARRY;

	if (!make_endpoint_key(s))
		return false;
	copy_words((u8 *)s->key.comm, (u8 *)conn->comm, COMM_LEN / 8);
	conn->endpoint = endpoint_of(s);
	conn->method = s->method;
	note_process(conn->endpoint, s->tgid);
	conn->line_len = s->cut || length > LINE_LEN ? LINE_LEN + 1 : length;
	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	if (s->carried == CARRY)
		remember_line(conn, s);
	return true;
}
