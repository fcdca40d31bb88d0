/* SPDX-License-Identifier: MIT */
/*
 * What responses are beyond their framing (message.h): which request they answer, whether they have a
 * body, and what their calls look like. Called by read_message(), with a window in data[], and by
 * on_bytes().
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
#include "requests.h"
#include "samples.h"
#include "scratch.h"
#include "steps.h"
#include "stream.h"

/*
 * The position within the stream of responses is lost: what follows may be the rest of the last
 * response, or a new one.
 */
static __always_inline void lose_response_framing(struct conn *conn)
{
	restart(&conn->streams[RESPONSES]);
	conn->framed = 0;
	conn->kind.whole = 0;
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
		take_sample(conn, s->sk, conn->first, latency_ns, status,
			    s->carried == CARRY ? s->buf : 0, /* else its first bytes are gone */
			    s->piece);
	conn->tunnel = status == 101 ||
		       (conn->current_method == METHOD_CONNECT && status / 100 == 2);
	conn->bodyless = conn->current_method == METHOD_HEAD || status == 204 || status == 304 ||
			 conn->tunnel;
	conn->streams[RESPONSES].phase = PHASE_HEAD;
	conn->minor = s->data[CARRY + 7] - '0';
	conn->code = status;
	conn->answered++;
	s->began++;
	end_open_body(conn);
	advance_pipeline(conn);
}

#define ALIKE_LEN 480 /* most bytes of a call that are compared */

/*
 * A response that the call begins with has its whole header section in the window: note what calls
 * with such a response are known by (struct response_kind).
 */
static __always_inline void note_length(struct conn *conn, struct stream *stream, struct scratch *s,
					u32 consumed)
{
	u64 word, end;

	if (s->left + consumed != s->call_len || s->carried != CARRY || !s->length_at ||
	    stream->chunked || stream->length == BODY_OPEN || conn->tunnel ||
	    s->length_at - CARRY > ALIKE_LEN - 8)
		return;
	word = WORD_AT(s, s->length_at);
	end = word ^ (EACH * '\r');
	if (!((end - EACH) & ~end & (EACH << 7)))
		return; /* the number is too long to fit in the word */
	conn->kind.length_word = word;
	conn->kind.length_at = s->length_at - CARRY;
	s->alike = 1;
}

/*
 * A response, or something else, comes while no request is pending. A server may send a response
 * before it closes an idle connection. Or one thread read the response before another thread's call
 * that sent the request returned: then the request is seen next. If a further request is seen
 * before a response, the outcomes of both are unknown (owed). Only where requests may have been
 * missed it is an orphan.
 */
static __always_inline void take_unsolicited(struct conn *conn, struct scratch *s)
{
	end_response(conn);
	if (s->status && conn->adrift)
		COUNT_LOSS(orphan_responses);
	conn->owed = s->status != 0;
	conn->kind.cell = 0;
	conn->kind.endpoint = 0;
	lose_response_framing(conn);
}

/* Whether line ends may be empty lines before a message: they are no part of the last response. */
static __always_inline bool expects_message(struct conn *conn, struct scratch *s)
{
	return !s->response || conn->framed || conn->pending;
}

/* Whether a response comes next: to a request that is pending, or to bytes that are none. */
static __always_inline bool awaits_response(struct conn *conn)
{
	u8 phase = conn->streams[REQUESTS].phase;

	return conn->pending || conn->bad || phase == PHASE_LINE || phase == PHASE_HEAD ||
	       in_proxy_header(conn);
}

/*
 * Bytes that are not a response come where one should begin: count them as part of the last
 * response. False: they may be the start of a response, and are kept for the next window.
 */
static __always_inline bool take_stray(struct conn *conn, struct stream *stream, struct scratch *s)
{
	if (may_be_response(WORD(&s->data[CARRY]), s->have - CARRY)) {
		keep_partial(conn, stream, s, CARRY);
		return false;
	}
	/*
	 * The rest of a response that took the short way; the expected response may begin after it.
	 */
	lose_response_framing(conn);
	conn->blurred = conn->pending != 0;
	if (conn->pending > 1)
		lose_sync(conn);
	/* With a request pending the kind may be the one that its response is expected to be of. */
	if (conn->blurred || !conn->response_ns) {
		conn->kind.cell = 0;
		conn->kind.endpoint = 0;
	}
	count_response_body(conn, s->left, s->now);
	return true;
}

