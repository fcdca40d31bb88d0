/* SPDX-License-Identifier: MIT */
/*
 * What requests are beyond their framing (message.h): where one may begin, its request line, and what
 * follows from its header section.
 *
 * Called by read_message() and place_request(), with a window in data[].
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
#include "others.h"
#include "request_line.h"
#include "scratch.h"
#include "steps.h"
#include "stream.h"
#include "wait.h"

/* The bytes are not HTTP: count a parse error, and expect the next call to begin a request. */
static __always_inline void parse_failed(struct conn *conn, struct stream *stream)
{
	restart(stream);
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
		parse_failed(conn, &conn->streams[REQUESTS]);
	else {
		conns.delete(&s->sk); /* no HTTP was ever seen on it */
		note_other(s->sk);
	}
}

/* Step over line ends at the beginning of data[CARRY..have): RFC 9112, 2.2, has servers ignore them. */
static __always_inline bool skip_empty_lines(struct scratch *s)
{
	s->cursor = CARRY;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 64; i++) {
		if (s->cursor >= s->have || !ends_line(BYTE(s, s->cursor)))
			break;
		s->cursor++;
	}
	skip(s, s->cursor - CARRY);
	return s->cursor != CARRY;
}

/* A request begins with the next byte, if any does. */
static __always_inline void open_request(struct conn *conn, struct scratch *s)
{
	struct stream *stream = &conn->streams[REQUESTS];

	conn->head_ns = s->now;
	if (!conn->pending)
		conn->wait_ns = wait_of(s);
	conn->head_bytes = 0;
	conn->hosts = 0;
	stream->length = 0;
	stream->chunked = 0;
}

/* Whether a request may begin at data[CARRY]; if not, that is a parse error. */
static __always_inline bool expect_request(struct conn *conn, struct stream *stream,
					   struct scratch *s)
{
	u32 byte = s->data[CARRY];
	struct byte_class *class = classes.lookup(&byte);

	if (!class || !(class->bits & C_TOKEN)) {
		parse_failed(conn, stream); /* no method begins with this byte */
		return false;
	}
	open_request(conn, s);
	return true;
}

/* The request line is complete, and its endpoint is in the connection. */
static __always_inline void begin_head(struct conn *conn, struct stream *stream)
{
	stream->phase = PHASE_HEAD;
	conn->call_len = 0;
}

/* Read a request line; return the next step, or GO_ON with the fields behind it. */
static __always_inline u32 take_request_line(struct conn *conn, struct stream *stream,
					     struct scratch *s)
{
	u32 n = s->have - s->carried;

	if (!s->line_end) {
		if (!conn->endpoint && !line_may_come(s)) {
			reject_line(conn, s);
			return STEP_DONE;
		}
		conn->head_bytes += n;
		keep_line(conn, s);
		skip(s, n);
		return s->left ? STEP_READ_MESSAGE : STEP_DONE;
	}
	if (!find_line(conn, s))
		return STEP_PLACE_REQUEST;
	begin_head(conn, stream);
	return GO_ON;
}

/* A request's header section is complete, `consumed` bytes of it in this window. */
static __always_inline void end_request_head(struct conn *conn, struct stream *stream,
					     struct scratch *s, u32 consumed)
{
	/* If the call is exactly one request, an identical call may take the short way. */
	if (s->carried == CARRY && consumed == s->call_len && !stream->length && !stream->chunked)
		conn->call_len = consumed;
	begin_body(stream, false);
	begin_request(conn);
}
