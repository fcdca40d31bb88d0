/*
 * How a request ends.
 *
 * response:  the first byte of a final response. Counted under (endpoint, status), measured, sampled.
 * abandon: the connection ended first. Counted as unanswered.
 */
#pragma once

#define ABANDONED_A_RUN 32 /* and there may be 30 runs */

static __always_inline void response_body(struct conn *conn, u64 bytes, u64 now)
{
	struct cell *cell;

#ifdef FILTER_SIZE
	if (conn->held) {
		conn->held_bytes += bytes;
		return;
	}
#endif
	if (!conn->response)
		return;
	if (now != conn->response_ns) /* in another call than its first bytes */
		conn->last_ns = now;
	cell = cell_of(conn->response);
	if (cell)
		ADD(cell->bytes, bytes);
}

/* Find the cell that responses of this kind to the current request count in. */
static __always_inline void place_response(struct conn *conn, u32 kind)
{
	struct cell *cell;

	conn->response = response_of(conn->current, kind, MEASURE_LATENCY);
	conn->response_of = conn->current;
	conn->status = kind;
	if (conn->response)
		return;
	/* No cell is left: it moves to the overflow row. */
	cell = cell_of(conn->current);
	if (cell)
		ADD(cell->moved, 1);
	cell = cell_of(OVERFLOW_ENDPOINT(conn->side & 1));
	if (cell)
		ADD(cell->count, 1);
	conn->response = OVERFLOW_RESPONSE(conn->side & 1);
	conn->response_of = OVERFLOW_ENDPOINT(conn->side & 1);
	conn->status = STATUS_UNKNOWN;
}

/* Count and measure a response in conn->response; its first `bytes` bytes have come. */
static __always_inline void count_response(struct conn *conn, u64 latency_ns, u64 bytes)
{
	struct cell *cell = cell_of(conn->response);

	if (!cell)
		return;
	ADD(cell->count, 1);
	ADD(cell->bytes, bytes);
	measure(cell, latency_ns, false);
}

/* User space has programs run that end responses, too, so additions are atomic. */
static __always_inline void count_time(struct conn *conn, enum measure measured, u64 time_ns)
{
	u32 number = response_of(conn->response_of, conn->status, measured);
	struct cell *cell = number ? cell_of(number) : 0;

	if (!cell)
		return;
	ADD_ANYWHERE(cell->count, 1);
	measure(cell, time_ns, true);
}

/* How long the request of a response in conn->response waited to be read, where that is known. */
static __always_inline void count_wait(struct conn *conn, u64 wait_ns)
{
	if (wait_ns && conn->response && conn->status != STATUS_LEFT_OUT)
		count_time(conn, MEASURE_WAIT, wait_ns);
}

#ifdef FILTER_SIZE
/* The response held back is over: its size decides whether it counts. */
static __always_inline void settle(struct conn *conn)
{
	u32 current = conn->current, kind;

	if (!conn->held)
		return;
	conn->current = conn->held;
	kind = KIND(conn, conn->held_hosts, conn->held_method, conn->held_status,
		    conn->held_latency_ns, conn->held_request_bytes, conn->held_bytes);
	place_response(conn, kind);
	count_response(conn, conn->held_latency_ns, conn->held_bytes);
	count_wait(conn, conn->held_wait_ns);
	conn->current = current;
	conn->held = 0;
	conn->response = 0;
}
#endif

/*
 * Nothing more of the last response will come. Where more than one call sent it, its times are known
 * only now; of all others sending took no time.
 */
static __always_inline void response_over(struct conn *conn)
{
	u64 sending_ns;

#ifdef FILTER_SIZE
	settle(conn);
#endif
	if (!conn->last_ns)
		return;
	sending_ns = conn->last_ns - conn->response_ns;
	conn->last_ns = 0;
	if (!conn->response || conn->status == STATUS_LEFT_OUT)
		return;
	count_time(conn, MEASURE_HANDLING, conn->handling_ns);
	count_time(conn, MEASURE_SENDING, sending_ns);
	count_time(conn, MEASURE_DURATION, conn->handling_ns + sending_ns);
}

/* A final response has begun, with so many bytes. */
static __always_inline void answered(struct conn *conn, u32 status, u64 latency_ns, u64 bytes)
{
	response_over(conn);
	conn->handling_ns = latency_ns;
	conn->response_ns = conn->start_ns + latency_ns;
#ifdef FILTER_SIZE
	conn->held = conn->current;
	conn->held_status = status;
	conn->held_latency_ns = latency_ns;
	conn->held_request_bytes = conn->request_bytes;
	conn->held_bytes = bytes;
	conn->held_wait_ns = conn->wait_ns;
	conn->held_method = conn->current_method;
	conn->held_hosts = conn->current_hosts;
#else
	u32 kind = kind_of(conn, status, latency_ns);

	if (conn->status != kind || conn->response_of != conn->current)
		place_response(conn, kind);
	count_response(conn, latency_ns, bytes);
	count_wait(conn, conn->wait_ns);
#endif
	conn->wait_ns = 0;
}

static __always_inline bool worth_a_sample(struct conn *conn, u32 status, u64 latency_ns, u64 now)
{
#ifdef FILTER_REQUEST
	if (conn->current == LEFT_OUT_ENDPOINT(conn->side & 1))
		return false;
#endif
#ifdef FILTER_SIZE /* user space asks for the size that the head tells */
	if (!wanted_sample(conn->truths, conn->current_hosts, conn->current_method, status,
			   latency_ns, conn->request_bytes))
		return false;
#else
	if (kind_of(conn, status, latency_ns) != status)
		return false;
#endif
	return sample_wanted(conn->current, status, latency_ns, now);
}

/* The connection ended first. Where the responses could not be told apart the outcome is unknown. */
static __always_inline void abandon_one(u32 endpoint, u32 kind, u32 blurred)
{
	struct cell *cell;
	u32 number = 0;

	if (blurred || kind == STATUS_LEFT_OUT)
		number = response_of(endpoint, kind, MEASURE_LATENCY);
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

/*
 * Pending requests stay without a response, at most ABANDONED_A_RUN of them; to a filter their latency
 * is the time that they waited.
 */
static __always_inline void abandon_some(struct conn *conn)
{
	u64 now = 0;

#ifdef FILTER_RESPONSE
	now = bpf_ktime_get_ns();
#endif
	if (conn->deferred >= LOST_PIECE)
		conn->blurred = 1;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < ABANDONED_A_RUN; i++) {
		if (!conn->pending)
			break;
		abandon_one(conn->current, kind_of(conn, STATUS_UNKNOWN, now - conn->start_ns),
			    conn->blurred);
		advance(conn);
	}
}
