/*
 * Answers that need more than a look at their first bytes. With one request pending all that follows
 * the status line is that answer's; in a pipeline the end of each has to be found.
 */
#pragma once

/* The current answer's head is over: what comes next is its body, or another answer. */
static __always_inline void answer_head_over(struct conn *conn)
{
	bool interim = conn->answer_phase == ANSWER_INTERIM;

	conn->answer_phase = ANSWER_START;
	conn->answer_partial_len = 0;
	if (interim || conn->bodyless)
		return;
	if (conn->chunked)
		conn->answer_phase = ANSWER_CHUNKS;
	else if (conn->answer_length != BODY_OPEN)
		conn->answer_left = conn->answer_length;
	else
		conn->answer_left = BODY_OPEN; /* it ends with the connection: no other follows */
}

/* What the header lines in data[] say of the answer's body. */
static __always_inline void note_answer_framing(struct conn *conn, struct scratch *s)
{
	if (s->coding_at && s->coding_at <= s->newline)
		conn->chunked = 1;
	if (s->length_at && s->length_at <= s->newline)
		conn->answer_length = content_length(s);
}

/* Keep the incomplete line data[from..have) of an answer. */
static __always_inline void keep_answer_line(struct conn *conn, struct scratch *s, u32 from)
{
	u32 length = s->have - from;

	copy_words(conn->answer_partial, &s->data[inside(from)], PARTIAL_LEN / 8);
	conn->answer_partial_len = length < PARTIAL_LEN ? length : PARTIAL_LEN;
	if (length > PARTIAL_LEN)
		conn->answer_partial[0] = 'x';
}

/* A final answer begins at data[CARRY]: count it under the current request, and go on to the next. */
static __always_inline void final_answer(struct conn *conn, struct scratch *s, u32 bytes)
{
	u64 latency_ns = s->now - conn->start_ns;
	u32 status = s->status;

	answered(conn, status, latency_ns, bytes);
	if (worth_a_sample(conn, status, latency_ns, s->now))
		take_sample(conn, s->sk, latency_ns, status, s->buf, s->piece);
	after_answer(conn, status);
	conn->bodyless = conn->current_method == METHOD_HEAD || status == 204 || status == 304;
	advance(conn, s->sk);
}

/*
 * Answers that are not simply at the start of a call with one request pending: behind a 1xx, cut
 * in their first bytes, or pipelined, where the end of each has to be found.
 */
int parse_answer(u64 *ctx)
{
	struct scratch *s = scratch_here();
	struct conn *conn;
	u32 n, phase, consumed;

	if (!s || !next_piece(s))
		return 0;
	conn = conns.lookup(&s->sk);
	if (!conn || conn->phase == PHASE_TUNNEL)
		return 0;
	if (conn->answer_left) {
		n = conn->answer_left < s->piece ? conn->answer_left : s->piece;
		conn->answer_left -= n;
		answer_body(conn, n);
		skip(s, n);
		goto again;
	}
	if (!conn->pending) {
		if (conn->phase != PHASE_HEAD) {
			answer_body(conn, s->left);
			return 0;
		}
		begin(conn, s->sk); /* answered before its head was complete */
		conn->phase = PHASE_IDLE;
	}
	phase = conn->answer_phase;
	start_scan(s, phase == ANSWER_HEAD || phase == ANSWER_INTERIM);
	s->data[CARRY] = '\n';
	s->have = CARRY + (s->line_end ? 1 : 0);
	copy_words(&s->data[inside(s->have)], conn->answer_partial, PARTIAL_LEN / 8);
	s->have += conn->answer_partial_len;
	s->carried = s->have;
	if (!fill(s))
		return 0;
	s->only_answer = 0;
	if (phase == ANSWER_START) {
		s->status = status_of(WORD(&s->data[CARRY]), WORD(&s->data[CARRY + 8]),
				      s->have - CARRY);
		s->only_answer = s->status >= 200 && conn->pending == 1;
	}
	/* By way of memory: the verifier would walk the scan once for each range of these. */
	if (!s->only_answer)
		scan_head(s);
	n = s->have - s->carried;

	if (conn->answer_phase == ANSWER_CHUNKS) {
		if (!s->line_end) {
			keep_answer_line(conn, s, CARRY);
			consumed = n;
		} else {
			conn->answer_partial_len = 0;
			consumed = s->line_end - s->carried;
			conn->answer_left = chunk_length(s);
			if (!conn->answer_left) { /* trailers, up to an empty line */
				conn->answer_phase = ANSWER_HEAD;
				conn->chunked = 0;
				conn->answer_length = 0;
			}
		}
		answer_body(conn, consumed);
		skip(s, consumed);
		goto again;
	}
	if (conn->answer_phase == ANSWER_START) {
		if (!s->status) {
			u32 length = s->have - CARRY;
			u64 mask = length >= 7 ? MASK(7) : (1ULL << ((length & 7) * 8)) - 1;

			if (length < 13 && !((WORD(&s->data[CARRY]) ^
					      CHARS('H', 'T', 'T', 'P', '/', '1', '.', 0)) &
					     mask)) {
				keep_answer_line(conn, s, CARRY);
				skip(s, n);
				goto again;
			}
			conn->answer_partial_len = 0;
			if (conn->pending > 1)
				conn->blurred = 1;
			answer_body(conn, s->left);
			return 0;
		}
		conn->answer_partial_len = 0;
		if (s->only_answer) {
			/* All that is left of the call is of this answer. */
			final_answer(conn, s, s->left + s->carried - CARRY);
			return 0;
		}
		conn->answer_length = BODY_OPEN;
		conn->chunked = 0;
		conn->answer_phase = s->status < 200 && s->status != 101 ? ANSWER_INTERIM
									 : ANSWER_HEAD;
		if (conn->answer_phase == ANSWER_HEAD) {
			final_answer(conn, s, s->carried - CARRY);
			if (conn->phase == PHASE_TUNNEL)
				return 0;
		}
	}
	note_answer_framing(conn, s);
	consumed = s->head_end ? s->head_end - s->carried : n;
	if (conn->answer_phase == ANSWER_HEAD)
		answer_body(conn, consumed);
	if (s->head_end)
		answer_head_over(conn);
	else
		keep_answer_line(conn, s, s->newline + 1);
	skip(s, consumed);
again:
	if (s->left) {
		next_program.call(ctx, NEXT_ANSWER);
		/* More answers than a call may have tail calls: whose they are cannot be told. */
		conn->blurred = 1;
		abandon(conn, s->sk);
		conn->first += conn->pending;
		conn->pending = 0;
		conn->answer_phase = ANSWER_START;
		conn->answer_left = 0;
		answer_body(conn, s->left);
	}
	return 0;
}

/* Sample the answer that has just been counted on the short way. */
int sample_answer(u64 *ctx)
{
	struct scratch *s = scratch_here();
	struct conn *conn;

	if (!s)
		return 0;
	conn = conns.lookup(&s->sk);
	if (conn)
		take_sample(conn, s->sk, s->now - conn->start_ns, conn->status, s->buf, s->piece);
	return 0;
}
