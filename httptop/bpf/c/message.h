/* SPDX-License-Identifier: MIT */
/*
 * The reader of HTTP/1 messages: one for both directions. It knows their framing, so the position
 * within a stream of messages is known from call to call, wherever calls cut them:
 *
 *   START    the next byte begins a message
 *   LINE     within a request line
 *   HEAD     after the first line; INTERIM: likewise, of a 1xx response
 *   CHUNKS   the next byte belongs to the line of a chunk
 *   TRAILERS after the last chunk
 *
 * In each phase, `left` bytes of a body, or of a chunk, come first.
 *
 * read_message() is a step (steps.h), with the call's bytes in the scratch and s->response saying
 * which way they go. It reads a window of them, and follows itself until no byte is left; in between
 * is place_request(), where a request line is not known yet. What requests and responses are beyond
 * their framing stands in requests.h and responses.h.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "cursor.h"
#include "filter.h"
#include "http_head.h"
#include "lifecycle.h"
#include "maps.h"
#include "proxy_header.h"
#include "requests.h"
#include "responses.h"
#include "scratch.h"
#include "steps.h"
#include "stream.h"

/*
 * Fill data[CARRY..have) with what is kept of an unfinished line, and bytes of the call behind it.
 * False: they cannot be read.
 */
static __always_inline bool open_window(struct conn *conn, struct stream *stream, struct scratch *s)
{
	bool in_head = stream->phase == PHASE_HEAD || stream->phase == PHASE_INTERIM ||
		       stream->phase == PHASE_TRAILERS;

	start_scan(s, in_head);
	s->cut = 0;
	WORD(&s->data[0]) = 0;
	if (in_head)
		s->data[CARRY] = '\n';
	s->have = CARRY + in_head;
	if (stream->phase == PHASE_LINE) {
		s->cut = conn->line_len > LINE_LEN;
		copy_words(&s->data[CARRY], conn->line, LINE_LEN / 8);
		s->have = CARRY + (s->cut ? LINE_LEN : conn->line_len);
	} else if (stream->partial_len) {
		copy_words(&s->data[inside(s->have)], conn->partial[s->response & 1],
			   PARTIAL_LEN / 8);
		s->have += stream->partial_len;
	}
	s->carried = s->have;
	if (s->filled) /* only of a call that begins with a message */
		return refill(s);
	return fill(s, stream->phase == PHASE_CHUNKS) != 0;
}

/* Count bytes of the message, in this call. */
static __always_inline void count_part(struct conn *conn, struct scratch *s, u64 bytes)
{
	if (s->response)
		count_response_body(conn, bytes, s->now);
	else
		count_request_body(conn, bytes);
}

/* Step over the part of the body, or of a chunk, that is in the current iovec. */
static __always_inline void take_part(struct conn *conn, struct stream *stream, struct scratch *s)
{
	u32 n = stream->left < s->piece ? stream->left : s->piece;

	if (stream->left != BODY_OPEN)
		stream->left -= n;
	count_part(conn, s, n);
	skip(s, n);
}

/* Read the line of a chunk, from data[CARRY..have). */
static __always_inline void take_chunk_line(struct conn *conn, struct stream *stream,
					    struct scratch *s)
{
	u32 consumed = s->have - s->carried;

	if (s->line_end) {
		consumed = s->line_end - s->carried;
		stream->partial_len = 0;
		stream->left = chunk_size(s);
		if (!stream->left)
			stream->phase = PHASE_TRAILERS;
		else if (stream->left != BODY_OPEN)
			stream->left += 2; /* the line end behind it */
		else if (!s->response)
			begin_bad(conn, stream);
	} else {
		keep_partial(conn, stream, s, CARRY);
	}
	count_part(conn, s, consumed);
	skip(s, consumed);
}

/*
 * Return where a field's value is in the window: `at`, if its line is complete, or the beginning of
 * the window if that is a folded line of a field that is `open`. 0: nowhere.
 */
static __always_inline u32 value_at(struct scratch *s, u32 at, bool open)
{
	if (at && at <= s->newline)
		return at;
	return open && s->newline > CARRY && is_blank(s->data[CARRY + 1]) ? CARRY + 1 : 0;
}

/* Note Content-Length, whose value is at data[length_at..). */
static __always_inline void note_content_length(struct stream *stream, struct scratch *s)
{
	s->digits = s->folded && !(stream->fields & EMPTY_LENGTH);
	s->number = s->digits ? stream->length : 0;
	s->bad = 0;
	s->cursor = s->length_at;
	stream->length = read_length(s);
	stream->fields &= ~EMPTY_LENGTH;
	stream->fields |= HAS_LENGTH;
	if (s->value_end == s->newline)
		stream->fields |= LENGTH_OPEN;
	if (!s->digits && !s->bad)
		stream->fields |= EMPTY_LENGTH;
	else if (stream->length == BODY_OPEN)
		stream->fields |= BAD_LENGTH;
}

/* Note Transfer-Encoding, whose value is at data[coding_at..). */
static __always_inline void note_codings(struct stream *stream, struct scratch *s)
{
	bool chunked = read_codings(s, s->coding_at);

	if (s->digits || !s->folded)
		stream->chunked = chunked;
	stream->fields |= HAS_CODING;
	if (s->value_end == s->newline)
		stream->fields |= CODING_OPEN;
}

