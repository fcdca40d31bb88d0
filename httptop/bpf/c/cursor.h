/*
 * The bytes of one call: where they are in user memory, taken window by window into data[], and the
 * programs that hand them on to each other.
 */
#pragma once

#include "kernel_structs.h"
#include "maps.h"
#include "scratch.h"
#include "syscalls.h"

/*
 * Programs hand a call on by next_program.call(ctx, NEXT_...), with the name of the program behind
 * NEXT_. The loader numbers them (CHAIN in bpf/build/loader.py).
 */

/* What follows when all that is pending on a connection has been abandoned. */
#define THEN_FIRST 0 /* another socket has its place in memory: these are its first bytes */
#define THEN_RESYNC 1 /* something was not seen, the connection goes on */
#define THEN_NOTHING 2

/*
 * The kernel allows a call 33 tail calls. After so many programs the rest of its bytes goes to user
 * space, which has it taken up from there; some are left for that.
 */
#define STEPS 29

#ifdef FRONT_SYSCALLS
/* A call may have been several messages, one after the other. */
static __always_inline void next_message(struct scratch *s)
{
	u64 iov = 0;
	u32 length = 0;

	if (!s->messages || read_user(&iov, sizeof(iov), (void *)(s->message + MSGHDR_IOV)) ||
	    read_user(&length, sizeof(length), (void *)(s->message + MMSGHDR_SENT)))
		return;
	s->messages--;
	s->message += MMSGHDR_LEN;
	s->message_left = length;
	s->iov = iov;
}
#define IN_MESSAGE(s) ((s)->message_left)
#else
#define next_message(s)
#define IN_MESSAGE(s) ((s)->left)
#endif

/* Go on to the next iovec that is not empty; false: there is nothing left that can be looked at. */
static __always_inline bool next_piece(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 16; i++) {
		u64 vector[2] = {};

		if (s->piece || !s->left)
			break;
		if (!IN_MESSAGE(s))
			next_message(s);
		if (!s->iov || !IN_MESSAGE(s) || read_user(vector, sizeof(vector), (void *)s->iov))
			break;
		s->iov += sizeof(vector);
		s->buf = vector[0];
		s->piece = vector[1] < IN_MESSAGE(s) ? vector[1] : IN_MESSAGE(s);
	}
	return s->piece != 0;
}

/* Go on with a program; where there have been too many, come back later. */
static __always_inline void go_on(u64 *ctx, struct scratch *s, const u32 next)
{
	if (++s->steps < STEPS)
		next_program.call(ctx, next);
	next_program.call(ctx, NEXT_DEFER_BYTES);
}

/* The last program of a call returns. */
static __always_inline int end_call(struct scratch *s, int result)
{
	u32 zero = 0;
	u64 *inode = s->taken_up ? taking_up.lookup(&zero) : 0;

	if (inode)
		*inode = 0;
	return result;
}

static __always_inline void skip(struct scratch *s, u32 bytes)
{
	s->buf += bytes;
	s->left -= bytes;
	s->piece -= bytes;
#ifdef FRONT_SYSCALLS
	s->message_left -= bytes;
#endif
}

/*
 * Append new bytes to data[..have), at most a window, or as many as the line of a chunk may have
 * where one is due; return how many came. 0: they cannot be read.
 */
static __always_inline u32 fill(struct scratch *s, bool chunk)
{
	u32 most = chunk ? CHUNK_LINE : WINDOW;
	u32 n = s->piece < most ? s->piece : most, at = s->have;

	asm volatile("" : "+r"(n), "+r"(at));
	n &= 2047;
	at &= 511;
	if (n > WINDOW || at > CARRY + CARRY_LEN)
		return 0;
	if (read_user(&s->data[at], n, (void *)s->buf))
		return 0;
	s->have = at + n;
	return n;
}

/* Where a TCP connection is in the bytes that its owner has taken, or sent, in all. */
static __always_inline u32 position_of(u64 sk, bool inbound)
{
	return kernel_u64(sk + (inbound ? OFF_TCP_COPIED_SEQ : OFF_TCP_WRITE_SEQ));
}

/*
 * How many of `left` bytes that were to come until the position `end` are still to come, now that
 * the position is `at`. Bytes may pass unseen: spliced out of a socket, say.
 */
static __always_inline u64 still_to_come(u32 at, u32 end, u64 left)
{
	s32 now = end - at;

	if (left >> 31 || now >= (s64)left)
		return left;
	return now > 0 ? now : 0;
}
