/* SPDX-License-Identifier: MIT */
/*
 * Wait: how long the first bytes of a request lay in the server's socket before it read them.
 *
 * The kernel has a hook for every time that a socket becomes readable. Using it costs CPU time, so
 * it is used in windows: user space attaches the program for a while. A packet recorded in a window
 * may be read long after it and still counts; otherwise long waits would be missed.
 *
 * A wrong wait is worse than none, so the recorded time is that of a packet for which two things
 * are certain:
 *
 * - It found the socket empty: it is alone in the queue, and as it arrived. A packet queued behind
 *   others, or one that the kernel has merged with the previous one, says nothing about the first
 *   of them, which may have arrived before the window. So the rule needs no record of what arrived
 *   outside of windows.
 * - The current read begins with it. For TCP the mark is the packet's first sequence number, which
 *   must be where the read began. For Unix sockets it is the packet's address, and the read must
 *   have taken bytes from it; each read that we see removes the mark, and for a socket that is not
 *   tracked yet the other end must be the same. So it does no harm if a struct sock has been
 *   reused, or if packets arrive, or are read, on another CPU meanwhile.
 *
 * For a socket that is not tracked yet (often not even accepted) the record is kept in one of a
 * fixed number of slots; of two sockets that share a slot, one loses its wait. A record is used up
 * by the next read, and counts if a request begins at the first byte of that read and no other
 * request is pending.
 */
#pragma once

#include "abi.h"
#include "conn.h"
#include "kernel_structs.h"
#include "maps.h"
#include "scratch.h"
#include "stream.h"

#ifdef SEES_READY
#define TCP_ESTABLISHED 1 /* connected Unix sockets have this state, too */
#define TCP_MARK (1ULL << 32)
#define IS_TCP(mark) ((mark) >> 33 == 0) /* else it is the address of a struct sk_buff */
#define READY_TCP 1 /* conn.ready: ready_mark is one of TCP, or */
#define READY_UNIX 2 /* an address, which is masked there as keys are */
#define STORED asm volatile("" ::: "memory") /* compiler barrier: no access moves past it */

/* Return the slot for a socket that is not tracked yet. */
static __always_inline struct ready *ready_slot(u64 sk)
{
	u32 at = sk * 0x9e3779b97f4a7c15ULL >> (64 - READY_BITS);

	return ready.lookup(&at);
}

/* Return the inode number of the other end of a Unix socket; 0: there is none. */
static __always_inline u64 other_end(u64 sk)
{
	u64 peer = kernel_u64(sk + OFF_UNIX_PEER), socket = peer ? socket_of_sock(peer) : 0;

	return socket ? inode_number_of(socket) : 0;
}

/*
 * Return the payload length of a TCP packet according to its own headers; packets that were merged
 * into it are not included.
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
 * Return the mark of the packet that is alone in a socket, unread and as it arrived; 0: there is no
 * such packet.
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
	 * A FIN takes a sequence number, too, and may have been merged into the packet before it.
	 */
	if (seq != kernel_u32(sk + OFF_TCP_COPIED_SEQ) ||
	    kernel_u32(skb + OFF_SKB_TCP_END) - seq != length || told_length(skb) != length)
		return 0;
	return TCP_MARK | seq;
}

/* Whether a read of `bytes` bytes that has just ended began with the packet of this mark. */
static __always_inline bool began_with(u64 sk, u64 mark, u32 bytes)
{
	if (IS_TCP(mark)) {
		u32 begun = kernel_u32(sk + OFF_TCP_COPIED_SEQ) - bytes;
		bool ended = kernel_u16(sk + OFF_SOCK_SHUTDOWN) & SHUTDOWN_RECEIVE;

		/* The read may also have taken the sequence number of the FIN. */
		return begun == (u32)mark || (ended && begun - 1 == (u32)mark);
	}
	return kernel_u64(sk + OFF_SOCK_QUEUE) != mark ||
	       kernel_u32(mark + OFF_SKB_UNIX_CONSUMED) != 0;
}

/* Whether a socket is a connected stream over TCP or a Unix socket. */
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
 * The program that runs when a socket becomes readable; attached for a while now and then. Records
 * the packet in the connection, or in a slot.
 */
static __always_inline int on_ready(u64 *ctx)
{
	u64 sk = ctx[0], mark;
	struct conn *conn = conn_of(sk);
	struct ready *slot;
	u16 family;

	if (conn && (conn->side != SIDE_SERVER || under_way(&conn->streams[REQUESTS])))
		return 0;
	family = kernel_u16(sk + OFF_SOCK_FAMILY);
	if (!conn && !connected_stream(sk, family))
		return 0;
	mark = lone_packet(sk, family == FAMILY_UNIX);
	if (!mark)
		return 0;
	/* A read may run on another CPU: never let it see one packet's time with another's mark. */
	if (conn) {
		if (IS_TCP(mark) && conn->ready && conn->ready_mark == mark)
			return 0; /* already recorded */
		conn->ready = 0;
		STORED;
		conn->ready_mark = IS_TCP(mark) ? mark : MASKED(mark);
		STORED;
		conn->ready_ns = bpf_ktime_get_ns();
		STORED;
		conn->ready = IS_TCP(mark) ? READY_TCP : READY_UNIX;
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

int sk_data_ready(u64 *ctx)
{
	preempt_disable();
	on_ready(ctx);
	preempt_enable();
	return 0;
}
#endif

/*
 * A read of `bytes` bytes has ended: use up the socket's record, and return when the read's first
 * byte became readable. 0: unknown.
 */
static __always_inline u64 take_ready(struct conn *conn, u64 sk, u32 bytes)
{
#ifdef SEES_READY
	struct ready *slot;
	u64 ns, mark;
	u8 noted;

	if (conn) {
		noted = conn->ready;
		if (!noted)
			return 0;
		conn->ready = 0;
		STORED;
		ns = conn->ready_ns;
		STORED;
		mark = conn->ready_mark;
		if (noted == READY_UNIX)
			mark = MASKED(mark);
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

/* Return how long the request that begins with the next byte of the call has waited; 0: unknown. */
static __always_inline u64 wait_of(struct scratch *s)
{
	return s->ready_ns && s->left == s->call_len ? s->now - s->ready_ns : 0;
}
