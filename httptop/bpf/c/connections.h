/* SPDX-License-Identifier: MIT */
/*
 * Connections: made, taken over by another process, passed over where the filter of the run
 * excludes them. Their ends are in close.h.
 *
 * Writes the maps conns, swept_conns and left_out. Called by on_bytes() for known connections, and
 * with the scratch by the programs that find new ones.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "filter.h"
#include "filter_state.h"
#include "kernel_structs.h"
#include "lifecycle.h"
#include "maps.h"
#include "scratch.h"

/* Note the current thread as the owner, where rows go by threads. */
static __always_inline void note_thread(struct conn *conn)
{
#ifdef THREAD_NAMES
	conn->thread = bpf_get_current_pid_tgid();
#endif
}

/*
 * List the connection in s for the sweep if no tracepoint will tell its end, or has told it
 * already; return whether it is listed.
 */
static __always_inline u8 list_for_sweep(struct scratch *s)
{
	u8 one = 1;

	if (!s->unix_socket && (kernel_u16(s->sk + OFF_SOCK_STATE) & 0xff) != TCP_CLOSE)
		return 0;
	swept_conns.update(&s->sk, &one);
	return 1;
}

/* Make a connection of what is in s, and return it; 0: no room. */
static __always_inline struct conn *new_conn(struct scratch *s)
{
	u32 zero = 0;
	struct conn *conn = blank_conn.lookup(&zero);

	if (!conn || conns.update(&s->sk, conn))
		return 0;
	conn = conns.lookup(&s->sk);
	if (!conn)
		return 0;
	conn->side = s->side;
	conn->sk = s->sk;
	conn->first =
		bpf_ktime_get_ns(); /* beyond the numbers of who had this struct sock before */
	conn->inode = s->inode;
	conn->tgid = s->tgid;
	process_name(conn->comm);
	note_thread(conn);
	keep_truths(conn, s->truths);
	s->fresh = 0;
	conn->verify = list_for_sweep(s);
	conn->tcp = !s->unix_socket && kernel_u16(s->sk + OFF_SOCK_PROTOCOL) == IPPROTO_TCP;
	return conn;
}

/*
 * Take a connection out of the map, into s->gone; return whether it is ours now. Only one of those
 * who find it over gets it: the sweep of user space, or the first bytes of another socket in its
 * place.
 */
static __always_inline bool take_out(struct scratch *s, struct conn *conn)
{
	copy_words((u8 *)&s->gone, (u8 *)conn, sizeof(struct conn) / 8);
	return !conns.delete(&s->sk);
}

/*
 * Another socket has the place in memory of a connection that is over, of which bytes still wait in
 * user space (deferred.h): keep it under its inode's number, which is no address, until it is
 * swept. Return whether that was done; else its requests are to be abandoned.
 */
static __always_inline bool set_aside(struct scratch *s, struct conn *conn)
{
	u64 inode = conn->inode;
	u32 zero = 0;
	u64 *at_work = taking_up.lookup(&zero);
	u8 one = 1;

	if (!at_work)
		return false;
	/* take_up() looks at this after it has said what it works at; we, the other way round. */
	__sync_fetch_and_add(&conn->leaving, 1);
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 2048; i++) { /* a run takes microseconds, and so does this */
		if (*(volatile u64 *)at_work != inode)
			break;
		bpf_ktime_get_ns();
	}
	if (*(volatile u64 *)at_work == inode) {
		lose_call(conn);
		return false;
	}
	copy_words((u8 *)&s->gone, (u8 *)conn, sizeof(struct conn) / 8);
	s->gone.leaving = 0;
	if (conns.update(&inode, &s->gone) || swept_conns.update(&inode, &one))
		return false;
	conns.delete(&s->sk);
	return true;
}

/* Whether a connection of this thread is in another's hands now, where rows go by threads. */
static __always_inline bool other_thread(u32 thread)
{
#ifdef THREAD_NAMES
	return thread != (u32)bpf_get_current_pid_tgid();
#endif
	return false;
}

/*
 * Remember that the connection in s is left out: to find that out at each call costs more than to
 * count its requests.
 */
static __always_inline void pass_over(struct scratch *s)
{
	struct passed passed = {.inode = s->inode,
				.tgid = s->tgid,
				.thread = bpf_get_current_pid_tgid(),
				.side = s->side,
				.verify = list_for_sweep(s)};

	if (FILTER_CONNECTION)
		left_out.update(&s->sk, &passed);
}

/* Return the inode of a connection that is left out; 0: none is known at this address. */
static __always_inline u64 passed_inode(u64 sk)
{
	struct passed *passed = FILTER_CONNECTION ? left_out.lookup(&sk) : 0;

	return passed ? passed->inode : 0;
}

/* Whatever is at this address is not known to be left out any more. */
static __always_inline void forget_passed(u64 sk)
{
	if (FILTER_CONNECTION)
		left_out.delete(&sk);
}

/*
 * Whether a connection is known to be left out. Another process may be selected, from a request on.
 */
static __always_inline bool passed_over(u64 sk, u64 socket, u32 tgid, bool inbound)
{
	struct passed *passed = FILTER_CONNECTION ? left_out.lookup(&sk) : 0;

	if (!passed)
		return false;
	if (passed->verify &&
	    passed->inode != inode_number_of(socket ? socket : socket_of_sock(sk)))
		return false; /* its memory serves another socket now */
	if (inbound != (passed->side == SIDE_SERVER))
		return true;
	return passed->tgid == tgid && !other_thread(passed->thread);
}

/*
 * Whether another process, or thread where rows go by threads, than before has the connection now.
 */
static __always_inline bool changed_hands(struct conn *conn, u32 tgid)
{
#ifdef THREAD_NAMES
	if (other_thread(conn->thread))
		return true;
#endif
	return conn->tgid != tgid;
}

/*
 * Make the current process the owner of a connection that changed hands. False: it brings a
 * request, and the filter of the run excludes its requests; the connection is gone then if nothing
 * waits on it.
 */
static __always_inline bool change_owner(struct conn *conn, u64 sk, u32 tgid, bool request)
{
	if (FILTER_CONNECTION && !request)
		return true; /* whoever responds to a selected request */
	if (!owner_selected(conn, sk, tgid)) {
		if (!conn->pending && !conn->deferred) {
			end_response(conn);
			conns.delete(&sk);
		}
		return false;
	}
	conn->tgid = tgid;
	conn->call_len = 0; /* the endpoint has another process name now, perhaps */
	if (conn->phase != PHASE_LINE)
		conn->line_len = 0;
	process_name(conn->comm);
	note_thread(conn);
	return true;
}
