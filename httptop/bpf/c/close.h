/* SPDX-License-Identifier: MIT */
/*
 * The ends of connections. Requests that are still pending count as unanswered, or as unknown where
 * the connection had lost sync.
 *
 * inet_sock_set_state() is attached; abandon_requests() is called by tail call, and s->then says
 * what follows it; sweep() is run by user space for each key of swept_conns.
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
 * A TCP connection ends: its owner closes it, or it reaches TCP_CLOSE. The owner may still read
 * what arrived before, so while a response is pending the entry stays until sweep() finds the
 * socket released.
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
	/*
	 * Only the owner's close removes the entry here. A reset comes in an interrupt, while
	 * another CPU may be using the entry.
	 */
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

/* Unseen bytes may have contained anything: expect the next byte to begin a message. */
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

/* A connection is gone: take it off the list for the sweep. */
static __always_inline void forget_swept(u64 sk)
{
	if (passed_inode(sk))
		return; /* the entry is for another socket with the same struct sock */
	swept_conns.delete(&sk);
}

/*
 * The program that abandons the pending requests of a connection: of s->gone or, for THEN_RESYNC,
 * of the one at s->sk.
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
 * The program that user space runs for each key of swept_conns: has the socket been released? Then
 * its struct sock has no struct socket any more, or belongs to another socket. A nonzero second
 * argument says that the run is over: count the responses that are held back.
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
