/* SPDX-License-Identifier: MIT */
/*
 * The life of a request on its connection: begun, answered, abandoned.
 *
 * - begun: its header section is complete. Counted under its endpoint; it is pending now.
 * - answered: its final response has begun. Counted under (endpoint, status), latency recorded.
 * - abandoned: the connection ended first. Counted as unanswered.
 *
 * Reads and writes the connection's state of pending requests and of the last response, and the map
 * queue; does not touch the scratch. Called by the programs of both directions, by the short ways
 * of on_bytes(), and at the ends of connections.
 *
 * A connection that missed some bytes loses sync: it is no longer known which response belongs to
 * which request, so pending requests get an unknown outcome, and the next call is taken to begin a
 * message.
 */
#pragma once

#include "abi.h"
#include "conn.h"
#include "counters.h"
#include "cursor.h"
#include "filter.h"
#include "filter_state.h"
#include "linked.h"
#include "maps.h"
#include "parties.h"
#include "samples.h"
#include "shares.h"
#include "stream.h"

#define MAX_PIPELINE 512 /* most pending requests on one connection */

/* Lost sync: the next call marks pending requests unknown and resynchronises (close.h). */
static __always_inline void lose_sync(struct conn *conn)
{
	conn->lost = 1;
	conn->blurred = 1;
}

/* Bytes of a call cannot be read from the process's memory: count a loss, and lose sync. */
static __always_inline void lose_call(struct conn *conn)
{
	lose_sync(conn);
	COUNT_LOSS(lost_pieces);
}

/* The final response has begun: a request body of unknown length ends here. */
static __always_inline void end_open_body(struct conn *conn)
{
	if (conn->streams[REQUESTS].left == BODY_OPEN)
		restart(&conn->streams[REQUESTS]);
}

/* Count bytes of the latest request's body, for a request queued behind others. */
static __always_inline void count_queued_body(struct conn *conn, u64 bytes)
{
	struct queue_key key = {.of = conn->key, .number = conn->first + conn->pending - 1};
	struct queued *queued = queue.lookup(&key);

	if (queued)
		queued->bytes += bytes;
}

/* Count bytes of the latest request's body. */
static __always_inline void count_request_body(struct conn *conn, u64 bytes)
{
	struct cell *cell = cell_of(conn->endpoint);

	if (cell)
		ADD(cell->bytes, bytes);
	if (conn->pending == 1)
		conn->request_bytes += bytes;
	else if (conn->pending && !conn->blurred)
		count_queued_body(conn, bytes);
}

/* Count bytes of the last response, in a call at the time `now`. */
static __always_inline void count_response_body(struct conn *conn, u64 bytes, u64 now)
{
	struct held *held = held_of(conn);
	struct cell *cell;

	if (held) {
		held->outcome.response_bytes += bytes;
		return;
	}
	if (!conn->kind.cell)
		return;
	if (now != conn->response_ns) /* a later call than that of its first bytes */
		conn->last_ns = now;
	if (!conn->kind.endpoint) { /* its cells have been given back */
		cell = cell_of(OVERFLOW_RESPONSE(conn->side & 1));
		if (cell)
			ADD_ANYWHERE(cell->bytes, bytes);
		return;
	}
	if (!(conn->kind.cell & REST)) {
		cell = cell_of(conn->kind.cell);
		if (cell)
			ADD(cell->bytes, bytes);
		return;
	}
	cell = cell_of(REST_ENDPOINT(conn->kind.cell));
	if (cell)
		ADD_ANYWHERE(cell->rest.bytes, bytes);
}

/* If a response is held back, count it now that it is over: its size decides how. */
static __always_inline void settle_held(struct conn *conn)
{
	struct held *held = held_of(conn);
	u64 current_party = conn->current_party;
	u32 current = conn->current;

	if (!held)
		return;
	conn->current = held->endpoint;
	conn->current_party = held->party;
	find_response_cell(conn, kind_of_outcome(conn, &held->outcome));
	count_response(conn, held->outcome.latency_ns, held->outcome.response_bytes);
	count_wait(conn, held->wait_ns);
	conn->current = current;
	conn->current_party = current_party;
	held->endpoint = 0;
	conn->kind.cell = 0;
}

/* Record the times of a response that more than one call sent. A function of its own (linked.h). */
u64 record_times(struct conn *conn)
{
	u64 sending_ns;

	if (!conn)
		return 0;
	sending_ns = conn->last_ns - conn->response_ns;
	conn->last_ns = 0;
	if (!has_cell(conn))
		return 0;
	count_time(conn, MEASURE_HANDLING, conn->handling_ns);
	count_time(conn, MEASURE_SENDING, sending_ns);
	count_time(conn, MEASURE_DURATION, conn->handling_ns + sending_ns);
	return 0;
}

