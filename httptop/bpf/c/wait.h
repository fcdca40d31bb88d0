/* SPDX-License-Identifier: MIT */
/*
 * Wait: how long the first bytes of a request lay in the server's socket before it read them.
 *
 * The kernel says of every socket when something becomes ready in it. To look at that costs, so it
 * is done in windows: user space attaches the program for a while. What is noted in a window may be
 * read long after it: that counts, or long waits would be cut off.
 *
 * A wrong wait is worse than none, so what is noted is the time of a packet of which two things are
 * sure:
 *
 * - It found the socket empty: it alone is in the queue, and as it came. A packet behind others, or
 *   one that the kernel has joined to the one before, tells nothing of the first of them, which may
 *   have come before the window. So the rule needs no memory of what came while nobody looked.
 * - The read in hand begins with it: of TCP the mark is its first sequence number, which must be
 *   where the read began. Of Unix sockets it is the packet itself, which the read must have taken
 *   something of; each read that we see takes the mark away, and of a socket that we know nothing
 *   of yet the other end must be the same. So a struct sock may be another's by now, and packets
 *   may come, or be read, on another CPU meanwhile.
 *
 * Of a socket with no connection yet (often not even accepted) the note is kept in one of a fixed
 * number of slots; two that share a slot cost each other a wait. A note is used up by the next
 * read, and counts if a request begins at the first byte of that, with none before it pending.
 */
#pragma once

#include "abi.h"
#include "conn.h"
#include "kernel_structs.h"
#include "maps.h"
#include "scratch.h"

#ifdef SEES_READY
#define FAMILY_INET 2
#define TCP_ESTABLISHED 1 /* connected Unix sockets are that, too */
#define SHUTDOWN_RECEIVE 1
#define TCP_MARK (1ULL << 32)
#define IS_TCP(mark) ((mark) >> 33 == 0) /* else the address of a struct sk_buff */
#define STORED asm volatile("" ::: "memory") /* what stands before is, before what follows */

/* Return the slot for a socket of which no connection is known. */
static __always_inline struct ready *ready_slot(u64 sk)
{
	u32 at = sk * 0x9e3779b97f4a7c15ULL >> (64 - READY_BITS);

	return ready.lookup(&at);
}

/* Return the inode of the other end of a Unix socket; 0: there is none. */
static __always_inline u64 other_end(u64 sk)
{
	u64 peer = kernel_u64(sk + OFF_UNIX_PEER), socket = peer ? socket_of_sock(peer) : 0;

	return socket ? inode_number_of(socket) : 0;
}

/*
 * Return the bytes of a TCP packet as its own headers tell; what was joined to it is not among
 * them.
 */
static __always_inline u32 told_length(u64 skb)
{
	u64 head = kernel_u64(skb + OFF_SKB_HEAD), start = 0;
	u32 network = kernel_u16(skb + OFF_SKB_NETWORK);
	u32 transport = kernel_u16(skb + OFF_SKB_TRANSPORT);
	u32 length = (kernel_u16(head + transport + 12) >> 4 & 15) * 4 + transport - network;

	read_kernel(&start, sizeof(start), (void *)(head + network));
	if ((start >> 4 & 15) == 4)
		return bpf_ntohs((u16)(start >> 16)) - length;
	return bpf_ntohs((u16)(start >> 32)) + 40 - length;
}

/*
 * Return the mark of the packet that is alone in a socket, unread and as it came; 0: there is none
 * such.
 */
static __always_inline u64 lone_packet(u64 sk, bool unix_socket)
{
	u64 skb = kernel_u64(sk + OFF_SOCK_QUEUE);
	u32 seq, length;

	if (kernel_u32(sk + OFF_SOCK_QUEUED) != 1)
		return 0;
	if (unix_socket)
		return kernel_u32(skb + OFF_SKB_UNIX_CONSUMED) ? 0 : skb;
	seq = kernel_u32(skb + OFF_SKB_TCP_SEQ);
	length = kernel_u32(skb + OFF_SKB_LEN);
	/*
	 * The end of the stream takes a number, too, and may have been joined to what came before.
	 */
	if (seq != kernel_u32(sk + OFF_TCP_COPIED_SEQ) ||
	    kernel_u32(skb + OFF_SKB_TCP_END) - seq != length || told_length(skb) != length)
		return 0;
	return TCP_MARK | seq;
}

