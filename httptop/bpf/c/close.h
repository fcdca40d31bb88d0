/* SPDX-License-Identifier: MIT */
/*
 * The ends of connections, and what is pending on them: unanswered, or unknown where the connection
 * had lost sync.
 *
 * inet_sock_set_state() is attached; abandon_requests() is called by tail call, s->then says what
 * for; sweep() is run by user space for each key of swept_conns.
 */
#pragma once

#include "abi.h"
#include "conn.h"
#include "connections.h"
#include "cursor.h"
#include "filter.h"
#include "filter_state.h"
#include "kernel_structs.h"
#include "lifecycle.h"
#include "maps.h"
#include "responses.h"
#include "scratch.h"

/*
 * A TCP connection comes to its end: closed by us, or done with. Its owner may still read what came
 * before, so where a response is due sweep() decides when the socket is let go.
 */
int inet_sock_set_state(u64 *ctx)
{
	u64 sk = ctx[0];
	int state = ctx[2];
	struct conn *conn;
	u8 one = 1;

	if (state != TCP_CLOSE && state != TCP_FIN_WAIT1 && state != TCP_LAST_ACK)
		return 0;
	conn = conns.lookup(&sk);
	if (!conn) {
		forget_passed(sk);
		return 0;
	}
	/* Only the owner's own close removes the entry here: in a reset, which comes in an
	 * interrupt, another CPU may be at work on it. */
	if (!conn->pending && !held_of(conn) && !conn->deferred && state != TCP_CLOSE) {
		if ((kernel_u16(sk + OFF_SOCK_SHUTDOWN) & 3) == SHUTDOWN_BOTH) {
			if (conn->response_left && conn->numbered)
				catch_up_with_response(conn,
						       position_of(sk, conn->side == SIDE_CLIENT),
						       bpf_ktime_get_ns());
			end_response(conn);
			conns.delete(&sk);
		}
	} else if (!conn->verify) {
		conn->verify = 1;
		swept_conns.update(&sk, &one);
	}
	return 0;
}

/* What was not seen may have held anything: the connection's next byte begins a message. */
static __always_inline void resync(struct conn *conn)
{
	conn->deferred = 0;
	conn->blurred = 0;
	conn->phase = PHASE_IDLE;
	conn->body_left = 0;
	conn->head_bytes = 0;
	conn->line_len = 0;
	conn->call_len = 0;
	conn->partial_len = 0;
	lose_response_framing(conn);
}

/* A connection that was listed for the sweep is done with. */
static __always_inline void forget_swept(u64 sk)
{
	if (passed_inode(sk))
		return; /* another socket's, in the same place */
	swept_conns.delete(&sk);
}

/*
 * The program that abandons what is pending on a connection, s->gone, or the one at s->sk for
 * THEN_RESYNC.
 */
int abandon_requests(u64 *ctx)
{
	struct scratch *s = scratch_here();
	struct conn *conn;

	if (!s)
		return 0;
	conn = s->then == THEN_RESYNC ? conns.lookup(&s->sk) : &s->gone;
	if (!conn)
		return 0;
	end_response(conn);
	abandon_some(conn);
	if (conn->pending) {
		next_program.call(ctx, NEXT_ABANDON_REQUESTS);
		return 0;
	}
	if (s->then == THEN_RESYNC) {
		resync(conn);
		if (s->inbound == (conn->side == SIDE_SERVER))
			next_program.call(ctx, NEXT_PARSE_REQUEST);
		else
			next_program.call(ctx, NEXT_PARSE_RESPONSE);
		return 0;
	}
	if (s->then == THEN_FIRST)
		next_program.call(ctx, NEXT_FIRST_BYTES);
	else
		forget_swept(s->sk);
	return 0;
}

/*
 * The program that user space runs for each of swept_conns: is the socket let go? Its struct sock
 * has then lost its struct socket, or belongs to another. With a second argument: the run is over,
 * settle what is held back.
 */
int sweep(u64 *ctx)
{
	u64 sk = ctx[0], socket, inode, passed;
	struct conn *conn = conns.lookup(&sk);
	struct scratch *s = scratch_here();

	if (FILTER_SIZE && ctx[1]) { /* the run is over: no more bytes will come */
		if (conn)
			settle_held(conn);
		return 0;
	}
	socket = socket_of_sock(sk);
	inode = socket ? inode_number_of(socket) : 0;
	if (conn) {
		if ((socket && inode == conn->inode) || (u32)conn->deferred || !s)
			return 0;
		s->sk = sk;
		s->then = THEN_NOTHING;
		if (take_out(s, conn))
			next_program.call(ctx, NEXT_ABANDON_REQUESTS);
		return 0;
	}
	passed = passed_inode(sk);
	if (passed && passed == inode)
		return 0;
	forget_passed(sk);
	swept_conns.delete(&sk);
	return 0;
}
