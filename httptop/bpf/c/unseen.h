/* SPDX-License-Identifier: MIT */
/*
 * Bytes that pass and cannot be parsed: those that the kernel moves itself (sendfile, splice), which
 * are in no buffer of the process, and those of calls that nobody saw. The kernel misses a program's
 * run now and then where programs are preempted; bytes may bypass the tracepoints; and nothing is
 * seen while the probes are not attached.
 *
 * For TCP the sequence numbers tell: a call begins where the last one in its direction ended, or
 * bytes were missed in between. Part of a body is counted as such. Anything else was a message: a
 * missed response must not be taken for that of a later request, so the connection loses sync, and
 * pending requests get an unknown outcome. Calls in one direction of a connection do not overlap,
 * or they would mix up its messages; calls in opposite directions may, so each goes by its own.
 *
 * Reads and writes the connection; no scratch. Called by on_bytes(), by the attached programs, and
 * at the ends of connections.
 */
#pragma once

#include "abi.h"
#include "conn.h"
#include "counters.h"
#include "cursor.h"
#include "lifecycle.h"
#include "maps.h"
#include "responses.h"
#include "wait.h"

/*
 * Return how many bytes were missed before a call that moved `bytes` bytes, and note where it ends.
 * The call has just returned.
 */
static __always_inline u32 bytes_missed(struct conn *conn, u64 sk, bool inbound, u32 bytes)
{
	u32 now, missed, *seen = seen_of(conn, inbound);

	if (!conn->tcp)
		return 0;
	now = position_of(sk, inbound);
	missed = now - bytes - *seen;
	*seen = now;
	/* The end of a stream takes a sequence number, too. */
	if (missed == 1 && kernel_u16(sk + OFF_SOCK_SHUTDOWN) & SHUTDOWN_BOTH)
		return 0;
	return missed >> 31 ? 0 : missed; /* it has begun before the end of the last: no gap */
}

/*
 * Return the time of a call that moved bytes through a tracked connection. A TCP socket keeps the time
 * of its last transmission and of the last bytes that were read from it; the loader has tried that it
 * is up to date (build/learned.py). Bytes that were written may still wait to be sent: then, and
 * elsewhere, the clock tells.
 */
static __always_inline u64 time_of(struct conn *conn, u64 sk, bool inbound)
{
#if defined(OFF_TCP_CLOCK) && defined(TYPE_FILE)
	if (conn->tcp && (inbound || READ_U32_AS(sk, TYPE_TCP_SOCK, OFF_TCP_SENT_SEQ) ==
					     READ_U32_AS(sk, TYPE_TCP_SOCK, OFF_TCP_WRITE_SEQ)))
		return READ_AS(sk, TYPE_TCP_SOCK, OFF_TCP_CLOCK);
#endif
	return bpf_ktime_get_ns();
}

/* Count unseen bytes of responses as part of a body. False: none is under way. */
static __always_inline bool take_unseen_response(struct conn *conn, u64 bytes, u64 now)
{
	struct stream *stream = &conn->streams[RESPONSES];

	if (conn->framed ? !under_way(stream) : conn->pending)
		return false;
	count_response_body(conn, bytes, now);
	if (!conn->framed || stream->left == BODY_OPEN)
		return true;
	if (bytes <= stream->left) {
		stream->left -= bytes;
		return true;
	}
	/* Lines of chunks, or the next response: it is no longer known where responses begin. */
	if (!stream->chunked && conn->pending)
		return false;
	lose_response_framing(conn);
	return true;
}

/* Count unseen bytes of requests as part of a body. False: none is under way. */
static __always_inline bool take_unseen_request(struct conn *conn, u64 bytes)
{
	struct stream *stream = &conn->streams[REQUESTS];

	if (!stream->left && stream->phase != PHASE_CHUNKS && stream->phase != PHASE_TRAILERS)
		return false;
	count_request_body(conn, bytes);
	if (bytes <= stream->left) {
		if (stream->left != BODY_OPEN)
			stream->left -= bytes;
		return true;
	}
	restart(stream);
	/* Lines of chunks were missed: take the body to end when the response begins. */
	if (stream->chunked)
		stream->left = BODY_OPEN;
	return true;
}

/* Bytes were missed before this call: a part of a body, or messages. */
static __always_inline void take_missed(struct conn *conn, u64 sk, bool response, bool inbound,
					u64 missed, u64 now)
{
	if (response ? take_unseen_response(conn, missed, now) : take_unseen_request(conn, missed))
		return;
	if (conn->pending) {
		lose_sync(conn);
	} else if (!response) {
		/* Whole exchanges were missed; an unsolicited response was one of theirs. */
		conn->owed = 0;
		pass_unseen(conn, sk, !inbound);
	} else {
		lose_response_framing(conn);
	}
}

/* A call moved bytes that were in no buffer. Called by the attached programs (hooks.h). */
static __always_inline void on_moved_bytes(u64 sk, bool inbound, u64 bytes)
{
	struct conn *conn = conn_of(sk);
	u64 now;
	u32 missed;
	bool response;

	if (inbound)
		take_ready(conn, sk, bytes);
	if (!conn || conn->streams[REQUESTS].phase == PHASE_TUNNEL)
		return;
	missed = bytes_missed(conn, sk, inbound, bytes);
	response = inbound != (conn->side == SIDE_SERVER);
	now = time_of(conn, sk, inbound);
	if (missed && !conn->lost)
		take_missed(conn, sk, response, inbound, missed, now);
	if (conn->lost)
		return;
	if (!response)
		take_unseen_request(conn, bytes);
	else if (!take_unseen_response(conn, bytes, now))
		lose_response_framing(conn);
}