/* Whether a read that is just over, of so many bytes, began with the packet of this mark. */
static __always_inline bool began_with(u64 sk, u64 mark, u32 bytes)
{
	if (IS_TCP(mark)) {
		u32 begun = kernel_u32(sk + OFF_TCP_COPIED_SEQ) - bytes;
		bool ended = kernel_u16(sk + OFF_SOCK_SHUTDOWN) & SHUTDOWN_RECEIVE;

		/* It may have taken the number of the stream's end, too. */
		return begun == (u32)mark || (ended && begun - 1 == (u32)mark);
	}
	return kernel_u64(sk + OFF_SOCK_QUEUE) != mark ||
	       kernel_u32(mark + OFF_SKB_UNIX_CONSUMED) != 0;
}

/* Whether a socket is a stream of a kind that is looked at, and connected. */
static __always_inline bool connected_stream(u64 sk, u16 family)
{
	if ((kernel_u16(sk + OFF_SOCK_STATE) & 0xff) != TCP_ESTABLISHED)
		return false;
	if (family == FAMILY_UNIX)
		return kernel_u16(sk + OFF_SOCK_TYPE) == SOCK_STREAM;
	return (family == FAMILY_INET || family == FAMILY_INET6) &&
	       kernel_u16(sk + OFF_SOCK_PROTOCOL) == IPPROTO_TCP;
}

/*
 * The program that sees something become ready in a socket; attached for a while now and then.
 * Notes the packet with the connection, or in a slot.
 */
int sk_data_ready(u64 *ctx)
{
	u64 sk = ctx[0], mark;
	struct conn *conn = conns.lookup(&sk);
	struct ready *slot;
	u16 family;

	if (conn && (conn->side != SIDE_SERVER || conn->phase != PHASE_IDLE))
		return 0;
	family = kernel_u16(sk + OFF_SOCK_FAMILY);
	if (!conn && !connected_stream(sk, family))
		return 0;
	mark = lone_packet(sk, family == FAMILY_UNIX);
	if (!mark)
		return 0;
	/* Its reader may be at work on another CPU: a time never stands beside another's mark. */
	if (conn) {
		if (IS_TCP(mark) && conn->ready && conn->ready_mark == mark)
			return 0; /* told again */
		conn->ready = 0;
		STORED;
		conn->ready_mark = mark;
		STORED;
		conn->ready_ns = bpf_ktime_get_ns();
		STORED;
		conn->ready = 1;
		return 0;
	}
	slot = ready_slot(sk);
	if (!slot || (IS_TCP(mark) && slot->sk == sk && slot->mark == mark))
		return 0;
	slot->sk = 0;
	STORED;
	slot->ns = bpf_ktime_get_ns();
	slot->mark = mark;
	slot->peer = IS_TCP(mark) ? 0 : other_end(sk);
	STORED;
	slot->sk = sk;
	return 0;
}
#endif

/*
 * A read of so many bytes is over: use up the socket's note, and return when the read's first byte
 * became ready. 0: that is not known.
 */
static __always_inline u64 take_ready(struct conn *conn, u64 sk, u32 bytes)
{
#ifdef SEES_READY
	struct ready *slot;
	u64 ns, mark;

	if (conn) {
		if (!conn->ready)
			return 0;
		conn->ready = 0;
		STORED;
		ns = conn->ready_ns;
		STORED;
		mark = conn->ready_mark;
	} else {
		slot = ready_slot(sk);
		if (!slot || slot->sk != sk)
			return 0;
		ns = slot->ns;
		mark = slot->mark;
		if (!IS_TCP(mark) && (!slot->peer || slot->peer != other_end(sk)))
			ns = 0;
		STORED;
		if (slot->sk != sk)
			return 0;
		slot->sk = 0;
	}
	return began_with(sk, mark, bytes) ? ns : 0;
#endif
	return 0;
}

/*
 * Return how long a request waited whose first byte is the next one of the call; 0: that is not
 * known.
 */
static __always_inline u64 wait_of(struct scratch *s)
{
	return s->ready_ns && s->left == s->call_len ? s->now - s->ready_ns : 0;
}
