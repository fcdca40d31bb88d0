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
#include "gateways.h"
#include "http_head.h"
#include "kernel_structs.h"
#include "maps.h"
#include "others.h"
#include "proxy_header.h"
#include "requests.h"
#include "scratch.h"
#include "steps.h"

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

/* The first bytes cannot be read: the step is taken again, or the call is lost. */
static __always_inline u32 first_bytes_again(struct scratch *s)
{
	if (may_try_again(s))
		return STEP_FIRST_BYTES;
	COUNT_LOSS(lost_pieces);
	return STEP_DONE;
}

/* The call begins with no HTTP. */
static __always_inline void note_no_http(struct scratch *s)
{
	u8 first = 0;

	read_user(&first, 1, (void *)s->buf);
	note_other(s->sk, s->inbound, s->call_len, first);
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
		return first_bytes_again(s);
	scan_head(s);
	if (s->line_end ? !may_be_request_line(s) && !begins_proxy_line(s) : !line_may_come(s)) {
		note_no_http(s);
		return STEP_DONE;
	}
	conn = new_conn(s);
	if (!conn) {
		keep_looking(s->sk);
		if (s->head_end)
			count_untracked(s);
		return STEP_DONE;
	}
	if (!s->selected)
		exclude_for_now(conn);
	open_request(conn, s);
	s->scanned = 1;
	return STEP_READ_MESSAGE;
}

/* The call begins, or may begin, with a PROXY header of version 2: have it read. */
static __always_inline u32 track_proxy(struct scratch *s)
{
	struct conn *conn = new_conn(s);

	if (!conn)
		return STEP_DONE;
	if (!s->selected)
		exclude_for_now(conn);
	conn->streams[REQUESTS].phase = PHASE_PROXY;
	return STEP_PROXY_HEADER;
}

#define STANDARD_OUTPUT 1
#define STANDARD_ERROR 2

/*
 * Whether what looks like a request on a Unix socket is none, as no response can come: that way is shut,
 * as of a service's connection to the journal, or it is what a process prints.
 */
static __always_inline bool is_printed(struct scratch *s)
{
	u64 peer;
	u16 shut;

	if (!s->unix_socket)
		return false;
	shut = kernel_u16(s->sk + OFF_SOCK_SHUTDOWN);
	if (shut & (s->inbound ? SHUTDOWN_SEND : SHUTDOWN_RECEIVE)) {
		put_out(s->sk);
		return true;
	}
	if (s->inbound || (s->fd != STANDARD_OUTPUT && s->fd != STANDARD_ERROR))
		return false;
	put_out(s->sk);
	peer = kernel_u64(s->sk + OFF_UNIX_PEER);
	if (peer)
		put_out(peer);
	return true;
}

/* Whether a response to a request that was not seen is possible: bytes went the other way. */
static __always_inline bool was_asked(struct scratch *s)
{
	if (s->unix_socket)
		return !is_printed(s);
	return !is_tcp(s->sk) || !none_went(s->sk, !s->inbound);
}

/* What a response is that comes on a socket which is not tracked. */
enum answer {
	TO_BAD_REQUEST = 0, /* to bytes that were seen and are no request */
	TO_MISSED_REQUEST, /* an orphan */
	TO_DISMISSED, /* perhaps to a request that was not looked at (others.h) */
	OF_OTHER_PROTOCOL,
};

/*
 * Tell what a response with this status, 0 if it is not known yet, answers. A server that answers binary
 * bytes by a success has understood them: that is no HTTP. So it is where other bytes went the same way
 * before, or where nothing was asked. Where the first bytes of a TCP connection were not seen, those
 * that were seen may have been of a body.
 */
static __always_inline enum answer answer_of(struct scratch *s, u32 status)
{
	u64 known = known_of_other(s->sk), asked = answered_by(s->sk, s->inbound);

	if (!asked)
		return known || !was_asked(s) ? OF_OTHER_PROTOCOL : TO_MISSED_REQUEST;
	if (!(asked & FROM_THE_START) && is_tcp(s->sk))
		return TO_MISSED_REQUEST;
	if (!(asked & BINARY_BYTES) || !status || status >= 400)
		return TO_BAD_REQUEST;
	return was_dismissed(s->sk) ? TO_DISMISSED : OF_OTHER_PROTOCOL;
}

