/* SPDX-License-Identifier: MIT */
/*
 * The attached programs, which see bytes pass. sock_recv_length and sock_send_length (Linux 6.3 and
 * newer) run where bytes go through a socket; on older kernels sys_exit runs at the return of every
 * system call. They find the socket, the direction and the address of the bytes, and pass the call
 * to on_bytes(), or to on_moved_bytes() if the bytes are in no buffer of the process. A call that
 * leaves its bytes in the socket (MSG_PEEK) is ignored.
 *
 * They write nothing but the position within a batch of messages (sendmmsg, recvmmsg).
 */
#pragma once

#include "counters.h"
#include "dispatch.h"
#include "kernel_structs.h"
#include "maps.h"
#include "scratch.h"
#include "syscalls.h"
#include "unseen.h"

/* One of the two directions may be switched off (filter.events.reads, filter.events.writes). */
#if defined(NO_READS)
#define LOOKED_AT(inbound) (!(inbound))
#elif defined(NO_WRITES)
#define LOOKED_AT(inbound) (inbound)
#else
#define LOOKED_AT(inbound) true
#endif

/*
 * Whether a read leaves its bytes in the socket, or discards them: MSG_TRUNC does so on TCP; on
 * Unix sockets it has no such effect.
 */
static __always_inline bool not_taken(u64 sk, u32 flags)
{
	if (!(flags & (MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE)))
		return false;
	return flags & (MSG_PEEK | MSG_ERRQUEUE) || kernel_u16(sk + OFF_SOCK_FAMILY) != FAMILY_UNIX;
}

#ifdef FRONT_SOCKETS
/* Return how many bytes a message's iovecs have room for; counting stops beyond `enough`. */
static __always_inline u64 room_of(u64 message, u64 enough)
{
	u64 header[2] = {}, room = 0; /* address of the iovecs, and how many */

	if (read_user(header, sizeof(header), (void *)(message + MSGHDR_IOV)))
		return 0;
#pragma clang loop unroll(disable)
	for (u64 i = 0; i < 16; i++) {
		u64 vector[2] = {};

		if (i >= header[1] || room > enough ||
		    read_user(vector, sizeof(vector), (void *)(header[0] + i * sizeof(vector))))
			break;
		room += vector[1];
	}
	return room;
}

/*
 * Return the address of the message that a sendmmsg or recvmmsg has just moved; 0: ignore it. The
 * tracepoint fires once per message and does not say which, so we count: up to an error, to a
 * message that was moved in part, or to the last of the array. The kernel writes the length of each
 * message before it goes on to the next.
 */
static __always_inline u64 message_of(struct registers *regs, u64 sk, s64 ret)
{
	u64 thread = bpf_get_current_pid_tgid(), array = regs->si;
	struct batch *known = batches.lookup(&thread), batch = {.array = array, .last = ret};
	u32 at = 0, length = 0;

	if (ret <= 0) {
		batches.delete(&thread);
		return 0;
	}
	if (kernel_u16(sk + OFF_SOCK_TYPE) != SOCK_STREAM)
		return 0;
	if (known && known->array == array && known->next < (u32)regs->dx) {
		at = known->next;
		if (read_user(&length, sizeof(length),
			      (void *)(array + at * MMSGHDR_LEN - MMSGHDR_LEN + MMSGHDR_SENT)) ||
		    length != known->last)
			at = 0;
	}
	array += (u64)at * MMSGHDR_LEN;
	batch.next = at + 1;
	if (regs->orig_ax == NR_sendmmsg && room_of(array, ret) > ret)
		batches.delete(&thread);
	else
		batches.update(&thread, &batch);
	return array;
}

/*
 * Both tracepoints fire only where bytes go through a socket, so other system calls cost nothing.
 * The registers that the process entered the kernel with tell where the bytes are.
 */
static __always_inline int through_socket(u64 *ctx, bool inbound)
{
	u64 sk = ctx[0];
	s64 ret = (s32)ctx[1];
	void *task;
	struct registers *regs;
	u64 nr, at;

	if (!LOOKED_AT(inbound))
		return 0;
	if (inbound && not_taken(sk, ctx[2]))
		return 0;
	task = bpf_get_current_task_btf();
	regs = task_registers(task);
	nr = regs->orig_ax;
	at = regs->si;
	if (IN_BATCH(nr, inbound))
		at = message_of(regs, sk, ret);
	if (ret <= 0 || regs->cs == USER32_CS)
		return 0;
	if (!at || (nr > 63 && !IN_BATCH(nr, inbound)) ||
	    (nr < 64 && !(CALL(nr) & (inbound ? INBOUND : OUTBOUND))) || nr == NR_sendfile) {
		on_moved_bytes(sk, inbound, ret);
		return 0;
	}
	return on_bytes(ctx, task, regs, 0, sk, inbound, ret, at, 0);
}

#ifdef PREEMPT_DISABLE_CALL
/*
 * Where programs can be preempted (kernel_structs.h), a task may lose its CPU in the middle of a program,
 * at the latest where preemption is turned on again. Until it gets the CPU back the kernel skips this
 * program there, for all other tasks. So there are three of each, attached one after the other: the
 * second and the third take the calls that those before were skipped for.
 */