static u64 (*call_record_times)(struct conn *) = FUNCTION(RECORD_TIMES);

/*
 * No more bytes of the last response will come. If more than one call sent it, record its times,
 * known only now; otherwise sending took no time.
 */
static __always_inline void end_response(struct conn *conn)
{
	settle_held(conn);
	if (!FILTER_SIZE && conn->last_ns) /* of what was held back, no later call is known */
		call_record_times(conn);
}

/*
 * A final response to the current request begins, with `bytes` bytes so far: count it, or hold it
 * back if a filter needs its size.
 */
static __always_inline void begin_response(struct conn *conn, u32 status, u64 latency_ns, u64 bytes)
{
	u32 kind;

	end_response(conn);
	conn->handling_ns = latency_ns;
	conn->response_ns = conn->start_ns + latency_ns;
	if (FILTER_SIZE) {
		hold_back(conn, status, latency_ns, bytes);
	} else {
		kind = kind_of(conn, status, latency_ns);
		if (!recall_kind(conn) || conn->kind.status != kind)
			find_response_cell(conn, kind);
		count_response(conn, latency_ns, bytes);
		count_wait(conn, conn->wait_ns);
	}
	conn->wait_ns = 0;
}

/*
 * Whether responses are never seen, as only one direction is watched: a request is then over at
 * once, with an unknown outcome.
 */
static __always_inline bool responses_unseen(struct conn *conn)
{
	return conn->side == SIDE_CLIENT ? !LINKED(READS) : !LINKED(WRITES);
}

/* Return where the sequence number is that one direction's last call ended at. */
static __always_inline u32 *seen_of(struct conn *conn, bool inbound)
{
	return &conn->streams[(inbound != (conn->side == SIDE_SERVER)) & 1].seen;
}

/* Have everything up to now be seen, in one direction (unseen.h). */
static __always_inline void pass_unseen(struct conn *conn, u64 sk, bool inbound)
{
	if (conn->tcp)
		*seen_of(conn, inbound) = position_of(sk, inbound);
}

/* Begin a request while none is pending. */
static __always_inline void begin_sole_request(struct conn *conn)
{
	struct stream *responses = &conn->streams[RESPONSES];

	/*
	 * If the end of the last response is unknown, expect a new response. If it is known to be
	 * still under way, it belongs to the previous request.
	 */
	if (!conn->framed) {
		restart(responses);
		/* What was missed until now belonged to earlier responses. */
		pass_unseen(conn, MASKED(conn->key), conn->side == SIDE_CLIENT);
	}
	if (!responses->left && !responses->phase)
		end_response(conn);
	count_request(conn);
	if (responses_unseen(conn)) {
		count_unknown_outcome(conn);
		return;
	}
	conn->adrift = 0;
	conn->start_ns = conn->head_ns;
	conn->request_bytes = conn->head_bytes;
	conn->current = conn->endpoint;
	conn->current_party = conn->party;
	conn->current_method = conn->method;
	conn->pending = 1;
	conn->asked = 1;
	conn->answered = 0;
	conn->rounds = 0;
	conn->head_bytes = 0;
	/*
	 * An unsolicited response may have been the response to this request: see
	 * take_unsolicited().
	 */
	conn->blurred = conn->owed;
	conn->owed = 0;
	keep_hosts(conn, conn->hosts);
}

#define MOST_ROUNDS 16

/*
 * Whether a connection seems to be behind since a response of it was missed: as many requests as
 * responses come in every round, and yet some are pending at the beginning of each. On TCP it is
 * known (unseen.h). A client that always keeps some requests in flight looks alike; few do.
 */
static __always_inline bool stays_behind(struct conn *conn)
{
	if (conn->tcp)
		return false;
	if (conn->answered) {
		conn->rounds = conn->asked == conn->answered ? conn->rounds + 1 : 0;
		conn->asked = 0;
		conn->answered = 0;
	}
	conn->asked++;
	return conn->rounds >= MOST_ROUNDS;
}

/* Queue the latest request behind others; return whether there was room, and its share of it. */
static __always_inline bool place_in_queue(struct conn *conn)
{
	struct queue_key key = {.of = conn->key, .number = conn->first + conn->pending};

	if (!take(conn->share, QUEUED, MAX_PIPELINED))
		return false;
	if (!queue.update(&key, (struct queued *)&conn->head_ns))
		return true;
	give_back(conn->share, QUEUED);
	return false;
}