/* The whole call has been parsed: record its shape. */
static __always_inline void end_response_call(struct conn *conn, struct scratch *s)
{
	struct stream *stream = &conn->streams[RESPONSES];

	conn->framed = 1;
	conn->kind.whole = s->began == 1 && !under_way(stream) && !conn->tunnel;
	if (s->began) {
		conn->kind.call_len = s->alike && s->began == 1 && !stream->phase ? s->call_len : 0;
		conn->kind.left = stream->left;
		conn->kind.closing = conn->closing;
		remember_kind(conn);
	}
	if (stream->left == BODY_OPEN && !conn->pending) {
		/*
		 * The body ends with the connection or, with careless servers, when the next
		 * request comes.
		 */
		stream->left = 0;
		conn->framed = 0;
	}
}

/* Read a status line; return the next step, or GO_ON with the fields behind it. */
static __always_inline u32 take_status_line(struct conn *conn, struct stream *stream,
					    struct scratch *s)
{
	s->status = status_of(WORD(&s->data[CARRY]), WORD(&s->data[CARRY + 8]), s->have - CARRY);
	if (!conn->pending && (s->status >= 200 || s->status == 101))
		answer_early(conn, s);
	if (!conn->pending && (s->status || !awaits_response(conn))) {
		if (conn->framed || s->status)
			take_unsolicited(conn, s);
		else
			count_response_body(conn, s->left,
					    s->now); /* the rest of the last response */
		return STEP_DONE;
	}
	if (!s->status) {
		if (take_stray(conn, stream, s))
			return STEP_DONE;
		skip(s, s->have - s->carried);
		if (s->left)
			return STEP_READ_MESSAGE;
		end_response_call(conn, s);
		return STEP_DONE;
	}
	stream->partial_len = 0;
	stream->length = BODY_OPEN;
	stream->chunked = 0;
	stream->fields = 0;
	stream->phase = PHASE_INTERIM;
	if (s->status >= 200 || s->status == 101)
		take_final_response(conn, s);
	return GO_ON;
}

/*
 * Note whether the response closes the connection: it says so, or is of HTTP/1.0 and does not say that
 * it stays, or its body ends with it.
 */
static __always_inline void note_closing(struct conn *conn, struct stream *stream)
{
	conn->closing = (stream->fields & SAYS_CLOSE) ||
			(!conn->minor && !(stream->fields & SAYS_KEEP)) ||
			(!conn->bodyless && !stream->chunked && stream->length == BODY_OPEN);
	if (conn->tunnel)
		conn->closing = 0;
	conn->refused = conn->closing && conn->code == 400;
	if (conn->refused)
		conn->call_len = 0;
	if (conn->closing && conn->bodyless) {
		/* An error may have a body, even in answer to HEAD; nothing else follows. */
		conn->bodyless = 0;
		stream->chunked = 0;
		stream->length = BODY_OPEN;
	}
}

/* A response's header section is complete, `consumed` bytes of it in this window. */
static __always_inline void end_response_head(struct conn *conn, struct stream *stream,
					      struct scratch *s, u32 consumed)
{
	bool final = stream->phase == PHASE_HEAD;

	if (!stream->chunked && stream->fields & (HAS_CODING | BAD_LENGTH | EMPTY_LENGTH))
		stream->length = BODY_OPEN;
	if (final) {
		note_length(conn, stream, s, consumed);
		note_closing(conn, stream);
	}
	begin_body(stream, !final || conn->bodyless);
	if (conn->tunnel)
		conn->streams[REQUESTS].phase = PHASE_TUNNEL;
}

/* The step that samples a response that was just counted on the short way (dispatch.h). */
static __always_inline u32 sample_response(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);

	if (conn)
		take_sample(conn, s->sk, conn->first - 1, s->now - conn->start_ns,
			    conn->kind.status, s->buf, s->piece);
	return STEP_DONE;
}

/*
 * The call holds more than its steps got through: what is left counts as a part of the last
 * response or, where requests wait for theirs, the connection loses sync.
 */
static __always_inline void leave_rest(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);

	if (!conn)
		return;
	if (s->next == STEP_READ_MESSAGE && s->response && !conn->pending) {
		count_response_body(conn, s->left, s->now);
		lose_response_framing(conn);
	} else {
		lose_call(conn);
	}
}
