/*
 * The life of a request on its connection: begun, answered, abandoned.
 *
 * begin:   the head is complete. It is counted under its endpoint and waits for its answer.
 * answer:  the first byte of a final answer. Counted under (endpoint, status), measured, sampled.
 * abandon: the connection ended first. Counted as unanswered.
 */
#pragma once

static __always_inline void begin(struct conn *conn, u64 sk)
{
	struct cell *cell = cell_of(conn->endpoint);

	if (cell) {
		ADD(cell->count, 1);
		ADD(cell->bytes, conn->head_bytes);
	}
	if (!conn->pending) {
		conn->start_ns = conn->head_ns;
		conn->request_bytes = conn->head_bytes;
		conn->current = conn->endpoint;
		conn->current_method = conn->method;
		conn->pending = 1;
	} else {
		struct queue_key key = {.sk = sk, .number = conn->first + conn->pending};
		struct queued queued = {.start_ns = conn->head_ns,
					.bytes = conn->head_bytes,
					.endpoint = conn->endpoint,
					.method = conn->method};

		queue.update(&key, &queued);
		conn->pending++;
	}
	conn->head_bytes = 0;
}

/* The current request is over: go on to the next one in the pipeline. */
static __always_inline void advance(struct conn *conn, u64 sk)
{
	struct queue_key key;
	struct queued *next;

	conn->first++;
	conn->pending--;
	if (!conn->pending)
		return;
	key.sk = sk;
	key.number = conn->first;
	next = queue.lookup(&key);
	if (!next) { /* the queue had been full */
		COUNT_LOSS(parse_errors);
		return;
	}
	conn->start_ns = next->start_ns;
	conn->request_bytes = next->bytes;
	conn->current = next->endpoint;
	conn->current_method = next->method;
	queue.delete(&key);
}

static __always_inline void request_body(struct conn *conn, u64 bytes)
{
	struct cell *cell = cell_of(conn->endpoint);

	if (cell)
		ADD(cell->bytes, bytes);
	if (conn->pending == 1)
		conn->request_bytes += bytes;
}

static __always_inline void answer_body(struct conn *conn, u64 bytes)
{
	struct cell *cell;

	if (!conn->answer)
		return;
	cell = cell_of(conn->answer);
	if (cell)
		ADD(cell->bytes, bytes);
}

/* `at` and `bytes`: where in user memory the answer's first bytes are. */
static __always_inline void answered(struct conn *conn, u64 sk, u32 status, u64 now, u64 at,
				     u64 bytes)
{
	u64 latency_ns = now - conn->start_ns;
	struct cell *cell;
	u32 kind = status;

#ifdef MIN_LATENCY_NS
	if (latency_ns < MIN_LATENCY_NS)
		kind = STATUS_BELOW_MIN_LATENCY;
#endif
	if (conn->status != kind || conn->answer_of != conn->current) {
		conn->answer = answer_of(conn->current, kind);
		conn->answer_of = conn->current;
		conn->status = kind;
		if (!conn->answer) { /* no cell left: it moves to the overflow row */
			cell = cell_of(conn->current);
			if (cell)
				ADD(cell->moved, 1);
			cell = cell_of(OVERFLOW_ENDPOINT(conn->side & 1));
			if (cell)
				ADD(cell->count, 1);
			conn->answer = OVERFLOW_ANSWER(conn->side & 1);
			conn->status = 0; /* look again the next time */
		}
	}
	cell = cell_of(conn->answer);
	if (cell) {
		ADD(cell->count, 1);
		ADD(cell->bytes, bytes);
		measure(cell, latency_ns);
	}
	if (kind == status && sample_wanted(now, status >= 400 || latency_ns >= SLOW_NS))
		take_sample(conn, sk, latency_ns, status, at, bytes);
	if (status == 101 || (conn->current_method == METHOD_CONNECT && status / 100 == 2))
		conn->phase = PHASE_TUNNEL;
	else if (conn->phase == PHASE_BODY && conn->body_left == BODY_OPEN)
		conn->phase = PHASE_IDLE;
	advance(conn, sk);
}

/* Every pending request stays without an answer. */
static __always_inline void abandon(struct conn *conn, u64 sk)
{
	struct cell *cell;

	if (!conn->pending)
		return;
	cell = cell_of(conn->current);
	if (cell)
		ADD_ANYWHERE(cell->unanswered, 1);
#pragma clang loop unroll(disable)
	for (u32 i = 1; i < MAX_PIPELINE; i++) {
		struct queue_key key = {.sk = sk, .number = conn->first + i};
		struct queued *next;

		if (i >= conn->pending)
			break;
		next = queue.lookup(&key);
		if (!next)
			continue;
		cell = cell_of(next->endpoint);
		if (cell)
			ADD_ANYWHERE(cell->unanswered, 1);
		queue.delete(&key);
	}
}
