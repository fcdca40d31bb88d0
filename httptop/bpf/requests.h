/*
 * Requests: heads that may be cut anywhere, pipelined, repeated. parse_request looks at a window and
 * keeps its place in the connection; place_request makes out the endpoint of a line not just had.
 */
#pragma once

/* Whether two pieces of at most LINE_LEN bytes are the same. */
static __always_inline bool same_bytes(u8 *a, u8 *b, u32 length)
{
	u64 difference = 0;

#pragma clang loop unroll(disable)
	for (u32 turn = 0; turn < LINE_LEN / 8; turn++) {
		u64 mask = ~0ULL, at = turn * 8;

		OPAQUE(at); /* or the compiler leaves out the bound that the verifier needs */
		if (at >= LINE_LEN || at >= length)
			break;
		if (length - at < 8)
			mask = (1ULL << ((length - at) * 8)) - 1;
		difference |= (WORD(a + at) ^ WORD(b + at)) & mask;
	}
	return !difference;
}

static __always_inline bool same_line(struct conn *conn, struct scratch *s, u32 length)
{
	return conn->line_len == length && length <= LINE_LEN &&
	       same_bytes(conn->line, &s->data[CARRY], length);
}

/* Keep an incomplete request line, data[CARRY..have), for the next window. */
static __always_inline void keep_line(struct conn *conn, struct scratch *s)
{
	u32 length = s->have - CARRY, end = s->have;

	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	if (length > LINE_LEN) {
		copy_words(&conn->line[LINE_HEAD], &s->data[inside(end - 16)], 2);
		length = LINE_LEN + 1;
	}
	conn->line_len = length;
	conn->phase = PHASE_LINE;
}

/* Keep the incomplete header line data[newline + 1..have). */
static __always_inline void keep_partial(struct conn *conn, struct scratch *s)
{
	u32 length = s->have - s->newline - 1;

	copy_words(conn->partial, &s->data[inside(s->newline + 1)], PARTIAL_LEN / 8);
	conn->partial_len = length < PARTIAL_LEN ? length : PARTIAL_LEN;
	/* A longer line that is not Content-Length in its first bytes never will be. */
	if (length > PARTIAL_LEN)
		conn->partial[0] = 'x';
}

/* What the headers seen so far say of the body. */
static __always_inline void note_framing(struct conn *conn, struct scratch *s)
{
	if (s->coding_at && s->coding_at <= s->newline) {
		conn->body_left = BODY_OPEN;
		conn->chunked_request = 1;
	} else if (s->length_at && s->length_at <= s->newline && conn->body_left != BODY_OPEN)
		conn->body_left = content_length(s);
#ifdef FILTER_HOST
	if (s->host_at && s->host_at <= s->newline)
		conn->hosts = hosts_of(s);
#endif
}

static __always_inline void lost_track(struct conn *conn)
{
	conn->phase = PHASE_IDLE;
	conn->call_len = 0;
	conn->line_len = 0;
	conn->head_bytes = 0;
	conn->wait_ns = 0;
	COUNT_LOSS(parse_errors);
}

/* The request line is complete: find out its endpoint. False: it is no request line. */
static __always_inline bool place(struct scratch *s)
{
	u32 target, end;

	target = request_line(s);
	if (!target)
		return false;
	s->limit = s->cut ? CARRY + LINE_HEAD : s->line_end;
	end = template_of(s, target);
	/* Nothing but the version may follow the first space. */
	if (s->stop && BYTE(s, end) == ' ' && end != s->version_at)
		return false;
	s->key.side = s->side;
	s->key.method = s->method;
	s->key.minor = s->minor;
	s->key.unused = 0;
	return true;
}

static __always_inline void mark_user(u32 endpoint, u32 tgid)
{
	struct user_key user = {.endpoint = endpoint, .tgid = tgid};
	struct control *control = control_here();
	u64 one = 1;

	if (control && control->users && !users.lookup(&user))
		users.update(&user, &one);
}

/* The head is over: what comes next is the body, or another request. */
static __always_inline void body_begins(struct conn *conn)
{
	if (conn->chunked_request) {
		conn->body_left = 0;
		conn->partial_len = 0;
		conn->phase = PHASE_CHUNKS;
	} else {
		conn->phase = conn->body_left ? PHASE_BODY : PHASE_IDLE;
	}
}

/* The rest of a call that is within a chunked body, from a chunk's line or a trailer on. */
static __always_inline void chunk_scanned(struct conn *conn, struct scratch *s)
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
		conn->partial[0] = s->data[CARRY]; /* the length stands first, however long it is */
	} else {
		consumed = s->line_end - s->carried;
		conn->partial_len = 0;
		conn->body_left = hexadecimal(s->data[CARRY]) ? chunk_length(s) : BODY_OPEN;
		conn->phase = conn->body_left ? PHASE_BODY : PHASE_TRAILERS;
	}
	request_body(conn, consumed);
	skip(s, consumed);
	if (conn->phase == PHASE_BODY) {
		n = conn->body_left < s->piece ? conn->body_left : s->piece;
		came_of_body(conn, n);
		skip(s, n);
	}
}

