/*
 * The life of a request on its connection: begun, answered, abandoned.
 *
 * begin:   the head is complete. It is counted under its endpoint and waits for its answer.
 * answer:  the first byte of a final answer. Counted under (endpoint, status), measured, sampled.
 * abandon: the connection ended first. Counted as unanswered.
 */
#pragma once

static __always_inline void count_request(struct conn *conn)
{
	struct cell *cell = cell_of(conn->endpoint);

	if (!cell)
		return;
	ADD(cell->count, 1);
	ADD(cell->bytes, conn->head_bytes);
}

/* Begin a request while none is pending. */
static __always_inline void begin_alone(struct conn *conn)
{
	count_request(conn);
	conn->start_ns = conn->head_ns;
	conn->request_bytes = conn->head_bytes;
	conn->current = conn->endpoint;
	conn->current_method = conn->method;
	conn->pending = 1;
	conn->head_bytes = 0;
	conn->answer_phase = ANSWER_START;
	conn->answer_left = 0;
	conn->answer_partial_len = 0;
	conn->blurred = 0;
}

/* Begin a request behind others. False: there are too many of them to keep. */
static __always_inline bool begin(struct conn *conn, u64 sk)
{
	struct queue_key key = {.sk = sk, .number = conn->first + conn->pending};
	struct queued queued = {.start_ns = conn->head_ns,
				.bytes = conn->head_bytes,
				.endpoint = conn->endpoint,
				.method = conn->method};

	if (!conn->pending) {
		begin_alone(conn);
		return true;
	}
	if (conn->pending >= MAX_PIPELINE || queue.update(&key, &queued)) {
		conn->blurred = 1; /* its answer will be nobody's */
		conn->head_bytes = 0;
		COUNT_LOSS(parse_errors);
		return false;
	}
	count_request(conn);
	conn->pending++;
	conn->head_bytes = 0;
	return true;
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

/* Bytes of the latest request's body have come; more than it has do no harm. */
static __always_inline void came_of_body(struct conn *conn, u64 bytes)
{
	request_body(conn, bytes);
	if (conn->body_left == BODY_OPEN)
		return;
	conn->body_left -= conn->body_left < bytes ? conn->body_left : bytes;
	if (!conn->body_left)
		conn->phase = PHASE_IDLE;
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

/* The kind of answer that is counted: its status, or that it is out of scope. */
static __always_inline u32 kind_of(u32 status, u64 latency_ns)
{
#ifdef MIN_LATENCY_NS
	if (latency_ns < MIN_LATENCY_NS)
		return STATUS_BELOW_MIN_LATENCY;
#endif
	return status;
}

/* Find the cell that answers of this kind to the current request count in. */
static __always_inline void place_answer(struct conn *conn, u32 kind)
{
	struct cell *cell;

	conn->answer = answer_of(conn->current, kind);
	conn->answer_of = conn->current;
	conn->status = kind;
	if (conn->answer)
		return;
	/* No cell is left: it moves to the overflow row. */
	cell = cell_of(conn->current);
	if (cell)
		ADD(cell->moved, 1);
	cell = cell_of(OVERFLOW_ENDPOINT(conn->side & 1));
	if (cell)
		ADD(cell->count, 1);
	conn->answer = OVERFLOW_ANSWER(conn->side & 1);
	conn->status = 0; /* look again the next time */
}

/* Count and measure an answer in conn->answer; its first `bytes` bytes have come. */
static __always_inline void count_answer(struct conn *conn, u64 latency_ns, u64 bytes)
{
	struct cell *cell = cell_of(conn->answer);

	if (!cell)
		return;
	ADD(cell->count, 1);
	ADD(cell->bytes, bytes);
	measure(cell, latency_ns);
}

/* What a final answer means for the bytes that come after it. */
static __always_inline void after_answer(struct conn *conn, u32 status)
{
	if (status == 101 || (conn->current_method == METHOD_CONNECT && status / 100 == 2))
		conn->phase = PHASE_TUNNEL;
	else if (conn->phase == PHASE_BODY && conn->body_left == BODY_OPEN)
		conn->phase = PHASE_IDLE;
}

static __always_inline bool worth_a_sample(u32 status, u64 latency_ns, u64 now)
{
	return kind_of(status, latency_ns) == status &&
	       sample_wanted(now, status >= 400 || latency_ns >= SLOW_NS);
}

/* The connection ended first. Where the answers could not be told apart the outcome is unknown. */
static __always_inline void abandon_one(u32 endpoint, u32 blurred)
{
	struct cell *cell;
	u32 number = blurred ? answer_of(endpoint, STATUS_UNKNOWN) : 0;

	if (number) {
		cell = cell_of(number);
		if (cell)
			ADD_ANYWHERE(cell->count, 1);
		return;
	}
	cell = cell_of(endpoint);
	if (cell)
		ADD_ANYWHERE(cell->unanswered, 1);
}

/* Every pending request stays without an answer. */
static __always_inline void abandon(struct conn *conn, u64 sk)
{
	if (!conn->pending)
		return;
	abandon_one(conn->current, conn->blurred);
#pragma clang loop unroll(disable)
	for (u32 i = 1; i < MAX_PIPELINE; i++) {
		struct queue_key key = {.sk = sk, .number = conn->first + i};
		struct queued *next;

		if (i >= conn->pending)
			break;
		next = queue.lookup(&key);
		if (!next)
			continue;
		abandon_one(next->endpoint, conn->blurred);
		queue.delete(&key);
	}
}
