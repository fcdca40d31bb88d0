/* SPDX-License-Identifier: MIT */
/*
 * Bytes that the kernel moves itself (sendfile, splice): they are in no buffer of the process, so
 * nothing can be parsed. They are taken to be part of a body.
 *
 * Reads and writes the connection; no scratch. Called by the attached programs (hooks.h).
 */
#pragma once

#include "abi.h"
#include "conn.h"
#include "counters.h"
#include "lifecycle.h"
#include "maps.h"
#include "responses.h"
#include "wait.h"

/* Bytes passed that were in no buffer of the process (sendfile, splice): part of a body. */
static __always_inline void take_unseen(struct conn *conn, bool inbound, u64 bytes, u64 now)
{
	if (inbound == (conn->side == SIDE_CLIENT)) {
		count_response_body(conn, bytes, now);
		if (conn->response_left == BODY_OPEN)
			return;
		if (bytes <= conn->response_left) {
			conn->response_left -= bytes;
			return;
		}
		/*
		 * More bytes than expected, or lines of chunks: it is no longer known where
		 * responses begin.
		 */
		lose_response_framing(conn);
	} else if (conn->phase == PHASE_BODY && bytes <= conn->body_left) {
		take_request_body(conn, bytes);
	} else if (conn->phase == PHASE_BODY || conn->phase == PHASE_CHUNKS ||
		   conn->phase == PHASE_TRAILERS) {
		/* Lines of chunks were missed: take the body to end when the response begins. */
		count_request_body(conn, bytes);
		if (conn->chunked_request) {
			conn->phase = PHASE_BODY;
			conn->body_left = BODY_OPEN;
		} else {
			conn->phase = PHASE_IDLE;
		}
	}
}

/* A call moved bytes that were in no buffer. Called by the attached programs (hooks.h). */
static __always_inline void on_moved_bytes(u64 sk, bool inbound, u64 bytes)
{
	struct conn *conn = conns.lookup(&sk);

	if (inbound)
		take_ready(conn, sk, bytes);
	if (!conn || conn->phase == PHASE_TUNNEL || conn->lost)
		return;
	take_unseen(conn, inbound, bytes, bpf_ktime_get_ns());
}
