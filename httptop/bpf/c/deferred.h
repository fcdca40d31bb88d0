/* SPDX-License-Identifier: MIT */
/*
 * Bytes that are parsed later.
 *
 * A call may contain more than the programs can parse in one go: hundreds of pipelined requests,
 * thousands of small chunks. The rest of its bytes is sent to user space in pieces, and user space
 * runs take_up() on each (bpf/backlog.py) until all of it is parsed. Meanwhile, further calls on
 * the connection queue up behind; once no piece is waiting, calls are parsed directly again. So
 * there is one parser and one place where things are counted, and times are those of the original
 * calls.
 *
 * conn.deferred counts the pieces that wait. A piece that does not fit into the ring buffer is
 * counted as lost, and so is all that follows until the waiting pieces have been parsed: the
 * connection has lost sync (lifecycle.h).
 *
 * defer_bytes() is called by tail call with the call's bytes in the scratch; take_up() is run by
 * user space, and sets up the scratch itself. s->taken_up tells the two apart.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "counters.h"
#include "cursor.h"
#include "kernel_structs.h"
#include "lifecycle.h"
#include "maps.h"
#include "responses.h"
#include "scratch.h"
#include "wait.h"

#define PIECES_A_RUN 32

/* Send a piece to user space; if the ring buffer has no room the connection loses sync. */
static __always_inline void defer_piece(struct conn *conn, void *piece, u32 size)
{
	__sync_fetch_and_add(&conn->deferred, 1);
	if (!pieces.ringbuf_output(piece, size, 0))
		return;
	__sync_fetch_and_add(&conn->deferred, -1);
	lose_sync(conn);
	COUNT_LOSS(lost_pieces);
}

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
	if (!conn || conn->phase == PHASE_TUNNEL || conn->deferred >= LOST_PIECE)
		return;
	if (conn->deferred) {
		struct piece_head head = {.sk = sk,
					  .inode = conn->inode,
					  .now = bpf_ktime_get_ns(),
					  .length = bytes,
					  .inbound = inbound,
					  .moved = 1};

		defer_piece(conn, &head, sizeof(head));
		return;
	}
	take_unseen(conn, inbound, bytes, bpf_ktime_get_ns());
}

/*
 * The program that hands the rest of a call to user space. For bytes that came back from there it
 * returns how many are left to parse. A connection that has lost sync resynchronises here.
 */
int defer_bytes(u64 *ctx)
{
	u32 zero = 0, n;
	struct scratch *s = scratch_here();
	struct piece *piece = outgoing.lookup(&zero);
	struct conn *conn;

	if (!s || !piece)
		return 0;
	if (s->taken_up)
		return end_call(s, s->left);
	conn = conns.lookup(&s->sk);
	if (!conn)
		return 0;
	if (conn->deferred >= LOST_PIECE) {
		if ((u32)conn->deferred) {
			COUNT_LOSS(lost_pieces);
			return 0;
		}
		s->then = THEN_RESYNC;
		next_program.call(ctx, NEXT_ABANDON_REQUESTS);
		return 0;
	}
	piece->head.sk = s->sk;
	piece->head.inode = conn->inode;
	piece->head.now = s->now;
	piece->head.tgid = s->tgid;
	piece->head.inbound = s->inbound;
	piece->head.moved = 0;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < PIECES_A_RUN; i++) {
		if (!next_piece(s)) {
			if (s->left)
				lose_call(conn);
			return 0;
		}
		n = s->piece < PIECE_LEN ? s->piece : PIECE_LEN;
		OPAQUE(n);
		n &= 2 * PIECE_LEN - 1;
		if (n > PIECE_LEN || read_user(piece->data, n, (void *)s->buf)) {
			lose_call(conn);
			return 0;
		}
		piece->head.length = n;
		defer_piece(conn, piece, sizeof(struct piece_head) + n);
		skip(s, n);
		if (conn->deferred >= LOST_PIECE)
			return 0;
	}
	if (!s->left)
		return 0;
	next_program.call(ctx, NEXT_DEFER_BYTES);
	/*
	 * Out of tail calls, in a call of megabytes: pass on how many bytes are left, as part of a
	 * body.
	 */
	piece->head.moved = 1;
	piece->head.length = s->left;
	defer_piece(conn, piece, sizeof(struct piece_head));
	return 0;
}

/*
 * The program that user space runs to parse deferred bytes, which are in its own memory now
 * (bpf/backlog.py has the order of the arguments). Returns how many of them are left to parse. A
 * length of 0 says that a piece is finished. A negative result: another CPU is setting the
 * connection aside, try again.
 */
int take_up(u64 *ctx)
{
	u64 sk = ctx[0], inode = ctx[1], length = ctx[3];
	u32 zero = 0;
	struct conn *conn = conns.lookup(&sk);
	struct scratch *s = scratch_here();
	u64 *at_work = taking_up.lookup(&zero);

	if (!conn || conn->inode != inode) { /* see set_aside() */
		sk = inode;
		conn = conns.lookup(&sk);
	}
	if (!s || !at_work || !conn)
		return 0;
	s->taken_up = 1;
	__sync_fetch_and_add(at_work,
			     inode); /* a full memory barrier: `leaving` is read after it */
	if (conn->leaving || conn->inode != inode)
		return end_call(s, -1);
	if (!length) {
		if ((u32)conn->deferred)
			__sync_fetch_and_add(&conn->deferred, -1);
		return end_call(s, 0);
	}
	if (conn->phase == PHASE_TUNNEL)
		return end_call(s, 0);
	s->inbound = ctx[6];
	s->now = ctx[4];
	if (ctx[7]) { /* they were in no buffer */
		take_unseen(conn, s->inbound, length, s->now);
		return end_call(s, 0);
	}
	s->sk = sk;
	s->iov = 0;
	s->buf = ctx[2];
	s->left = s->piece = s->message_left = length;
	s->messages = 0;
	s->call_len = 0; /* a piece is not a call: later calls are not compared with it */
	s->fresh = 0;
	s->steps = 0;
	s->began = 0;
	s->shape = SHAPE_OTHER;
	s->tgid = ctx[5];
	if (s->inbound == (conn->side == SIDE_SERVER))
		next_program.call(ctx, NEXT_PARSE_REQUEST);
	else
		next_program.call(ctx, NEXT_PARSE_RESPONSE);
	return end_call(s, 0);
}