/* Begin a request, possibly pipelined; beyond MAX_PIPELINE the outcome is recorded as unknown. */
static __always_inline void begin_request(struct conn *conn)
{
	judge_request(conn);
	find_party(conn);
	if (!conn->pending) {
		begin_sole_request(conn);
		return;
	}
	if (conn->pending >= MAX_PIPELINE || !place_in_queue(conn)) {
		conn->blurred = 1; /* its response cannot be attributed */
		count_request(conn);
		count_unknown_outcome(conn);
		COUNT_LOSS(overfull_pipelines);
		return;
	}
	count_request(conn);
	conn->pending++;
	conn->head_bytes = 0;
	/* It is uncertain which of these requests the next response belongs to. */
	if (conn->blurred || stays_behind(conn))
		lose_sync(conn);
}

/* The current request is over: the next one in the pipeline becomes the current one. */
static __always_inline void advance_pipeline(struct conn *conn)
{
	struct queue_key key;
	struct queued *next;

	conn->first++;
	conn->pending--;
	if (!conn->pending)
		return;
	key.of = conn->key;
	key.number = conn->first;
	next = queue.lookup(&key);
	if (!next) { /* another CPU changed `first` while begin_request() was reading it */
		COUNT_LOSS(overfull_pipelines);
		return;
	}
	conn->start_ns = next->start_ns;
	conn->request_bytes = next->bytes;
	conn->current = next->endpoint;
	conn->current_party = next->party;
	conn->current_method = next->method;
	keep_hosts(conn, next->hosts);
	queue.delete(&key);
	give_back(conn->share, QUEUED);
}

/* Whether to sample the response to the current request; if so, its token is taken. */
static __always_inline bool claim_sample(struct conn *conn, u32 status, u64 latency_ns, u64 now)
{
	return sample_selected(conn, status, latency_ns) &&
	       claim_token(conn, status, latency_ns, now);
}

/*
 * Count a request without a response as unanswered; if pairing was uncertain (blurred), as one with
 * an unknown outcome.
 */
static __always_inline void count_abandoned(u32 endpoint, u64 party, u32 kind, u32 blurred)
{
	struct cell *cell;

	if (blurred || kind == STATUS_LEFT_OUT) {
		count_outcome(endpoint, party, kind);
		return;
	}
	count_without_response(party, true);
	cell = cell_of(endpoint);
	if (cell)
		ADD_ANYWHERE(cell->unanswered, 1);
}

/*
 * The server has read the current request behind a response that closes the connection, and will not
 * process it: it is none of its endpoint's, its bytes neither.
 */
static __always_inline void discard_request(struct conn *conn)
{
	struct cell *cell = cell_of(conn->current);

	COUNT_LOSS(discarded_requests);
	if (!cell)
		return;
	ADD_ANYWHERE(cell->moved, 1);
	ADD_ANYWHERE(cell->bytes, 0 - conn->request_bytes);
}

/*
 * No more bytes will come on the connection: if some of the last response are missing, by its own
 * framing, it is truncated.
 */
static __always_inline void end_last_response(struct conn *conn)
{
	struct stream *stream = &conn->streams[RESPONSES];
	struct cell *cell;
	bool whole = !stream->left || stream->left == BODY_OPEN;

	if (stream->phase == PHASE_HEAD || stream->phase == PHASE_CHUNKS ||
	    stream->phase == PHASE_TRAILERS)
		whole = stream->left == BODY_OPEN;
	if (conn->framed && !whole && has_cell(conn) && !held_of(conn)) {
		cell = cell_of(conn->kind.cell);
		if (cell)
			ADD_ANYWHERE(cell->unanswered, 1);
	}
	restart(stream);
	end_response(conn);
}

/*
 * Abandon the current request, if there is one. A filter on latency uses the time that it has been
 * pending.
 */
static __always_inline void abandon_one(struct conn *conn)
{
	u64 now = FILTER_RESPONSE ? bpf_ktime_get_ns() : 0;

	if (!conn->pending)
		return;
	if (conn->closing && conn->side == SIDE_SERVER && !conn->blurred && !conn->lost)
		discard_request(conn);
	else
		count_abandoned(conn->current, conn->current_party,
				kind_of(conn, STATUS_UNKNOWN, now - conn->start_ns),
				conn->blurred || conn->lost);
	advance_pipeline(conn);
}
