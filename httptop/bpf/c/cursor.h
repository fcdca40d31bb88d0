/* SPDX-License-Identifier: MIT */
/*
 * The bytes of one call: where they are in user memory, and how they are copied window by window
 * into data[].
 *
 * Reads and writes these members of the scratch: the position (iov, buf, left, piece, the messages)
 * and data[..have). Called by every step that parses bytes; the connection is not touched.
 */
#pragma once

#include "kernel_structs.h"
#include "maps.h"
#include "scratch.h"
#include "syscalls.h"

/*
 * While the kernel moves a page, to make a large one of many or to have it on another node, it cannot be
 * read; whoever owns it would wait for it, for some 100 us. So a step that cannot read is taken again, for
 * about a millisecond; where steps are few, hardly ever.
 */
#ifdef LOOPS
#define MOST_TRIES 1000
#else
#define MOST_TRIES 4
#endif

/* Whether to try once more in this call to read. */
static __always_inline bool may_try_again(struct scratch *s)
{
	return s->tries++ < MOST_TRIES;
}

#ifdef FRONT_SYSCALLS
/* A call may carry several messages: go on to the next, if there is one. */
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

/*
 * If buf is used up, go on to the next iovec that is not empty. False: no bytes are left that can
 * be read.
 */
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

/* Whether what next_piece() has not found may be in further iovecs. */
static __always_inline bool has_vector(struct scratch *s)
{
	return s->left && s->iov && IN_MESSAGE(s);
}

/* Step over bytes at buf, at most s->piece. */
static __always_inline void skip(struct scratch *s, u32 bytes)
{
	s->buf += bytes;
	s->left -= bytes;
	s->piece -= bytes;
#ifdef FRONT_SYSCALLS
	s->message_left -= bytes;
#endif
}

/* Have data[CARRY..) be set already, as far as an earlier look at the call has copied it. */
static __always_inline u32 refill(struct scratch *s)
{
	s->have = CARRY + s->filled;
	s->filled = 0;
	return s->have - CARRY;
}

/*
 * Append bytes at buf to data[..have), without stepping over them: at most WINDOW, or CHUNK_LINE
 * where the line of a chunk is expected. Return how many; 0: they cannot be read.
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

/* Return the sequence number up to which a TCP connection's owner has read, or written. */
static __always_inline u32 position_of(u64 sk, bool inbound)
{
	return READ_U32_AS(sk, TYPE_TCP_SOCK, inbound ? OFF_TCP_COPIED_SEQ : OFF_TCP_WRITE_SEQ);
}