/* The task in the first program for outbound calls on this CPU, and for inbound ones; or 0. */
BPF_PERCPU_ARRAY(under_way, u64, 2);

static __always_inline int first_run(u64 *ctx, bool inbound)
{
	u32 at = inbound;
	u64 *task;

	preempt_disable();
	task = under_way.lookup(&at);
	if (task)
		*task = (u64)bpf_get_current_task_btf();
	through_socket(ctx, inbound);
	preempt_enable();
	if (task)
		*task = 0;
	return 0;
}

/*
 * Whether the first program was skipped for this call, which has just ended. On a TCP connection the
 * sequence number says so. Otherwise it was skipped if another task is held up in it: only if this task
 * had lost its CPU between the two, and to such a one, would a call count twice.
 */
static __always_inline bool skipped(u64 sk, bool inbound)
{
	u32 at = inbound;
	struct conn *conn = conns.lookup(&sk);
	u64 *task;

	if (conn && conn->tcp)
		return *seen_of(conn, inbound) != position_of(sk, inbound);
	task = under_way.lookup(&at);
	return task && *task && *task != (u64)bpf_get_current_task_btf();
}

static __always_inline int later_run(u64 *ctx, bool inbound)
{
	preempt_disable();
	if ((s32)ctx[1] > 0 && skipped(ctx[0], inbound))
		through_socket(ctx, inbound);
	preempt_enable();
	return 0;
}

int sock_recv_length_2(u64 *ctx)
{
	return later_run(ctx, true);
}

int sock_recv_length_3(u64 *ctx)
{
	return later_run(ctx, true);
}

int sock_send_length_2(u64 *ctx)
{
	return later_run(ctx, false);
}

int sock_send_length_3(u64 *ctx)
{
	return later_run(ctx, false);
}
#else
#define first_run(ctx, inbound) through_socket(ctx, inbound)
#endif

int sock_recv_length(u64 *ctx)
{
	return first_run(ctx, true);
}

int sock_send_length(u64 *ctx)
{
	return first_run(ctx, false);
}
#else
/* sys_exit() runs at the return of every system call; nearly all are dismissed at once. */

#define MOST_MESSAGES 32

/* Return how many bytes the messages of a sendmmsg or recvmmsg moved in total. */
static __always_inline u64 bytes_of_batch(u64 array, u32 messages)
{
	struct scratch *s = scratch_here();

	if (!s)
		return 0;
	s->number = 0; /* in memory: else the verifier follows every possible sum */
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < MOST_MESSAGES; i++) {
		u32 length = 0;

		if (i >= messages || read_user(&length, sizeof(length),
					       (void *)(array + i * MMSGHDR_LEN + MMSGHDR_SENT)))
			break;
		s->number += length;
	}
	if (messages > MOST_MESSAGES)
		COUNT_LOSS(lost_pieces); /* the other messages are not parsed */
	return s->number;
}

static __always_inline void moved_through(void *task, u32 fd, bool inbound, u64 bytes)
{
	u64 socket = socket_of(task, fd);

	if (socket)
		on_moved_bytes(sock_of(socket), inbound, bytes);
}

static __always_inline int through_call(u64 *ctx)
{
	s64 ret = ctx[1];
	struct registers *regs;
	u64 nr, sk, socket;
	u32 flags = 0, messages = 0;
	bool inbound;
	void *task;

	if (ret <= 0)
		return 0;
	task = bpf_get_current_task_btf();
	regs = task_registers(task);
	nr = regs->orig_ax;
	if (nr > 63) {
		if (nr == NR_splice && regs->cs != USER32_CS) {
			moved_through(task, regs->di, true, ret);
			moved_through(task, regs->dx, false, ret);
		}
		inbound = nr == NR_recvmmsg;
		if (!inbound && nr != NR_sendmmsg)
			return 0;
		messages = ret;
	} else {
		if (!(CALL(nr) & (INBOUND | OUTBOUND)))
			return 0;
		inbound = (CALL(nr) & INBOUND) != 0;
	}
	if (regs->cs == USER32_CS || !LOOKED_AT(inbound))
		return 0;
	if (nr == NR_sendfile) {
		moved_through(task, regs->di, false, ret);
		return 0;
	}
	socket = socket_of(task, regs->di);
	if (!socket)
		return 0;
	sk = sock_of(socket);
	if (nr == NR_recvfrom || nr == NR_recvmmsg)
		flags = regs->r10;
	else if (nr == NR_recvmsg)
		flags = regs->dx;
	if (not_taken(sk, flags))
		return 0;
	if (messages)
		ret = bytes_of_batch(regs->si, messages);
	if (ret <= 0)
		return 0;
	return on_bytes(ctx, task, regs, socket, sk, inbound, ret, regs->si, messages);
}

int sys_exit(u64 *ctx)
{
	preempt_disable();
	through_call(ctx);
	preempt_enable();
	return 0;
}
#endif
