/* SPDX-License-Identifier: MIT */
/*
 * The ends of connections. Requests that are still pending count as unanswered, or as unknown where
 * the connection had lost sync.
 *
 * inet_sock_set_state() is attached; abandon_requests() and regain_sync() are steps (steps.h); sweep()
 * is run by user space for each key of swept_conns.
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
#include "steps.h"
#include "unseen.h"

/* The owner closes the connection: count what was missed of the last response's body. */
static __always_inline void take_last_missed(struct conn *conn, u64 sk)
{
	u64 left = conn->streams[RESPONSES].left, missed;

	if (!left)
		return;
	missed = bytes_missed(conn, sk, conn->side == SIDE_CLIENT, 0);
	if (missed > left) /* the end of the stream takes a number, too */
		missed = left;
	if (missed)
		take_unseen_response(conn, missed, bpf_ktime_get_ns());
}

/*
 * A TCP connection ends: its owner closes it, or it reaches TCP_CLOSE. The owner may still read
 * what arrived before, so while a response is pending the entry stays until sweep() finds the
 * socket released. A socket that is connected anew has no bytes of its old connection any more.
 */
static __always_inline int on_state(u64 *ctx)
{
	u64 sk = ctx[0];
	int state = ctx[2];
	struct conn *conn;

	if (state != TCP_CLOSE && state != TCP_FIN_WAIT1 && state != TCP_LAST_ACK &&
	    state != TCP_SYN_SENT)
		return 0;
	conn = conn_of(sk);
	if (!conn) {
		forget_passed(sk);
		return 0;
	}
	if (state == TCP_SYN_SENT) { /* as if its struct sock were another's: see on_bytes() */
		conn->inode = 0;
		conn->verify = 1;
		sweep_later(sk);
		return 0;
	}
	/*
	 * Only the owner's close removes the entry here. A reset comes in an interrupt, while
	 * another CPU may be using the entry.
	 */
	if (!conn->pending && !held_of(conn) && state != TCP_CLOSE) {
		if ((kernel_u16(sk + OFF_SOCK_SHUTDOWN) & 3) == SHUTDOWN_BOTH) {
			take_last_missed(conn, sk);
			end_last_response(conn);
			drop_conn(sk, conn->share);
		}
	} else if (!conn->verify) {
		conn->verify = 1;
		sweep_later(sk);
	}
	return 0;
}

int inet_sock_set_state(u64 *ctx)
{
	preempt_disable();
	on_state(ctx);
	preempt_enable();
	return 0;
}

#ifdef PREEMPT_DISABLE_CALL
/* The same, for ends that the programs before were skipped for (hooks.h); twice does no harm. */
int inet_sock_set_state_2(u64 *ctx)
{
	preempt_disable();
	on_state(ctx);
	preempt_enable();
	return 0;
}

int inet_sock_set_state_3(u64 *ctx)
{
	preempt_disable();
	on_state(ctx);
	preempt_enable();
	return 0;
}
#endif

/* Unseen bytes may have contained anything: expect the next byte to begin a message. */
static __always_inline void resync(struct conn *conn)
{
	conn->lost = 0;
	conn->blurred = 0;
	conn->adrift = 1;
	conn->bad = 0;
	restart(&conn->streams[REQUESTS]);
	conn->head_bytes = 0;
	conn->line_len = 0;
	conn->call_len = 0;
	lose_response_framing(conn);
}

/* A connection is gone: take it off the list for the sweep. */
static __always_inline void forget_swept(u64 sk)
{
	if (passed_inode(sk))
		return; /* the entry is for another socket with the same struct sock */
	not_swept(sk);
}

/* Abandon a request of the connection that the step is about; return whether none is left. */
static __always_inline bool abandon_turn(struct scratch *s)
{
	struct conn *conn = &s->gone;

	if (s->next == STEP_REGAIN_SYNC)
		conn = conn_of(s->sk);
	if (!conn)
		return true;
	abandon_one(conn);
	return !conn->pending;
}

#ifdef LOOPS
int take_abandon_turn(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || abandon_turn(s);
}
#endif

/* Abandon a request, or some where steps are few. */
static __always_inline void abandon_some(struct scratch *s)
{
#ifdef LOOPS
	abandon_turn(s);
#else
	TAKE_TURNS(32, abandon_turn, ABANDON_TURN);
#endif
}

/* The step that abandons pending requests of s->gone; then, once none is left, s->then is next. */
static __always_inline u32 abandon_requests(struct scratch *s)
{
	struct conn *conn = &s->gone;

	end_last_response(conn);
	abandon_some(s);
	if (conn->pending)
		return STEP_ABANDON_REQUESTS;
	if (s->then == STEP_DONE)
		forget_swept(s->sk);
	return s->then;
}