/* Note what the fields in data[] say about the message's body and, if a filter needs it, its host. */
static __always_inline void note_fields(struct conn *conn, struct stream *stream, struct scratch *s)
{
	u8 open = stream->fields & (LENGTH_OPEN | CODING_OPEN);

	s->folded = 0;
	if (s->newline > CARRY)
		stream->fields &= ~(LENGTH_OPEN | CODING_OPEN);
	if (open && s->newline > CARRY && is_blank(s->data[CARRY + 1])) {
		/* The window begins with a folded line of the field before it. */
		s->folded = 1;
		if (open & LENGTH_OPEN)
			s->length_at = CARRY + 1;
		else
			s->coding_at = CARRY + 1;
	}
	if (s->length_at && s->length_at <= s->newline)
		note_content_length(stream, s);
	if (s->coding_at && s->coding_at <= s->newline)
		note_codings(stream, s);
	if (!s->response)
		note_host(conn, s);
	else if (s->connection_at && s->connection_at <= s->newline)
		stream->fields |= connection_option(s);
}

/* Read what the window has of a header section or of trailers. */
static __always_inline void take_fields(struct conn *conn, struct stream *stream, struct scratch *s)
{
	u32 consumed = (s->head_end ? s->head_end : s->have) - s->carried;
	bool trailers = stream->phase == PHASE_TRAILERS;

	if (!trailers)
		note_fields(conn, stream, s);
	if (!s->response && !trailers)
		conn->head_bytes += consumed; /* counted once it is whole */
	else if (stream->phase != PHASE_INTERIM)
		count_part(conn, s, consumed);
	skip(s, consumed);
	if (!s->head_end) {
		keep_partial(conn, stream, s, s->newline + 1);
		return;
	}
	if (trailers)
		restart(stream);
	else if (s->response)
		end_response_head(conn, stream, s, consumed);
	else
		end_request_head(conn, stream, s, consumed);
}

/* The window has been read: go on behind it. */
static __always_inline u32 go_on(struct conn *conn, struct stream *stream, struct scratch *s)
{
	if (stream->left)
		take_part(conn, stream, s);
	if (s->left)
		return STEP_READ_MESSAGE;
	if (s->response)
		end_response_call(conn, s);
	return STEP_DONE;
}

/* The step that reads a window of a call. */
static __always_inline u32 read_message(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);
	struct stream *stream;
	u32 next;

	if (!conn || conn->streams[REQUESTS].phase == PHASE_TUNNEL)
		return STEP_DONE;
	stream = &conn->streams[s->response & 1];
	if (!s->response && is_ignored(conn, stream)) {
		if (stream->phase == PHASE_PROXY)
			return STEP_PROXY_HEADER;
		take_bad(conn);
		return STEP_DONE;
	}
	if (!s->scanned) {
		if (!next_piece(s)) {
			if (has_vector(s) && may_try_again(s))
				return STEP_READ_MESSAGE;
			if (s->left)
				lose_call(conn);
			return STEP_DONE;
		}
		if (stream->left)
			return go_on(conn, stream, s);
		if (!open_window(conn, stream, s)) {
			if (may_try_again(s))
				return STEP_READ_MESSAGE;
			lose_call(conn);
			return STEP_DONE;
		}
		if (stream->phase == PHASE_START && ends_line(s->data[CARRY]) &&
		    expects_message(conn, s)) {
			skip_empty_lines(s);
			return go_on(conn, stream, s);
		}
		if (stream->phase == PHASE_START && !s->response &&
		    !expect_request(conn, stream, s))
			return STEP_DONE;
		scan_head(s);
	}
	s->scanned = 0;
	if (stream->phase == PHASE_CHUNKS) {
		take_chunk_line(conn, stream, s);
		return go_on(conn, stream, s);
	}
	if (stream->phase == PHASE_START || stream->phase == PHASE_LINE) {
		next = s->response ? take_status_line(conn, stream, s)
				   : take_request_line(conn, stream, s);
		if (next != GO_ON)
			return next;
	}
	take_fields(conn, stream, s);
	return go_on(conn, stream, s);
}

/*
 * The step for a request line that is not known yet: find its endpoint. What the window has of its
 * fields is read then, by the same step where steps are few.
 */
static __always_inline u32 place_request(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);
	struct stream *stream;

	if (!conn)
		return STEP_DONE;
	stream = &conn->streams[REQUESTS];
	if (!parse_line(conn, s)) {
		if (may_be_proxy_line(conn, s))
			return STEP_PROXY_HEADER;
		reject_request(conn, stream, s);
		return STEP_DONE;
	}
	if (is_excluded(conn))
		return leave_out(conn, s);
	if (begin_head(conn, stream, s) == STEP_KEEP_HEAD)
		return STEP_KEEP_HEAD;
#ifdef LOOPS
	s->scanned = 1; /* read_message() goes on: the code is not there twice */
	return STEP_READ_MESSAGE;
#else
	take_fields(conn, stream, s);
	return go_on(conn, stream, s);
#endif
}
