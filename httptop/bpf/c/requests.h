/* SPDX-License-Identifier: MIT */
/*
 * The parser of requests, which may be split between calls anywhere, and pipelined.
 *
 * parse_request() parses a window of a call and keeps its position in the connection (phase,
 * body_left, line[], partial[]). place_request() parses a request line that differs from the
 * previous one on its connection. Both are steps (steps.h), with the call's bytes in the scratch,
 * and follow each other until no byte is left. s->fresh: the connection is not tracked yet.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "connections.h"
#include "counters.h"
#include "cursor.h"
#include "filter.h"
#include "http_head.h"
#include "lifecycle.h"
#include "maps.h"
#include "request_line.h"
#include "scratch.h"
#include "steps.h"
#include "wait.h"

/* Keep the incomplete field line data[newline + 1..have) for the next window. */
static __always_inline void keep_partial(struct conn *conn, struct scratch *s)
{
	u32 length = s->have - s->newline - 1;

	copy_words(conn->partial, &s->data[inside(s->newline + 1)], PARTIAL_LEN / 8);
	conn->partial_len = length < PARTIAL_LEN ? length : PARTIAL_LEN;
	/* A longer line is taken to be none of the fields that matter: spoil its name. */
	if (length > PARTIAL_LEN)
		conn->partial[0] = 'x';
}

/* Record what the fields seen so far say about the body and, if the filter needs it, the host. */
static __always_inline void note_framing(struct conn *conn, struct scratch *s)
{
	if (s->coding_at && s->coding_at <= s->newline && is_chunked(s)) {
		conn->body_left = BODY_OPEN;
		conn->chunked_request = 1;
	} else if (s->length_at && s->length_at <= s->newline && conn->body_left != BODY_OPEN)
		conn->body_left = content_length(s);
	note_host(conn, s);
}

/* The bytes are not HTTP: count a parse error, and expect the next call to begin a request. */
static __always_inline void parse_failed(struct conn *conn)
{
	conn->phase = PHASE_IDLE;
	conn->call_len = 0;
	conn->line_len = 0;
	conn->head_bytes = 0;
	conn->wait_ns = 0;
	COUNT_LOSS(parse_errors);
}

/*
 * The bytes are not a request line after all: count a parse error or, if the connection never had a
 * request, stop tracking it.
 */
static __always_inline void reject_line(struct conn *conn, struct scratch *s)
{
	if (conn->endpoint || conn->pending || conn->lost)
		parse_failed(conn);
	else
		conns.delete(&s->sk); /* no HTTP was ever seen on it */
}

/* The header section is complete: the body follows, or another request. */
static __always_inline void begin_body(struct conn *conn)
{
	if (conn->chunked_request) {
		conn->body_left = 0;
		conn->partial_len = 0;
		conn->phase = PHASE_CHUNKS;
	} else {
		conn->phase = conn->body_left ? PHASE_BODY : PHASE_IDLE;
	}
}

/*
 * Parse the line of a chunk, or trailers, from data[CARRY..have), and the part of the chunk that is
 * in the current iovec.
 */
static __always_inline void take_chunk_line(struct conn *conn, struct scratch *s)
{
	u32 consumed = s->have - s->carried, n;

	if (conn->phase == PHASE_TRAILERS) {
		if (s->head_end) {
			consumed = s->head_end - s->carried;
			conn->partial_len = 0;
			conn->phase = PHASE_IDLE;
		} else {
			keep_partial(conn, s);
		}
	} else if (!s->line_end) {
		s->newline = CARRY - 1;
		keep_partial(conn, s);
		conn->partial[0] = s->data[CARRY]; /* even of a long line: the length comes first */
	} else {
		consumed = s->line_end - s->carried;
		conn->partial_len = 0;
		conn->body_left = hexadecimal(s->data[CARRY]) ? chunk_length(s) : BODY_OPEN;
		conn->phase = conn->body_left ? PHASE_BODY : PHASE_TRAILERS;
	}
	count_request_body(conn, consumed);
	skip(s, consumed);
	if (conn->phase == PHASE_BODY) {
		n = conn->body_left < s->piece ? conn->body_left : s->piece;
		take_request_body(conn, n);
		skip(s, n);
	}
}

/*
 * The endpoint is known: parse the part of the header section that is in the window. If that
 * completes it the request begins.
 */
static __always_inline void take_header_section(struct conn *conn, struct scratch *s)
{
	u32 came = s->have - s->carried, consumed;

	note_framing(conn, s);
	if (!s->head_end) {
		conn->phase = PHASE_HEAD;
		conn->head_bytes += came;
		conn->call_len = 0;
		keep_partial(conn, s);
		skip(s, came);
		return;
	}
	consumed = s->head_end - s->carried;
	conn->head_bytes += consumed;
	conn->partial_len = 0;
	/* If the call is exactly one request, an identical call may take the short way. */
	conn->call_len =
		s->carried == CARRY && consumed == s->call_len && !conn->body_left ? consumed : 0;
	begin_request(conn);
	begin_body(conn);
	skip(s, consumed);
}

/* Step over line ends at the beginning of data[CARRY..have). */
static __always_inline void skip_empty_lines(struct scratch *s)
{
	s->cursor = CARRY;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 64; i++) {
		if (s->cursor >= s->have || !ends_line(BYTE(s, s->cursor)))
			break;
		s->cursor++;
	}
	skip(s, s->cursor - CARRY);
}