/* The call begins with a response; that to a bad request is read. */
static __always_inline u32 begin_with_response(struct scratch *s, u32 status)
{
	enum answer answer = answer_of(s, status);
	struct conn *conn;

	if (answer == OF_OTHER_PROTOCOL) {
		note_no_http(s);
		return STEP_DONE;
	}
	s->side = s->inbound ? SIDE_CLIENT : SIDE_SERVER;
	if (!connection_selected(s)) {
		pass_over(s);
		return STEP_DONE;
	}
	conn = new_conn(s);
	if (!conn) {
		keep_looking(s->sk);
		return STEP_DONE;
	}
	if (answer != TO_BAD_REQUEST) {
		conn->adrift = 1;
		if (answer == TO_MISSED_REQUEST)
			COUNT_LOSS(orphan_responses);
		return STEP_DONE;
	}
	s->now = bpf_ktime_get_ns();
	s->response = 1;
	conn->bad = 1;
	conn->framed = 1;
	conn->head_ns = answered_by(s->sk, s->inbound);
	return STEP_READ_MESSAGE;
}

/* The step for the first bytes on a socket that is not tracked yet. */
static __always_inline u32 first_bytes(struct scratch *s)
{
	u64 first[2] = {}, n;
	struct conn *gone;
	u32 length, status;
	bool proxied;

	if (!next_piece(s))
		return has_vector(s) ? first_bytes_again(s) : STEP_DONE;
	gone = conn_of(s->sk);
	if (gone && take_out(s, gone)) {
		/* The struct sock has been reused for another socket. */
		s->then = STEP_FIRST_BYTES;
		return STEP_ABANDON_REQUESTS;
	}
	n = s->piece;
	if (n >= 16) {
		if (read_user(first, sizeof(first), (void *)s->buf))
			return first_bytes_again(s);
	} else {
		asm volatile("" : "+r"(n));
		n &= 15;
		if (read_user(first, n, (void *)s->buf))
			return first_bytes_again(s);
	}
	status = status_of(first[0], first[1], s->piece);
	if (status || (may_be_response(first[0], s->piece) && answered_by(s->sk, s->inbound)))
		return resolve_stream(s) ? begin_with_response(s, status) : STEP_DONE;
	if (first[0] == CHARS('P', 'R', 'I', ' ', '*', ' ', 'H', 'T') &&
	    first[1] == CHARS('T', 'P', '/', '2', '.', '0', '\r', '\n')) {
		note_other_protocol(s->tgid, OTHER_HTTP2);
		note_no_http(s);
		return STEP_DONE;
	}
	/* Line ends behind bytes that are no HTTP are no beginning. */
	proxied = may_be_signature(first[0], first[1], n) &&
		  (n > SIGNATURE_LINE_ENDS || !known_of_other(s->sk));
	if (ends_line(first[0]) && !proxied) { /* empty lines, perhaps before a request line */
		s->have = CARRY;
		if (!fill(s, false))
			return first_bytes_again(s);
		skip_empty_lines(s);
		return s->left ? STEP_FIRST_BYTES : STEP_DONE;
	}
	if (n >= 8 && !proxied && method_of(first[0], &length) < 0 &&
	    !token_may_come(first[0], first[1], n)) {
		note_no_http(s);
		return STEP_DONE;
	}
	if (is_scgi(first[0], first[1]) || began_with_text(s->sk)) {
		note_no_http(s);
		if (is_scgi(first[0], first[1]))
			put_out(s->sk);
		return STEP_DONE;
	}
	if (!resolve_stream(s) || is_printed(s))
		return STEP_DONE;
	s->side = s->inbound ? SIDE_SERVER : SIDE_CLIENT;
	s->now = bpf_ktime_get_ns();
	s->selected = connection_selected(s);
	if (!s->selected && !may_be_proxy_header(first[0], first[1], n)) {
		pass_over(s);
		return STEP_DONE;
	}
	return proxied ? track_proxy(s) : track_request(s);
}
