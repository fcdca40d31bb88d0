/* SPDX-License-Identifier: MIT */
/*
 * The attached programs, which see bytes pass. sock_recv_length and sock_send_length (Linux 6.3 and
 * newer) run where bytes go through a socket; on older kernels sys_exit runs at the return of every
 * system call. sock_recv_record and sock_send_record run in place of the first two where programs can be
 * preempted. They find the socket, the direction and the address of the bytes, and pass the call
 * to on_bytes(), or to on_moved_bytes() if the bytes are in no buffer of the process. A call that
 * leaves its bytes in the socket (MSG_PEEK) is ignored.
 *
 * They write nothing but the position within a batch of messages (sendmmsg, recvmmsg).
 */
#pragma once

#include "counters.h"
#include "dispatch.h"
#include "kernel_structs.h"
#include "linked.h"
#include "maps.h"
#include "others.h"
#include "scratch.h"
#include "syscalls.h"
#include "unseen.h"

/* One of the two directions may be switched off (filter.events.reads, filter.events.writes). */
#define LOOKED_AT(inbound) ((inbound) ? LINKED(READS) : LINKED(WRITES))

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

#if defined(FRONT_SOCKETS) || defined(FRONT_TRIPLES)
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
static __always_inline int through_socket(u64 *ctx, u64 sk, s64 ret, u32 flags, bool inbound)
{
	void *task;
	struct registers *regs;
	u64 nr, at;

	if (dismissed(sk, inbound) || (inbound && not_taken(sk, flags)))
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

static __always_inline int through_length(u64 *ctx, bool inbound)
{
	preempt_disable();
	through_socket(ctx, ctx[0], (s32)ctx[1], ctx[2], inbound);
	preempt_enable();
	return 0;
}

#ifdef FRONT_TRIPLES
/*
 * Where a program can be preempted (kernel_structs.h), a task may lose its CPU in the middle of it, at the
 * latest where it turns preemption on again. Until the task gets the CPU back the kernel skips the
 * program there, for all other tasks. So there are three for each tracepoint, attached one after the
 * other. Each looks at a mark that those before it have left in the task, and handles the call if they
 * were skipped; so a call counts once, and all three have to be skipped for it to be missed.
 *
 * The first is run as perf's where that can be: it is given the record that perf makes of
 * the tracepoint, with preemption off from before the kernel looks whether the program may run until after
 * it has ended, so that no task is ever held up in it. But the kernel skips it while a task has lost the
 * CPU within bpf(2), with a map.
 */
#define CREATE 1 /* BPF_LOCAL_STORAGE_GET_F_CREATE */

enum mark { NOT_HANDLED, SECOND_HAS_SEEN, HANDLED };

/* Marks of a task's call, by direction. The loader makes it a storage of tasks. */
struct marks {
	u8 of[2];
	u8 unused[2];
};
BPF_F_TABLE("hash", u32, struct marks, marks, 1, 0);

/* Return the mark of the current task; 0: it has none, or there is no memory for it. */
static __always_inline u8 *mark_of(bool inbound)
{
	struct marks *found = marks.task_storage_get((void *)bpf_get_current_task_btf(), 0, CREATE);

	return found ? &found->of[inbound] : 0;
}

/* Whether the first program is to handle a call; without a mark it leaves that to the others. */
static __always_inline bool marked(bool inbound)
{
	u8 *mark = mark_of(inbound);

	if (mark)
		*mark = HANDLED;
	return mark;
}

static __always_inline int stand_in(u64 *ctx, bool inbound, bool last)
{
	u8 *mark = mark_of(inbound), before;

	if (!mark)
		return 0;
	before = *mark;
	*mark = last ? NOT_HANDLED : SECOND_HAS_SEEN;
	/* What the second finds of itself has been left by a call before, for which the third was skipped. */
	if (before == HANDLED || (last && before == SECOND_HAS_SEEN))
		return 0;
	preempt_disable();
	COUNT_LOSS(stood_in);
	preempt_enable();
	return through_length(ctx, inbound);
}

int sock_recv_length_2(u64 *ctx)
{
	return stand_in(ctx, true, false);
}

int sock_send_length_2(u64 *ctx)
{
	return stand_in(ctx, false, false);
}

int sock_recv_length_3(u64 *ctx)
{
	return stand_in(ctx, true, true);
}

int sock_send_length_3(u64 *ctx)
{
	return stand_in(ctx, false, true);
}
#else
#define marked(inbound) true
#endif

#if defined(FRONT_TRIPLES) && defined(OFF_RECORD_SK)
#define RECORD(type, record, offset) (*(type *)((u8 *)(record) + (offset)))

static __always_inline int through_record(u64 *record, bool inbound)
{
	if (!marked(inbound))
		return 0;
	return through_socket(record, RECORD(u64, record, OFF_RECORD_SK),
			      RECORD(s32, record, OFF_RECORD_RET),
			      RECORD(u32, record, OFF_RECORD_FLAGS), inbound);
}

int sock_recv_record(u64 *record)
{
	return through_record(record, true);
}

int sock_send_record(u64 *record)
{
	return through_record(record, false);
}
#endif

int sock_recv_length(u64 *ctx)
{
	return marked(true) ? through_length(ctx, true) : 0;
}

int sock_send_length(u64 *ctx)
{
	return marked(false) ? through_length(ctx, false) : 0;
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
		on_moved_bytes(as_number(sock_of(socket)), inbound, bytes);
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
	sk = as_number(sock_of(socket));
	if (dismissed(sk, inbound))
		return 0;
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
