/* SPDX-License-Identifier: MIT */
/*
 * The parser of responses. Header sections give their framing, so the position within the stream of
 * responses is known from call to call:
 *
 *   START    the next byte begins a response
 *   HEAD     after a status line; INTERIM: likewise, of a 1xx response
 *   CHUNKS   the next byte belongs to the line of a chunk
 *   TRAILERS after the last chunk
 *
 * In each phase, response_left bytes of a body, or of a chunk, come first. All of this is kept in
 * the connection (response_phase, response_left, response_partial[], framed, shape).
 * parse_response() is a step (steps.h), with the call's bytes in the scratch, and follows itself
 * until no byte is left.
 *
 * A response of the same kind as the last may take the short way (dispatch.h), which reads little
 * more than its first bytes. If the last response was whole in its call, this one is assumed to be
 * so, too. Its end is then unknown (framed is 0) until a response is parsed again; bytes that come
 * in between are counted as its body. If the last response began with a call of only its header
 * section, and this call has the same length and the same Content-Length, its end is known.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "counters.h"
#include "cursor.h"
#include "http_head.h"
#include "lifecycle.h"
#include "maps.h"
#include "samples.h"
#include "scratch.h"
#include "steps.h"

/* Whether part of the last response is still to come. */
static __always_inline bool response_under_way(struct conn *conn)
{
	return conn->response_left || conn->response_phase || conn->response_partial_len;
}

/*
 * The position within the stream of responses is lost: what follows may be the rest of the last
 * response, or a new one.
 */
static __always_inline void lose_response_framing(struct conn *conn)
{
	conn->response_left = 0;
	conn->response_phase = RESPONSE_START;
	conn->response_partial_len = 0;
	conn->framed = 0;
	conn->shape = SHAPE_OTHER;
}

/* A header section is complete: its body follows, or another response. */
static __always_inline void end_response_head(struct conn *conn)
{
	u8 phase = conn->response_phase;

	conn->response_phase = RESPONSE_START;
	conn->response_partial_len = 0;
	if (conn->tunnel)
		conn->phase = PHASE_TUNNEL;
	if (phase != RESPONSE_HEAD || conn->bodyless)
		return;
	if (conn->chunked)
		conn->response_phase = RESPONSE_CHUNKS;
	else
		conn->response_left = conn->response_length;
}

/* Record what the fields in data[] say about the response's body. */
static __always_inline void note_response_framing(struct conn *conn, struct scratch *s)
{
	if (s->coding_at && s->coding_at <= s->newline && is_chunked(s))
		conn->chunked = 1;
	if (s->length_at && s->length_at <= s->newline)
		conn->response_length = content_length(s);
}

/* Keep the incomplete line data[from..have) of a response for the next window. */
static __always_inline void keep_response_line(struct conn *conn, struct scratch *s, u32 from)
{
	u32 length = s->have - from;

	copy_words(conn->response_partial, &s->data[inside(from)], PARTIAL_LEN / 8);
	conn->response_partial_len = length < PARTIAL_LEN ? length : PARTIAL_LEN;
	if (length > PARTIAL_LEN)
		conn->response_partial[0] = 'x';
}

/*
 * A final response begins at data[CARRY]: count it for the current request, sample it if selected,
 * and make the next request current.
 */
static __always_inline void take_final_response(struct conn *conn, struct scratch *s)
{
	u64 latency_ns = s->now - conn->start_ns;
	u32 status = s->status;

	begin_response(conn, status, latency_ns, s->carried - CARRY);
	if (claim_sample(conn, status, latency_ns, s->now))
		take_sample(conn, s->sk, latency_ns, status,
			    s->carried == CARRY ? s->buf : 0, /* else its first bytes are gone */
			    s->piece);
	conn->tunnel = status == 101 ||
		       (conn->current_method == METHOD_CONNECT && status / 100 == 2);
	conn->bodyless = conn->current_method == METHOD_HEAD || status == 204 || status == 304 ||
			 conn->tunnel;
	conn->response_phase = RESPONSE_HEAD;
	conn->answered++;
	s->began = 1;
	end_open_body(conn);
	advance_pipeline(conn);
}