/* The step for a call before which bytes were missed, now or earlier. */
static __always_inline u32 catch_up(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);

	if (!conn)
		return STEP_DONE;
	if (s->missed && !conn->lost)
		take_missed(conn, s->sk, s->response, s->inbound, s->missed, s->now);
	if (conn->lost)
		return STEP_REGAIN_SYNC;
	return STEP_READ_MESSAGE;
}

/*
 * The step for a connection that has lost sync, at its next call: abandon its pending requests, then
 * parse the call if it may begin a request. A response now would be that of an abandoned one.
 */
static __always_inline u32 regain_sync(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);

	if (!conn)
		return STEP_DONE;
	end_response(conn);
	abandon_some(s);
	if (conn->pending)
		return STEP_REGAIN_SYNC;
	resync(conn);
	pass_unseen(conn, s->sk, !s->inbound);
	return s->response ? STEP_DONE : STEP_READ_MESSAGE;
}

/* Abandon all requests of s->gone; not by steps where a loop can do it: sweep() needs no others. */
static __always_inline void abandon_gone(u64 *ctx, struct scratch *s)
{
#ifdef LOOPS
	s->next = STEP_ABANDON_REQUESTS;
	end_last_response(&s->gone);
	TAKE_TURNS(MAX_PIPELINE, abandon_turn, ABANDON_TURN);
	forget_swept(s->sk);
#else
	s->then = STEP_DONE;
	take_steps(ctx, s, STEP_ABANDON_REQUESTS);
#endif
}

/*
 * Whether nothing has passed on a connection since a time, and nothing is under way. A request whose
 * header section has been incomplete since `half_ns` is not waited for.
 */
static __always_inline bool idle_since(struct conn *conn, u64 idle_ns, u64 half_ns)
{
	struct stream *requests = &conn->streams[REQUESTS];
	bool half = requests->phase == PHASE_LINE || requests->phase == PHASE_HEAD;

	if (conn->pending || requests->left || under_way(&conn->streams[RESPONSES]))
		return false;
	if (half)
		idle_ns = half_ns;
	else if (requests->phase || requests->partial_len)
		return false;
	/* The number of the first request is the time when the connection was met. */
	return conn->first < idle_ns && conn->head_ns < idle_ns && conn->response_ns < idle_ns &&
	       conn->last_ns < idle_ns;
}

/* Whether a call at this very moment has changed an entry that has been taken out. */
static __always_inline bool used_meanwhile(struct conn *conn, struct conn *gone)
{
	return conn->head_ns != gone->head_ns || conn->pending != gone->pending ||
	       conn->streams[REQUESTS].phase != gone->streams[REQUESTS].phase;
}

/*
 * The program that user space runs for each key of swept_conns: has the socket been released? Then
 * its struct sock has no struct socket any more, or belongs to another socket. For any key of conns it
 * also lets connections go that have been idle since the time in the second argument, and incomplete
 * requests since that in the third. If both are RUN_IS_OVER, it counts the responses that are held back.
 */
#define RUN_IS_OVER 1

static __always_inline int sweep_socket(u64 *ctx)
{
	u64 key = ctx[0], idle_ns = ctx[1], half_ns = ctx[2], sk = MASKED(key), socket, inode,
	    passed;
	struct conn *conn = conns.lookup(&key);
	struct scratch *s = scratch_here();
	bool in_use;

	if (FILTER_SIZE && idle_ns == RUN_IS_OVER) { /* no more bytes will come */
		if (conn)
			settle_held(conn);
		return 0;
	}
	if (!conn && !swept_conns.lookup(&key))
		return 0; /* no program has met such a socket */
	socket = socket_of_sock(sk);
	inode = socket ? inode_number_of(socket) : 0;
	if (conn) {
		in_use = socket && inode == conn->inode;
		if (!s || (in_use && !idle_since(conn, idle_ns, half_ns)))
			return 0;
		s->sk = sk;
		if (!take_out(s, conn))
			return 0;
		/* What it does next is that of a connection just met. */
		if (in_use && used_meanwhile(conn, &s->gone))
			COUNT_LOSS(missed_calls);
		abandon_gone(ctx, s);
		return 0;
	}
	passed = passed_inode(sk);
	if (passed && passed == inode)
		return 0;
	forget_passed(sk);
	swept_conns.delete(&key);
	return 0;
}

int sweep(u64 *ctx)
{
	preempt_disable();
	sweep_socket(ctx);
	preempt_enable();
	return 0;
}