/* The request line is placed: see what the rest of the head says, and whether it is complete. */
static __always_inline void head_scanned(struct conn *conn, struct scratch *s)
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
	/* One call, one request, nothing else: the next one like it takes the short way. */
	conn->call_len =
		s->carried == CARRY && consumed == s->call_len && !conn->body_left ? consumed : 0;
	begin(conn, s->sk);
	body_begins(conn);
	skip(s, consumed);
}

/*
 * The kernel allows a call 33 tail calls, and there is more: of a huge head we need only know
 * whether the call ends it; of requests in a pipeline some are lost.
 */
static __always_inline void not_looked_at(struct scratch *s)
{
	struct conn *conn = conns.lookup(&s->sk);
	u32 last = 0;

	if (!conn)
		return;
	if (conn->chunked_request && conn->phase != PHASE_IDLE && conn->phase != PHASE_HEAD) {
		/* The body ends when the answer begins, as far as we can tell now. */
		conn->phase = PHASE_BODY;
		conn->body_left = BODY_OPEN;
		request_body(conn, s->left);
		return;
	}
	if (conn->phase != PHASE_HEAD) {
		lost_track(conn);
		return;
	}
	conn->head_bytes += s->left;
	conn->partial_len = PARTIAL_LEN;
	conn->partial[0] = 'x';
	if (s->piece != s->left || s->left < 4 ||
	    read_user(&last, sizeof(last), (void *)(s->buf + s->left - 4)))
		return;
	if (last == ('\r' | '\n' << 8 | '\r' << 16 | '\n' << 24)) {
		conn->partial_len = 0;
		begin(conn, s->sk);
		body_begins(conn);
	}
}

int parse_request(u64 *ctx)
{
	struct scratch *s = scratch_here();
	struct conn *conn = 0;
	u32 n, length;
	bool in_head, idle;

	if (!s || !next_piece(s))
		return 0;
	if (!s->fresh) {
		conn = conns.lookup(&s->sk);
		if (!conn)
			return 0;
		s->side = conn->side;
	}
	if (conn && conn->phase == PHASE_BODY) {
		n = conn->body_left < s->piece ? conn->body_left : s->piece;
		came_of_body(conn, n);
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
	n = fill(s);
	if (!n)
		return 0;
	idle = !conn || conn->phase == PHASE_IDLE;
	if (idle && (s->data[CARRY] == '\r' || s->data[CARRY] == '\n')) {
		skip(s, 1); /* RFC 9112, 2.2: empty lines before a request line */
		goto again;
	}
	if (conn && idle) {
		u32 byte = s->data[CARRY];
		struct byte_class *class = classes.lookup(&byte);

		if (!class || !(class->bits & C_TOKEN)) {
			lost_track(conn); /* no method begins so */
			return 0;
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
		chunk_scanned(conn, s);
		goto again;
	}
	if (!s->line_end) {
		if (!conn) {
			/* A whole window without an end, or bytes that no method begins with. */
			if (n >= 8 ? method_of(WORD(&s->data[CARRY]), &length) < 0
				   : !method_may_come(WORD(&s->data[CARRY]), n))
				return 0;
			conn = new_conn(s);
			if (!conn)
				return 0;
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
		next_program.call(ctx, NEXT_PLACE);
		return 0;
	}
	if (conn->phase == PHASE_IDLE)
		copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	head_scanned(conn, s);
again:
	if (s->left) {
		next_program.call(ctx, NEXT_REQUEST);
		not_looked_at(s);
	}
	return 0;
}

/* A request line that its connection has not just had: make out its endpoint. */
int place_request(u64 *ctx)
{
	struct scratch *s = scratch_here();
	struct conn *conn;
	u32 length;

	if (!s)
		return 0;
	if (!place(s)) {
		if (!s->fresh) {
			conn = conns.lookup(&s->sk);
			if (conn)
				lost_track(conn);
		}
		return 0;
	}
	conn = s->fresh ? new_conn(s) : conns.lookup(&s->sk);
	if (!conn) {
		if (s->head_end)
			untracked(s);
		return 0;
	}
	if (!conn->head_ns)
		conn->wait_ns = wait_of(s);
	if (!conn->head_ns || s->carried == CARRY)
		conn->head_ns = s->now;
	copy_words((u8 *)s->key.comm, (u8 *)conn->comm, COMM_LEN / 8);
	conn->endpoint = endpoint_of(s);
	conn->method = s->method;
	mark_user(conn->endpoint, s->tgid);
	length = s->line_end - CARRY;
	conn->line_len = s->cut || length > LINE_LEN ? LINE_LEN + 1 : length;
	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	head_scanned(conn, s);
	if (s->left) {
		next_program.call(ctx, NEXT_REQUEST);
		not_looked_at(s);
	}
	return 0;
}