/* The call is a header section and nothing else: record what frame_like_last() compares. */
static __always_inline void note_shape(struct conn *conn, struct scratch *s)
{
	u64 word, end;

	if (s->carried != CARRY || conn->response_phase != RESPONSE_HEAD || !s->length_at ||
	    conn->chunked)
		return;
	word = WORD_AT(s, s->length_at);
	end = word ^ (EACH * '\r');
	if (!((end - EACH) & ~end & (EACH << 7)))
		return; /* the number is too long to fit in the word */
	conn->length_word = word;
	conn->length_at = s->length_at - CARRY;
	conn->head_len = s->call_len;
	s->shape = SHAPE_HEAD;
}

/*
 * A response, or something else, comes while no request is pending. A server may send a response
 * before it closes an idle connection. Or one thread read the response before another thread's call
 * that sent the request returned: then the request is seen next. If a further request is seen
 * before a response, the outcomes of both are unknown (owed).
 */
static __always_inline void take_unsolicited(struct conn *conn, struct scratch *s)
{
	end_response(conn);
	if (s->status)
		COUNT_LOSS(orphan_responses);
	conn->owed = s->status != 0;
	conn->response = 0;
	conn->response_of = 0;
	lose_response_framing(conn);
}

/*
 * Bytes that are not a response come where one should begin: count them as part of the last
 * response. False: they may be the start of a response, and are kept for the next window.
 */
static __always_inline bool take_stray(struct conn *conn, struct scratch *s)
{
	u32 length = s->have - CARRY;
	u64 mask = length >= 7 ? MASK(7) : (1ULL << ((length & 7) * 8)) - 1;

	if (length < 13 &&
	    !((WORD(&s->data[CARRY]) ^ CHARS('H', 'T', 'T', 'P', '/', '1', '.', 0)) & mask)) {
		keep_response_line(conn, s, CARRY);
		return false;
	}
	/*
	 * The rest of a response that took the short way; the expected response may begin after it.
	 */
	lose_response_framing(conn);
	conn->blurred = 1;
	if (conn->pending > 1)
		lose_sync(conn);
	count_response_body(conn, s->left, s->now);
	return true;
}

/* Count the part of the body, or of a chunk, that is in the current iovec. */
static __always_inline void take_response_body(struct conn *conn, struct scratch *s)
{
	u32 n = conn->response_left < s->piece ? conn->response_left : s->piece;

	if (conn->response_left != BODY_OPEN)
		conn->response_left -= n;
	count_response_body(conn, n, s->now);
	skip(s, n);
}

/* Parse the line of a chunk, from data[CARRY..have). */
static __always_inline void take_response_chunk_line(struct conn *conn, struct scratch *s)
{
	u32 consumed = s->have - s->carried;

	if (!s->line_end) {
		keep_response_line(conn, s, CARRY);
	} else {
		conn->response_partial_len = 0;
		consumed = s->line_end - s->carried;
		conn->response_left = chunk_length(s);
		if (!conn->response_left)
			conn->response_phase = RESPONSE_TRAILERS;
	}
	count_response_body(conn, consumed, s->now);
	skip(s, consumed);
}

/* The whole call has been parsed: record its shape. */
static __always_inline void end_response_call(struct conn *conn, struct scratch *s)
{
	conn->framed = 1;
	conn->shape = s->shape;
	if (s->began && !response_under_way(conn))
		conn->shape = SHAPE_WHOLE;
	if (conn->response_left == BODY_OPEN && !conn->pending) {
		/*
		 * The body ends with the connection or, with careless servers, when the next
		 * request comes.
		 */
		conn->response_left = 0;
		conn->framed = 0;
	}
}

