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
#include "heads.h"
#include "http_head.h"
#include "lifecycle.h"
#include "maps.h"
#include "others.h"
#include "request_line.h"
#include "scratch.h"
#include "steps.h"
#include "stream.h"
#include "wait.h"

/* Nothing is known of the request that comes next. */
static __always_inline void forget_line(struct conn *conn, struct stream *stream)
{
	restart(stream);
	conn->call_len = 0;
	conn->line_len = 0;
	conn->head_bytes = 0;
	conn->wait_ns = 0;
	conn->kept_of = 0;
}

/* What follows is no request, until a response comes. */
static __always_inline void begin_bad(struct conn *conn, struct stream *stream)
{
	forget_line(conn, stream);
	stream->phase = PHASE_BAD;
}

/* Whether bytes are not read as requests: they are none, or no server reads them any more. */
static __always_inline bool is_ignored(struct conn *conn, struct stream *stream)
{
	return stream->phase >= PHASE_BAD ||
	       (conn->refused && stream->phase == PHASE_START && !stream->left);
}

/* Bytes came that are no request: a response that comes now is one to them. */
static __always_inline void take_bad(struct conn *conn)
{
	conn->bad |= !conn->refused;
}

/* What follows a PROXY header is no HTTP/1: note what it is. */
static __always_inline void note_behind_proxy(struct conn *conn, struct scratch *s)
{
	if (!conn->proxied)
		return;
	if (WORD(&s->data[CARRY]) == CHARS('P', 'R', 'I', ' ', '*', ' ', 'H', 'T'))
		note_other_protocol(s->tgid, OTHER_HTTP2);
	else if (s->data[CARRY] == TLS_HANDSHAKE)
		note_tls(s->tgid, s->buf, s->piece);
}

/*
 * The bytes are no request. If the connection never had one, stop tracking it. If it is not known
 * where messages begin, expect the next call to begin one.
 */
static __always_inline void reject_request(struct conn *conn, struct stream *stream,
					   struct scratch *s)
{
	u32 bytes = s->call_len + conn->head_bytes;

	if (!conn->endpoint && !conn->pending && !conn->lost) {
		note_behind_proxy(conn, s);
		drop_conn(s->sk, conn->share); /* no HTTP was ever seen on it */
		note_other(s->sk, s->inbound, bytes, s->data[CARRY]);
		return;
	}
	COUNT_LOSS(parse_errors);
	if (conn->adrift) {
		forget_line(conn, stream);
		return;
	}
	begin_bad(conn, stream);
	take_bad(conn);
}

/* Step over line ends at the beginning of data[CARRY..have): RFC 9112, 2.2, has servers ignore them. */
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

/* A request begins with the next byte, if any does. */
static __always_inline void open_request(struct conn *conn, struct scratch *s)
{
	struct stream *stream = &conn->streams[REQUESTS];

	conn->head_ns = s->now;
	if (!conn->pending)
		conn->wait_ns = wait_of(s);
	conn->call_len = 0;
	conn->head_bytes = 0;
	conn->hosts = 0;
	stream->length = 0;
	stream->chunked = 0;
	stream->fields = 0;
}

/* Whether a request may begin at data[CARRY]. */
static __always_inline bool expect_request(struct conn *conn, struct stream *stream,
					   struct scratch *s)
{
	if (!begins_token(s->data[CARRY])) {
		reject_request(conn, stream, s);
		return false;
	}
	open_request(conn, s);
	return true;
}

/*
 * The request line is complete, and its endpoint is in the connection: return the next step, or GO_ON
 * with the fields behind it.
 */
static __always_inline u32 begin_head(struct conn *conn, struct stream *stream, struct scratch *s)
{
	stream->phase = PHASE_HEAD;
	if (!may_keep(conn, s))
		return GO_ON;
	s->scanned = 1;
	return STEP_KEEP_HEAD;
}

/* Read a request line; return the next step, or GO_ON with the fields behind it. */
static __always_inline u32 take_request_line(struct conn *conn, struct stream *stream,
					     struct scratch *s)
{
	u32 n = s->have - s->carried;

	if (!s->line_end) {
		if (!line_may_come(s)) {
			reject_request(conn, stream, s);
			return STEP_DONE;
		}
		conn->head_bytes += n;
		keep_line(conn, s);
		skip(s, n);
		return s->left ? STEP_READ_MESSAGE : STEP_DONE;
	}
	if (is_excluded(conn) || !find_line(conn, s))
		return STEP_PLACE_REQUEST;
	return begin_head(conn, stream, s);
}

/* Whether a header section says where its body ends in a way that every server refuses. */
static __always_inline bool is_badly_framed(struct stream *stream)
{
	if (stream->fields & HAS_CODING)
		return !stream->chunked;
	return stream->fields & (BAD_LENGTH | EMPTY_LENGTH);
}

/* A request's header section is complete, `consumed` bytes of it in this window. */
static __always_inline void end_request_head(struct conn *conn, struct stream *stream,
					     struct scratch *s, u32 consumed)
{
	bool bad = is_badly_framed(stream);

	/* If the call is exactly one request, an identical call may take the short way. */
	if (s->carried == CARRY && consumed == s->call_len && !stream->length && !stream->chunked &&
	    !bad)
		conn->call_len = consumed;
	begin_body(stream, bad);
	begin_request(conn);
	if (bad)
		begin_bad(conn, stream);
}

/* Whether a PROXY header of version 2 has begun, with more than what may be empty lines. */
static __always_inline bool in_proxy_header(struct conn *conn)
{
	return conn->streams[REQUESTS].phase == PHASE_PROXY && conn->line_len > SIGNATURE_LINE_ENDS;
}

/*
 * A response begins, and no request is pending. If it comes before the header section of a request is
 * complete, or to bytes that are no request, a request begins all the same.
 */
static __always_inline void answer_early(struct conn *conn, struct scratch *s)
{
	struct stream *stream = &conn->streams[REQUESTS];
	bool in_head = stream->phase == PHASE_HEAD;

	if (is_excluded(conn))
		return;
	if (!in_head) {
		if (!conn->bad && stream->phase != PHASE_LINE && !in_proxy_header(conn))
			return;
		forget_line(conn, stream);
		conn->bad = 0;
		find_bad_request(conn, s);
	}
	begin_request(conn);
	if (in_head) {
		restart(stream);
		/* What is left of its header section is no request. */
		conn->adrift = 1;
	}
}
