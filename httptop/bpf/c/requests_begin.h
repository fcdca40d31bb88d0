/*
 * The life of a request on its connection: begun, answered, abandoned. Here is the first of these:
 * the head is complete, the request counts under its endpoint and waits for its response.
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

/* Something was not seen. The next call counts all that is pending as unknown and starts afresh. */
static __always_inline void lose_track(struct conn *conn)
{
	__sync_fetch_and_add(&conn->deferred, LOST_PIECE);
	conn->blurred = 1;
}

/* Bytes of a call are not to be had from the caller's memory. */
static __always_inline void unreadable(struct conn *conn)
{
	lose_track(conn);
	COUNT_LOSS(lost_pieces);
}

/*
 * What is left out: kind_of() tells it of a response, or of a request that never had one, and
 * leave_out() takes a request out of its endpoint before it is counted.
 */
#ifdef FILTER_RESPONSE
#define KIND(conn, hosts, method, status, latency_ns, request_bytes, response_bytes)               \
	((conn)->current == LEFT_OUT_ENDPOINT((conn)->side & 1) ||                                 \
			 wanted_response((conn)->truths, hosts, method, status, latency_ns,        \
					 request_bytes, response_bytes)                            \
		 ? (status)                                                                        \
		 : STATUS_LEFT_OUT)
#else
#define KIND(conn, hosts, method, status, latency_ns, request_bytes, response_bytes) (status)
#endif

/* The kind of response that is counted: its status, or that it is left out. */
static __always_inline u32 kind_of(struct conn *conn, u32 status, u64 latency_ns)
{
	return KIND(conn, conn->current_hosts, conn->current_method, status, latency_ns,
		    conn->request_bytes, 0);
}

static __always_inline void leave_out(struct conn *conn)
{
#ifdef FILTER_REQUEST
	if (wanted_request(conn->truths, conn->hosts, conn->method))
		return;
	conn->endpoint = LEFT_OUT_ENDPOINT(conn->side & 1);
	conn->line_len = 0; /* the next line shall be placed anew */
	conn->call_len = 0;
#endif
}

/*
 * Where only one direction is looked at no response is ever seen: a request is over at once, with an
 * unknown outcome.
 */
static __always_inline bool responses_unseen(struct conn *conn)
{
#ifdef NO_READS
	return conn->side == SIDE_CLIENT;
#elif defined(NO_WRITES)
	return conn->side == SIDE_SERVER;
#endif
	return false;
}

static __always_inline void over_at_once(struct conn *conn)
{
	struct cell *cell = cell_of(response_of(conn->endpoint, STATUS_UNKNOWN, MEASURE_LATENCY));

	if (cell)
		ADD(cell->count, 1);
	conn->head_bytes = 0;
}

static __always_inline void response_over(struct conn *conn);

/* Begin a request while none is pending. */
static __always_inline void begin_alone(struct conn *conn)
{
	/* A response that is still under way is that of the request before. */
	if (!conn->framed) {
		conn->response_phase = RESPONSE_START;
		conn->response_left = 0;
		conn->response_partial_len = 0;
	}
	if (!conn->response_left && !conn->response_phase)
		response_over(conn);
	count_request(conn);
	if (responses_unseen(conn)) {
		over_at_once(conn);
		return;
	}
	conn->start_ns = conn->head_ns;
	conn->request_bytes = conn->head_bytes;
	conn->current = conn->endpoint;
	conn->current_method = conn->method;
	conn->pending = 1;
	conn->head_bytes = 0;
	/* A response that nobody had asked for may have been this one's: see unasked(). */
	conn->blurred = conn->owed;
	conn->owed = 0;
#ifdef FILTER_REQUEST
	conn->current_hosts = conn->hosts;
#endif
}

/* Begin a request, perhaps behind others; of too many the outcome is unknown at once. */
static __always_inline void begin(struct conn *conn)
{
	struct queue_key key = {.sk = conn->sk, .number = conn->first + conn->pending};
	struct queued queued = {.start_ns = conn->head_ns,
				.bytes = conn->head_bytes,
				.method = conn->method,
				.hosts = conn->hosts};

	leave_out(conn);
	queued.endpoint = conn->endpoint;
	if (!conn->pending) {
		begin_alone(conn);
		if (conn->wait_ns)
			conn->shape = SHAPE_OTHER; /* the long way counts it */
		return;
	}
	if (conn->pending >= MAX_PIPELINE || queue.update(&key, &queued)) {
		conn->blurred = 1; /* its response will be nobody's */
		count_request(conn);
		over_at_once(conn);
		COUNT_LOSS(parse_errors);
		return;
	}
	count_request(conn);
	conn->pending++;
	conn->head_bytes = 0;
	/* Whose response comes next, this one's or that of the one before? */
	if (conn->blurred)
		lose_track(conn);
}

/* The current request is over: go on to the next one in the pipeline. */
static __always_inline void advance(struct conn *conn)
{
	struct queue_key key;
	struct queued *next;

	conn->first++;
	conn->pending--;
	if (!conn->pending)
		return;
	key.sk = conn->sk;
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
#ifdef FILTER_REQUEST
	conn->current_hosts = next->hosts;
#endif
	queue.delete(&key);
}

/* The final response is there: a body whose end nothing told ends with it. */
static __always_inline void response_ends_body(struct conn *conn)
{
	if (conn->phase == PHASE_BODY && conn->body_left == BODY_OPEN)
		conn->phase = PHASE_IDLE;
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
		conn->phase = conn->chunked_request ? PHASE_CHUNKS : PHASE_IDLE;
}
