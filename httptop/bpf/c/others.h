/* SPDX-License-Identifier: MIT */
/*
 * Sockets that carry something else than HTTP/1. Once VAIN_LOOKS calls of a socket have begun with no
 * HTTP, its calls are dismissed before anything else is asked, except for one of LOOKED_AT_EACH: a
 * socket that httptop met in the middle of a long body may still turn out to carry HTTP. What was
 * dismissed until then counts as a missed call (losses.missed_calls).
 *
 * Some stay out for good: text that is no HTTP has gone both ways; the bytes are those of a gateway
 * (gateways.h), which answers in HTTP's words; they are what a process writes to its standard output;
 * or no answer can come. Binary bytes may stand before HTTP, as SOCKS does, so those sockets do not.
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

/* What is known of such a socket: the lowest bits of other.since_ns. */
#define INBOUND_BYTES 1ULL
#define OUTBOUND_BYTES 2ULL
#define BINARY_BYTES 4ULL
#define FROM_THE_START 8ULL /* TCP: its first bytes were seen */
#define STAYS_OUT 16ULL
#define OTHER_BITS_OF_NS 31ULL

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

/* Whether a call on a socket need not be looked at. The first one that answers always is. */
static __always_inline bool dismissed(u64 sk, bool inbound)
{
	struct other *other = other_at(sk);
	u64 known;

	if (!other || other->sk != sk ||
	    !(other->since_ns & (STAYS_OUT | (inbound ? INBOUND_BYTES : OUTBOUND_BYTES))))
		return false;
	known = other->inode_and_calls;
	if ((u32)known < VAIN_LOOKS || !belongs_to(known, inode_of_sock(sk)))
		return false;
	other->inode_and_calls = known + 1;
	return (known + 1) % LOOKED_AT_EACH != 0 || other->since_ns & STAYS_OUT;
}

/* Return how many bytes of data a TCP socket has received; the end of the stream counts, too. */
static __always_inline u32 received_bytes(u64 sk)
{
	u32 ended = (kernel_u16(sk + OFF_SOCK_SHUTDOWN) & SHUTDOWN_RECEIVE) != 0;

	return (u32)READ_AS(sk, TYPE_TCP_SOCK, OFF_TCP_RECEIVED) - ended;
}

/* Whether a TCP socket has moved no bytes of data one way. */
static __always_inline bool none_went(u64 sk, bool inbound)
{
	if (inbound)
		return !received_bytes(sk);
	return !READ_AS(sk, TYPE_TCP_SOCK, OFF_TCP_SENT);
}

/* Whether a socket is one of TCP. */
static __always_inline bool is_tcp(u64 sk)
{
	u16 family = kernel_u16(sk + OFF_SOCK_FAMILY);

	return (family == FAMILY_INET || family == FAMILY_INET6) &&
	       kernel_u16(sk + OFF_SOCK_PROTOCOL) == IPPROTO_TCP;
}

/* Whether a call that moved so many bytes is the first one that did, in either direction. */
static __always_inline bool is_from_start(u64 sk, bool inbound, u32 bytes)
{
	u32 unread;

	/* A call may also take the end of the stream, which counts as a byte. */
	if (!is_tcp(sk) || !none_went(sk, !inbound))
		return false;
	if (!inbound)
		return (u32)READ_AS(sk, TYPE_TCP_SOCK, OFF_TCP_SENT) <= bytes;
	unread = READ_U32_AS(sk, TYPE_TCP_SOCK, OFF_TCP_RECEIVED_SEQ) -
		 READ_U32_AS(sk, TYPE_TCP_SOCK, OFF_TCP_COPIED_SEQ);
	return (u32)READ_AS(sk, TYPE_TCP_SOCK, OFF_TCP_RECEIVED) - unread <= bytes + 1;
}

/* Whether a byte, the first one of a call, is of text. */
static __always_inline bool is_text(u8 byte)
{
	return byte - ' ' < 0x5fu || byte - '\t' < 5u;
}

/* Return the place of a socket; where another one had it, it is the former's now. */
static __always_inline struct other *place_for(u64 sk, bool inbound, u32 bytes)
{
	struct other *other = other_at(sk);
	u64 inode = inode_of_sock(sk);

	if (!other || (other->sk == sk && belongs_to(other->inode_and_calls, inode)))
		return other;
	other->sk = sk;
	other->inode_and_calls = inode;
	other->since_ns = bpf_ktime_get_ns() & ~OTHER_BITS_OF_NS;
	if (is_from_start(sk, inbound, bytes))
		other->since_ns |= FROM_THE_START;
	return other;
}

/* From now on no call of a socket is looked at. */
static __always_inline void put_out(u64 sk)
{
	struct other *other = place_for(sk, false, 0);

	if (!other)
		return;
	other->since_ns |= STAYS_OUT;
	if ((u32)other->inode_and_calls < VAIN_LOOKS)
		other->inode_and_calls += VAIN_LOOKS;
}

/* A call of so many bytes on a socket that is not tracked began with this byte, and with no HTTP. */
static __always_inline void note_other(u64 sk, bool inbound, u32 bytes, u8 first)
{
	struct other *other = place_for(sk, inbound, bytes);
	u64 both = INBOUND_BYTES | OUTBOUND_BYTES;

	if (!other)
		return;
	other->since_ns |= inbound ? INBOUND_BYTES : OUTBOUND_BYTES;
	if (!is_text(first))
		other->since_ns |= BINARY_BYTES;
	if ((u32)other->inode_and_calls < VAIN_LOOKS)
		other->inode_and_calls++;
	if ((other->since_ns & (both | BINARY_BYTES)) == both)
		put_out(sk);
}

/* There is HTTP on the socket, and no room to track it: it may be found later. */
static __always_inline void keep_looking(u64 sk)
{
	struct other *other = other_at(sk);

	if (other && other->sk == sk)
		other->since_ns |= BINARY_BYTES;
}

/* Return what is known of a socket of which a call has begun with no HTTP, and since when; 0: nothing. */
static __always_inline u64 known_of_other(u64 sk)
{
	struct other *other = other_at(sk);

	if (!other || other->sk != sk || !belongs_to(other->inode_and_calls, inode_of_sock(sk)))
		return 0;
	return other->since_ns;
}

/* The same, of a socket where such bytes went the other way, so that a call this way answers them. */
static __always_inline u64 answered_by(u64 sk, bool inbound)
{
	u64 known = known_of_other(sk);

	return known & (inbound ? OUTBOUND_BYTES : INBOUND_BYTES) ? known : 0;
}

/* Whether most calls of a socket have been dismissed: a request may have been among them. */
static __always_inline bool was_dismissed(u64 sk)
{
	struct other *other = other_at(sk);

	return other && other->sk == sk && (u32)other->inode_and_calls >= VAIN_LOOKS;
}

/* Whether a TCP connection has begun with text that is no HTTP: then no request follows. */
static __always_inline bool began_with_text(u64 sk)
{
	return (known_of_other(sk) & (FROM_THE_START | BINARY_BYTES)) == FROM_THE_START;
}

/* A socket seems to carry HTTP after all; what is known of it stays, should that prove wrong. */
static __always_inline void look_again(u64 sk)
{
	struct other *other = other_at(sk);

	if (!other || other->sk != sk || !(u32)other->inode_and_calls)
		return;
	if ((u32)other->inode_and_calls >= VAIN_LOOKS &&
	    belongs_to(other->inode_and_calls, inode_of_sock(sk)))
		COUNT_LOSS(missed_calls);
	other->inode_and_calls &= ~0ULL << 32;
}