/* The step that parses a window of a call. */
static __always_inline u32 parse_request(struct scratch *s)
{
	struct conn *conn = 0;
	u32 n, length;
	bool in_head, idle;

	if (!s->fresh) {
		conn = conns.lookup(&s->sk);
		if (!conn)
			return STEP_DONE;
		s->side = conn->side;
	}
	if (!next_piece(s)) {
		if (conn && s->left)
			lose_call(conn);
		return STEP_DONE;
	}
	if (conn && conn->phase == PHASE_BODY) {
		n = conn->body_left < s->piece ? conn->body_left : s->piece;
		take_request_body(conn, n);
		skip(s, n);
		goto again;
	}

	s->have = CARRY;
	s->cut = 0;
	WORD(&s->data[0]) = 0;
	in_head = conn && (conn->phase == PHASE_HEAD || conn->phase == PHASE_TRAILERS);
	start_scan(s, in_head);
	if (conn && conn->phase == PHASE_LINE) {
		s->cut = conn->line_len > LINE_LEN;
		length = s->cut ? LINE_LEN : conn->line_len;
		copy_words(&s->data[CARRY], conn->line, LINE_LEN / 8);
		s->have = CARRY + length;
	} else if (conn && conn->phase != PHASE_IDLE) {
		s->data[CARRY] = '\n';
		s->have = CARRY + in_head;
		copy_words(&s->data[inside(s->have)], conn->partial, PARTIAL_LEN / 8);
		s->have += conn->partial_len;
	}
	s->carried = s->have;
	n = fill(s, conn && conn->phase == PHASE_CHUNKS);
	if (!n) {
		if (conn)
			lose_call(conn);
		return STEP_DONE;
	}
	idle = !conn || conn->phase == PHASE_IDLE;
	if (idle && ends_line(s->data[CARRY])) {
		skip_empty_lines(s); /* RFC 9112, 2.2: empty lines may precede a request line */
		goto again;
	}
	if (conn && idle) {
		u32 byte = s->data[CARRY];
		struct byte_class *class = classes.lookup(&byte);

		if (!class || !(class->bits & C_TOKEN)) {
			parse_failed(conn); /* no method begins with this byte */
			return STEP_DONE;
		}
		conn->head_ns = s->now;
		if (!conn->pending)
			conn->wait_ns = wait_of(s);
		conn->head_bytes = 0;
		conn->body_left = 0;
		conn->chunked_request = 0;
		conn->hosts = 0;
	}
	scan_head(s);
	n = s->have - s->carried;

	if (conn && (conn->phase == PHASE_CHUNKS || conn->phase == PHASE_TRAILERS)) {
		take_chunk_line(conn, s);
		goto again;
	}
	if (!conn && s->line_end && s->line_end <= CARRY + LINE_LEAST)
		return STEP_DONE; /* the line is too short */
	if (!s->line_end) {
		if ((!conn || !conn->endpoint) && !line_may_come(s)) {
			if (conn)
				reject_line(conn, s);
			return STEP_DONE;
		}
		if (!conn) {
			conn = new_conn(s);
			if (!conn)
				return STEP_DONE;
			conn->head_ns = s->now;
			conn->wait_ns = wait_of(s);
		}
		conn->head_bytes += n;
		keep_line(conn, s);
		skip(s, n);
		goto again;
	}
	if (!conn || conn->phase == PHASE_LINE ||
	    (conn->phase == PHASE_IDLE && !same_line(conn, s, s->line_end - CARRY))) {
		struct conn *known = 0;

		if (s->carried == CARRY)
			known = recall_line(conn, s);
		if (!known)
			return STEP_PLACE_REQUEST;
		conn = known;
	}
	if (conn->phase == PHASE_IDLE)
		copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	take_header_section(conn, s);
again:
	return s->left ? STEP_PARSE_REQUEST : STEP_DONE;
}

/*
 * The step for a request line that differs from the previous one on its connection: parse it, find
 * its endpoint, and parse the part of the header section in the window.
 */
static __always_inline u32 place_request(struct scratch *s)
{
	struct conn *conn;
	u32 length;

	if (!make_endpoint_key(s)) {
		if (!s->fresh) {
			conn = conns.lookup(&s->sk);
			if (conn)
				reject_line(conn, s);
		}
		return STEP_DONE;
	}
	conn = s->fresh ? new_conn(s) : conns.lookup(&s->sk);
	if (!conn) {
		if (s->head_end)
			count_untracked(s);
		return STEP_DONE;
	}
	if (!conn->head_ns)
		conn->wait_ns = wait_of(s);
	if (!conn->head_ns || s->carried == CARRY)
		conn->head_ns = s->now;
	copy_words((u8 *)s->key.comm, (u8 *)conn->comm, COMM_LEN / 8);
	conn->endpoint = endpoint_of(s);
	conn->method = s->method;
	note_process(conn->endpoint, s->tgid);
	length = s->line_end - CARRY;
	conn->line_len = s->cut || length > LINE_LEN ? LINE_LEN + 1 : length;
	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	if (s->carried == CARRY)
		remember_line(conn, s);
	take_header_section(conn, s);
	return s->left ? STEP_PARSE_REQUEST : STEP_DONE;
}