/* The step that parses a window of a call. */
static __always_inline u32 parse_response(struct scratch *s)
{
	struct conn *conn;
	u32 n, phase, consumed;

	conn = conns.lookup(&s->sk);
	if (!conn || conn->phase == PHASE_TUNNEL)
		return STEP_DONE;
	if (!next_piece(s)) {
		if (s->left)
			lose_call(conn);
		return STEP_DONE;
	}
	if (conn->response_left) {
		take_response_body(conn, s);
		goto again;
	}

	phase = conn->response_phase;
	start_scan(s, phase == RESPONSE_HEAD || phase == RESPONSE_INTERIM ||
			      phase == RESPONSE_TRAILERS);
	s->data[CARRY] = '\n';
	s->have = CARRY + (s->line_end ? 1 : 0);
	copy_words(&s->data[inside(s->have)], conn->response_partial, PARTIAL_LEN / 8);
	s->have += conn->response_partial_len;
	s->carried = s->have;
	if (!fill(s, phase == RESPONSE_CHUNKS)) {
		lose_call(conn);
		return STEP_DONE;
	}
	s->status = 0;
	if (phase == RESPONSE_START)
		s->status = status_of(WORD(&s->data[CARRY]), WORD(&s->data[CARRY + 8]),
				      s->have - CARRY);
	scan_head(s);
	n = s->have - s->carried;

	if (conn->response_phase == RESPONSE_CHUNKS) {
		take_response_chunk_line(conn, s);
		goto body;
	}
	if (conn->response_phase == RESPONSE_START) {
		if (!conn->pending && conn->phase == PHASE_HEAD && s->status) {
			begin_request(conn); /* answered before its header section was complete */
			conn->phase = PHASE_IDLE;
		}
		if (!conn->pending) {
			if (conn->framed || s->status)
				take_unsolicited(conn, s);
			else
				count_response_body(conn, s->left,
						    s->now); /* the rest of the last response */
			return STEP_DONE;
		}
		if (!s->status) {
			if (take_stray(conn, s))
				return STEP_DONE;
			skip(s, n);
			goto again;
		}
		conn->response_partial_len = 0;
		conn->response_length = BODY_OPEN;
		conn->chunked = 0;
		conn->response_phase = RESPONSE_INTERIM;
		if (s->status >= 200 || s->status == 101)
			take_final_response(conn, s);
	}
	if (conn->response_phase != RESPONSE_TRAILERS)
		note_response_framing(conn, s);
	consumed = s->head_end ? s->head_end - s->carried : n;
	if (conn->response_phase != RESPONSE_INTERIM)
		count_response_body(conn, consumed, s->now);
	if (s->head_end) {
		if (consumed == s->call_len)
			note_shape(conn, s);
		end_response_head(conn);
	} else {
		keep_response_line(conn, s, s->newline + 1);
	}
	skip(s, consumed);
body:
	if (conn->response_left)
		take_response_body(conn, s);
again:
	if (s->left)
		return STEP_PARSE_RESPONSE;
	end_response_call(conn, s);
	return STEP_DONE;
}

/* The step that samples a response that was just counted on the short way (dispatch.h). */
static __always_inline u32 sample_response(struct scratch *s)
{
	struct conn *conn = conns.lookup(&s->sk);

	if (conn)
		take_sample(conn, s->sk, s->now - conn->start_ns, conn->status, s->buf, s->piece);
	return STEP_DONE;
}

/*
 * The call holds more than its steps got through: what is left counts as a part of the last
 * response or, where requests wait for theirs, the connection loses sync.
 */
static __always_inline void leave_rest(struct scratch *s)
{
	struct conn *conn = conns.lookup(&s->sk);

	if (!conn)
		return;
	if (s->next == STEP_PARSE_RESPONSE && !conn->pending) {
		count_response_body(conn, s->left, s->now);
		lose_response_framing(conn);
	} else {
		lose_call(conn);
	}
}
