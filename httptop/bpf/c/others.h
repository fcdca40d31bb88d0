/* SPDX-License-Identifier: MIT */
/*
 * Sockets that carry something else than HTTP/1. Once VAIN_LOOKS calls of a socket have begun with no
 * HTTP, its calls are dismissed before anything else is asked, except for one of LOOKED_AT_EACH: a
 * socket that httptop met in the middle of a long body may still turn out to carry HTTP. What was
 * dismissed until then counts as a missed call (losses.dismissed).
 *
 * A socket is known by its struct sock and its inode number, which tells when the former is reused.
 * Two sockets may share a place: then the one that was looked at last has it.
 *
 * Reads and writes the map others. Called by the attached programs (hooks.h), by on_bytes() and by
 * first_bytes() for sockets that are not tracked, and by new_conn().
 */
#pragma once

#include "counters.h"
#include "kernel_structs.h"
#include "maps.h"
#include "pid_namespace.h"

/* Count a connection of a process that begins with another protocol (OTHER_...). */
static __always_inline void note_other_protocol(u32 tgid, u32 kind)
{
	struct other_protocol_key key = {.tgid = tgid, .kind = kind};
	u64 one = 1, *known = other_protocols.lookup(&key);

	if (known)
		__sync_fetch_and_add(known, 1);
	else
		other_protocols.update(&key, &one);
	note_own_pid(tgid);
}

#define TLS_HANDSHAKE 0x16
#define TLS_CLIENT_HELLO 1

/*
 * The first byte is that of a TLS handshake record: count the connection if one begins. Many
 * programs read the five-byte header of a record first; the header of a connection's first record
 * says version 3.1, for compatibility with old servers.
 */
static __always_inline void note_tls(u32 tgid, u64 buf, u64 bytes)
{
	u64 word = 0;

	if (bytes < 5 || read_user(&word, 5, (void *)buf) || (u8)(word >> 8) != 3)
		return;
	if (bytes == 5 && (u8)(word >> 16) != 1)
		return;
	if (bytes > 5 && (read_user(&word, 6, (void *)buf) || word >> 40 != TLS_CLIENT_HELLO))
		return;
	note_other_protocol(tgid, OTHER_TLS);
}

#define VAIN_LOOKS 8
#define LOOKED_AT_EACH 64

#define INBOUND_BYTES 1ULL /* bits of other.since_ns */
#define OUTBOUND_BYTES 2ULL

/* Return a socket's place, which may be another's. */
static __always_inline struct other *other_at(u64 sk)
{
	u32 at = sk * 0x9e3779b97f4a7c15ULL >> (64 - OTHER_BITS);

	return others.lookup(&at);
}

/* Return a socket's inode number, where it stands in struct other; the kernel's have 32 bits. */
static __always_inline u64 inode_of_sock(u64 sk)
{
	u64 socket = socket_of_sock(sk);

	return socket ? inode_number_of(socket) << 32 : 0;
}

/* Whether a place is of the socket with this inode number. */
static __always_inline bool belongs_to(u64 inode_and_calls, u64 inode)
{
	return inode_and_calls >> 32 == inode >> 32;
}

/* Whether a call on a socket need not be looked at. */
static __always_inline bool dismissed(u64 sk)
{
	struct other *other = other_at(sk);
	u64 known;

	if (!other || other->sk != sk)
		return false;
	known = other->inode_and_calls;
	if ((u32)known < VAIN_LOOKS || !belongs_to(known, inode_of_sock(sk)))
		return false;
	other->inode_and_calls = known + 1;
	return (known + 1) % LOOKED_AT_EACH != 0;
}

/* A call on a socket that is not tracked began with no HTTP. */
static __always_inline void note_other(u64 sk, bool inbound)
{
	struct other *other = other_at(sk);
	u64 inode = inode_of_sock(sk), known;

	if (!other)
		return;
	known = other->inode_and_calls;
	if (other->sk != sk || !belongs_to(known, inode)) {
		known = inode;
		other->sk = sk;
		other->since_ns = bpf_ktime_get_ns() & ~(INBOUND_BYTES | OUTBOUND_BYTES);
	}
	other->since_ns |= inbound ? INBOUND_BYTES : OUTBOUND_BYTES;
	if ((u32)known < VAIN_LOOKS)
		other->inode_and_calls = known + 1;
}

/* Whether a call on this socket has begun with no HTTP. */
static __always_inline bool is_noted(u64 sk)
{
	struct other *other = other_at(sk);

	return other && other->sk == sk && belongs_to(other->inode_and_calls, inode_of_sock(sk));
}

/*
 * Return when bytes came that a call this way answers; 0: none went the other way, or all of them were
 * HTTP.
 */
static __always_inline u64 answered_since(u64 sk, bool inbound)
{
	struct other *other = other_at(sk);
	u64 way = inbound ? OUTBOUND_BYTES : INBOUND_BYTES;

	if (!other || other->sk != sk || !(other->since_ns & way) ||
	    !belongs_to(other->inode_and_calls, inode_of_sock(sk)))
		return 0;
	return other->since_ns;
}

/* A socket carries HTTP after all. */
static __always_inline void forget_other(u64 sk)
{
	struct other *other = other_at(sk);

	if (!other || other->sk != sk)
		return;
	if ((u32)other->inode_and_calls >= VAIN_LOOKS &&
	    belongs_to(other->inode_and_calls, inode_of_sock(sk)))
		COUNT_LOSS(dismissed);
	other->sk = 0;
}
