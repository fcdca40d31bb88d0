/* SPDX-License-Identifier: MIT */
/*
 * The first bytes on a socket that is not tracked yet: are they HTTP/1?
 *
 * first_bytes() is a step (steps.h), with the scratch set up. If the bytes may be a request it
 * identifies the socket (s->socket, s->inode, s->unix_socket, s->side) and starts tracking the
 * connection; read_message() is next. So it does for a response, which is an orphan. A connection that the run's filter excludes is recorded as passed over. TLS and
 * HTTP/2 connections are counted.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "connections.h"
#include "counters.h"
#include "cursor.h"
#include "filter.h"
#include "http_head.h"
#include "kernel_structs.h"
#include "maps.h"
#include "others.h"
#include "pid_namespace.h"
#include "requests.h"
#include "scratch.h"
#include "steps.h"

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

/*
 * Identify the socket, into s; return whether the call's fd refers to this socket and it is a
 * stream. The kernel may use a socket of its own on behalf of a process (a network file system
 * does).
 */
static __always_inline bool resolve_stream(struct scratch *s)
{
	if (!s->socket) {
		s->socket = socket_of_sock(s->sk);
		if (!s->socket || s->socket != socket_of(bpf_get_current_task_btf(), s->fd))
			return false;
	}
	s->unix_socket = kernel_u16(s->sk + OFF_SOCK_FAMILY) == FAMILY_UNIX;
	s->inode = inode_number_of(s->socket);
	return kernel_u16(s->socket + OFF_SOCKET_TYPE) == SOCK_STREAM;
}

/*
 * Whether these bytes, n >= 8 of them valid, may begin a request line with a method not in enum
 * method: visible characters up to the first blank. Behind a word in small letters there must be a
 * path: many protocols have lines that begin with one.
 */
static __always_inline bool token_may_come(u64 first, u64 second, u32 n)
{
	u64 a = first ^ (EACH * ' '), b = second ^ (EACH * ' '), invisible;
	u64 tabs = first ^ (EACH * '\t');

	a = (a - EACH) & ~a & (EACH << 7);
	b = (b - EACH) & ~b & (EACH << 7);
	a |= (tabs - EACH) & ~tabs & (EACH << 7);
	if (a) {
		u32 at = lowest_bit(a) >> 3;
		u8 byte = at == 7 ? second : first >> (8 * at + 8);

		return (u8)first - 'a' > 25u || byte == '/' || byte == '*' || byte == 'h';
	}
	invisible = (first - EACH * '!') | first;
	if (n >= 16 && !b)
		invisible |= (second - EACH * '!') | second;
	return !(invisible & (EACH << 7));
}

/*
 * The call may begin with a request: track the connection, and have the request read. If it turns
 * out to be none, the connection is forgotten again (reject_request()).
 */
static __always_inline u32 track_request(struct scratch *s)
{
	struct conn *conn;

	start_scan(s, false);
	s->cut = 0;
	WORD(&s->data[0]) = 0;
	s->have = s->carried = CARRY;
	if (!fill(s, false))
		return STEP_DONE;
	scan_head(s);
	if (s->line_end ? !may_be_request_line(s) : !line_may_come(s)) {
		note_other(s->sk, s->inbound);
		return STEP_DONE;
	}
	conn = new_conn(s);
	if (!conn) {
		if (s->head_end)
			count_untracked(s);
		return STEP_DONE;
	}
	open_request(conn, s);
	s->scanned = 1;
	return STEP_READ_MESSAGE;
}

/*
 * The call begins with a response: to bytes that were seen and are no request, or to a request that
 * was not seen. Track the connection, and have an answer to a bad request read.
 */
static __always_inline u32 begin_with_response(struct scratch *s)
{
	u64 since_ns = answered_since(s->sk, s->inbound);
	struct conn *conn;

	s->side = s->inbound ? SIDE_CLIENT : SIDE_SERVER;
	if (!connection_selected(s)) {
		pass_over(s);
		return STEP_DONE;
	}
	conn = new_conn(s);
	if (!conn)
		return STEP_DONE;
	if (!since_ns) {
		conn->adrift = 1;
		COUNT_LOSS(orphan_responses);
		return STEP_DONE;
	}
	s->now = bpf_ktime_get_ns();
	s->response = 1;
	conn->bad = 1;
	conn->framed = 1;
	conn->head_ns = since_ns;
	return STEP_READ_MESSAGE;
}

/* The step for the first bytes on a socket that is not tracked yet. */
static __always_inline u32 first_bytes(struct scratch *s)
{
	u64 first[2] = {}, n;
	struct conn *gone;
	u32 length, status;

	if (!next_piece(s))
		return STEP_DONE;
	gone = conns.lookup(&s->sk);
	if (gone && take_out(s, gone)) {
		/* The struct sock has been reused for another socket. */
		s->then = STEP_FIRST_BYTES;
		return STEP_ABANDON_REQUESTS;
	}
	n = s->piece;
	if (n >= 16) {
		if (read_user(first, sizeof(first), (void *)s->buf))
			return STEP_DONE;
	} else {
		asm volatile("" : "+r"(n));
		n &= 15;
		if (read_user(first, n, (void *)s->buf))
			return STEP_DONE;
	}
	status = status_of(first[0], first[1], s->piece);
	if (status || (may_be_response(first[0], s->piece) && answered_since(s->sk, s->inbound)))
		return resolve_stream(s) ? begin_with_response(s) : STEP_DONE;
	if (first[0] == CHARS('P', 'R', 'I', ' ', '*', ' ', 'H', 'T') &&
	    first[1] == CHARS('T', 'P', '/', '2', '.', '0', '\r', '\n')) {
		note_other_protocol(s->tgid, OTHER_HTTP2);
		note_other(s->sk, s->inbound);
		return STEP_DONE;
	}
	if (ends_line(first[0])) { /* empty lines, perhaps before a request line */
		s->have = CARRY;
		if (!fill(s, false))
			return STEP_DONE;
		skip_empty_lines(s);
		return s->left ? STEP_FIRST_BYTES : STEP_DONE;
	}
	if (n >= 8 && method_of(first[0], &length) < 0 && !token_may_come(first[0], first[1], n)) {
		note_other(s->sk, s->inbound);
		return STEP_DONE;
	}
	if (!resolve_stream(s))
		return STEP_DONE;
	s->side = s->inbound ? SIDE_SERVER : SIDE_CLIENT;
	s->now = bpf_ktime_get_ns();
	if (!connection_selected(s)) {
		pass_over(s);
		return STEP_DONE;
	}
	return track_request(s);
}
