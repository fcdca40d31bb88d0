/* SPDX-License-Identifier: MIT */
/*
 * Tracked connections: created, taken over by another process, or passed over where the run's
 * filter excludes them. Their ends are in close.h.
 *
 * Writes the maps conns, swept_conns and left_out. Called by on_bytes() for tracked connections,
 * and with the scratch by the programs that find new ones.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "cursor.h"
#include "filter.h"
#include "filter_state.h"
#include "kernel_structs.h"
#include "lifecycle.h"
#include "linked.h"
#include "maps.h"
#include "others.h"
#include "parties.h"
#include "pid_namespace.h"
#include "scratch.h"
#include "shares.h"
#include "steps.h"

/* Record the current thread as the owner, where rows are per thread. */
static __always_inline void note_thread(struct conn *conn)
{
	if (THREAD_NAMES)
		conn->thread = bpf_get_current_pid_tgid();
}

/* Note the current process's name and user. */
static __always_inline void note_process_of(struct conn *conn, struct scratch *s)
{
	process_name(conn->comm);
	conn->uid = bpf_get_current_uid_gid();
	conn->share = share_of_tenant(s, conn->comm, conn->uid, conn->side);
}

/* Stop tracking a connection; return whether it was tracked. */
static __always_inline bool drop_conn(u64 sk, u32 share)
{
	u64 key = MASKED(sk);

	if (conns.delete(&key))
		return false;
	give_back(share, CONNECTIONS);
	return true;
}

/*
 * List the connection in s for the sweep if no tracepoint will report its end, or has already
 * reported it; return whether it is listed.
 */
static __always_inline u8 list_for_sweep(struct scratch *s)
{
	if (!s->unix_socket && (kernel_u16(s->sk + OFF_SOCK_STATE) & 0xff) != TCP_CLOSE)
		return 0;
	sweep_later(s->sk);
	return 1;
}

/* Start tracking the connection in s, and return its entry; 0: no room. A function of its own (linked.h). */
struct conn *track(struct scratch *s)
{
	u32 zero = 0;
	struct conn *conn = blank_conn.lookup(&zero);
	u64 key = MASKED(s->sk);

	if (!conn || conns.update(&key, conn))
		return 0;
	conn = conns.lookup(&key);
	if (!conn)
		return 0;
	look_again(s->sk);
	conn->side = s->side;
	conn->key = key;
	conn->first =
		bpf_ktime_get_ns(); /* higher than any number used before for this struct sock */
	conn->inode = s->inode;
	conn->tgid = s->tgid;
	note_own_pid(s->tgid);
	note_process_of(conn, s);
	note_other_end(conn, s->sk, s->unix_socket);
	conn->port = port_of(s->sk, s->side, s->unix_socket);
	conn->client_port = port_of(s->sk, !s->side, s->unix_socket);
	if (!take(conn->share, CONNECTIONS, MAX_CONNECTIONS)) {
		conns.delete(&key);
		return 0;
	}
	note_thread(conn);
	keep_truths(conn, s->truths);
	conn->verify = list_for_sweep(s);
	/* Where a layer above TCP encrypts, what a process writes is not as long as what is sent. */
	conn->tcp = !s->unix_socket && kernel_u16(s->sk + OFF_SOCK_PROTOCOL) == IPPROTO_TCP &&
		    !kernel_u64(s->sk + OFF_TCP_ULP);
	for (u32 inbound = 0; inbound < 2 && conn->tcp; inbound++)
		*seen_of(conn, inbound) = position_of(s->sk, inbound);
	return conn;
}

static struct conn *(*new_conn)(struct scratch *) = FUNCTION(TRACK);

/*
 * Move a connection from the map to s->gone; return whether this call did it. Both the sweep and
 * the first bytes on a reused struct sock may find that a connection is over; only one of them gets
 * it.
 */
static __always_inline bool take_out(struct scratch *s, struct conn *conn)
{
	copy_words((u8 *)&s->gone, (u8 *)conn, sizeof(struct conn) / 8);
	return drop_conn(s->sk, s->gone.share);
}

/* Whether the current thread is not `thread`; only where rows are per thread. */
static __always_inline bool other_thread(u32 thread)
{
	return THREAD_NAMES && thread != (u32)bpf_get_current_pid_tgid();
}

/*
 * Remember that the connection in s is excluded: deciding that at each call would cost more than
 * counting its requests.
 */
static __always_inline void pass_over(struct scratch *s)
{
	struct passed passed = {.inode = s->inode,
				.tgid = s->tgid,
				.thread = bpf_get_current_pid_tgid(),
				.side = s->side,
				.verify = list_for_sweep(s)};

	if (FILTER)
		left_out.update(&s->sk, &passed);
}

/* Return the inode number of the connection passed over at this address; 0: there is none. */
static __always_inline u64 passed_inode(u64 sk)
{
	struct passed *passed = FILTER ? left_out.lookup(&sk) : 0;

	return passed ? passed->inode : 0;
}

/* Forget that the connection at this address is passed over. */
static __always_inline void forget_passed(u64 sk)
{
	if (FILTER)
		left_out.delete(&sk);
}

/*
 * Whether a connection is passed over. If another process takes it over, with a request, it is
 * judged again: the filter may select that process.
 */
static __always_inline bool passed_over(u64 sk, u64 socket, u32 tgid, bool inbound)
{
	struct passed *passed = FILTER ? left_out.lookup(&sk) : 0;

	if (!passed)
		return false;
	if (passed->verify &&
	    passed->inode != inode_number_of(socket ? socket : socket_of_sock(sk)))
		return false; /* the struct sock has been reused */
	if (inbound != (passed->side == SIDE_SERVER))
		return true;
	return passed->tgid == tgid && !other_thread(passed->thread);
}

/*
 * Whether the connection is used by another process than before, or by another thread where rows
 * are per thread.
 */
static __always_inline bool changed_hands(struct conn *conn, u32 tgid)
{
	return conn->tgid != tgid || other_thread(conn->thread);
}

/*
 * Make the current process the owner of a connection that changed hands. False: it brings a
 * request, and the run's filter excludes its requests; the connection is then forgotten unless
 * something is pending on it.
 */
static __always_inline bool take_over(struct conn *conn, struct scratch *s)
{
	u64 sk = s->sk;
	u32 tgid = s->tgid;

	if (FILTER && s->response)
		return true; /* any process may respond to a selected request */
	if (!owner_selected(conn, sk, tgid)) {
		if (!conn->pending) {
			end_response(conn);
			drop_conn(sk, conn->share);
		}
		return false;
	}
	conn->tgid = tgid;
	note_own_pid(tgid);
	conn->call_len = 0; /* the process name may differ, and so the endpoint */
	conn->who.endpoint = 0;
	if (conn->streams[REQUESTS].phase != PHASE_LINE)
		conn->line_len = 0;
	give_back(conn->share, CONNECTIONS);
	note_process_of(conn, s);
	add_taken(conn->share, CONNECTIONS, 1);
	note_thread(conn);
	return true;
}

/* The step for a call of another process than before. */
static __always_inline u32 change_owner(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);

	if (!conn)
		return STEP_DONE;
	if (!take_over(conn, s))
		return STEP_DONE;
	if (s->missed || conn->lost)
		return STEP_CATCH_UP;
	return STEP_READ_MESSAGE;
}
