/* SPDX-License-Identifier: MIT */
/*
 * What a proxy says before the first request: the PROXY protocol, versions 1 and 2. Its header belongs to
 * no request. On the server's side the client that it names becomes the connection's peer.
 *
 * A header of version 1 is a line, and is kept as request lines are while it is incomplete. One of
 * version 2 is binary, and begins with line ends: a connection whose first bytes may be its signature is
 * in PHASE_PROXY, with the beginning of the header in line[]. If it is none, these were empty lines before
 * a request, or no HTTP. proxy_header() is the step (steps.h) that reads either.
 *
 * Reads the window; writes conn.client, and the filter's verdict, which may depend on it. Nothing here
 * runs for a connection of which a request is known.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "connections.h"
#include "cursor.h"
#include "filter.h"
#include "lifecycle.h"
#include "maps.h"
#include "parties.h"
#include "proxy_text.h"
#include "requests.h"
#include "scratch.h"
#include "steps.h"
#include "stream.h"

/* The signature of version 2: CR LF CR LF NUL CR LF Q, U I T LF. */
#define SIGNATURE CHARS('\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q')
#define SIGNATURE_END CHARS('U', 'I', 'T', '\n', 0, 0, 0, 0)
#define SIGNATURE_LEN 12
#define PROXY_FIXED_LEN 16 /* signature, version and command, family and transport, length */
#define PROXY_TCP4 0x11
#define PROXY_TCP6 0x21
#define PROXY_TCP4_LEN 12 /* of both addresses and ports */
#define PROXY_TCP6_LEN 36

/* Whether these 16 bytes, n of them valid, may be the beginning of a header of version 2. */
static __always_inline bool may_be_signature(u64 first, u64 second, u32 n)
{
	u64 more = n > 8 ? n - 8 : 0;

	first ^= SIGNATURE;
	second ^= SIGNATURE_END;
	return n && !(first & MASK(n)) && !(second & MASK(more < 4 ? more : 4));
}

/* The same for a header of either version. */
static __always_inline bool may_be_proxy_header(u64 first, u64 second, u32 n)
{
	u64 text = (first ^ PROXY_TEXT) & MASK(n < PROXY_TEXT_LEN ? n : PROXY_TEXT_LEN);

	return !text || may_be_signature(first, second, n);
}

/* Forget a connection that the run's filter excludes. */
static __always_inline u32 leave_out(struct conn *conn, struct scratch *s)
{
	s->inode = conn->inode;
	s->unix_socket = kernel_u16(s->sk + OFF_SOCK_FAMILY) == FAMILY_UNIX;
	pass_over(s);
	drop_conn(s->sk, conn->share);
	return STEP_DONE;
}

/*
 * The header has been read, but for stream->left bytes, and its client is in conn->client. A request
 * comes next; but the filter may exclude the client.
 */
static __always_inline u32 end_proxy_header(struct conn *conn, struct scratch *s)
{
	conn->proxied = 1;
	conn->line_len = 0;
	conn->call_len = 0;
	if (conn->side != SIDE_SERVER)
		conn->client.family = 0; /* the connection's own peer is the server */
	note_client_as_party(conn);
	if (!client_selected(conn, s->sk, s->tgid))
		return leave_out(conn, s);
	return s->left ? STEP_READ_MESSAGE : STEP_DONE;
}

/* Whether the window's first line, which is no request line, may be a header of version 1. */
static __always_inline bool may_be_proxy_line(struct conn *conn, struct scratch *s)
{
	return !conn->endpoint && !conn->proxied && begins_proxy_line(s);
}

/* Take the line data[CARRY..line_end) as a header of version 1. */
static __always_inline u32 take_proxy_line(struct conn *conn, struct stream *stream,
					   struct scratch *s)
{
	if (!read_proxy_line(s)) {
		reject_request(conn, stream, s);
		return STEP_DONE;
	}
	copy_words(conn->client.address, s->proxied.address, 2);
	conn->client.family = s->proxied.family;
	conn->client.port = s->proxied.port;
	restart(stream);
	skip(s, s->line_end - s->carried);
	return end_proxy_header(conn, s);
}

/* Keep an incomplete header of version 2, of less than LINE_LEN bytes, for the next window. */
static __always_inline u32 keep_proxy_header(struct conn *conn, struct scratch *s)
{
	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	conn->line_len = s->have - CARRY;
	skip(s, s->have - s->carried);
	return s->left ? STEP_PROXY_HEADER : STEP_DONE;
}

/* The bytes begin no header of version 2, as it had seemed. */
static __always_inline u32 leave_proxy_header(struct conn *conn, struct stream *stream,
					      struct scratch *s)
{
	conn->line_len = 0;
	restart(stream);
	if (s->carried > CARRY + SIGNATURE_LINE_ENDS) {
		reject_request(conn, stream, s);
		return STEP_DONE;
	}
	return STEP_READ_MESSAGE; /* what came before are empty lines */
}

/* Note the client that a whole header of version 2 names, with so many bytes of addresses. */
static __always_inline void note_client(struct conn *conn, struct scratch *s, u32 addresses)
{
	u8 *from = &s->data[CARRY + PROXY_FIXED_LEN];
	u32 port_at = addresses == PROXY_TCP4_LEN ? 8 : 32;

	if (!addresses)
		return;
	copy_words(conn->client.address, from, 2);
	conn->client.family = addresses == PROXY_TCP4_LEN ? FAMILY_INET : FAMILY_INET6;
	OPAQUE(port_at);
	from += port_at & 63;
	conn->client.port = from[0] << 8 | from[1];
}

/* Return how many bytes of addresses matter; those of other families or of health checks do not. */
static __always_inline u32 addresses_of(struct scratch *s, u32 length)
{
	u8 family = s->data[CARRY + SIGNATURE_LEN + 1];
	u32 addresses = 0;

	if ((s->data[CARRY + SIGNATURE_LEN] & 15) != 1)
		return 0;
	if (family == PROXY_TCP4)
		addresses = PROXY_TCP4_LEN;
	else if (family == PROXY_TCP6)
		addresses = PROXY_TCP6_LEN;
	return addresses <= length ? addresses : 0;
}

/* The step for a header: of version 2 in PHASE_PROXY, else of version 1, which is in the window. */
static __always_inline u32 proxy_header(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);
	struct stream *stream;
	u32 have, length, addresses, end;

	if (!conn)
		return STEP_DONE;
	stream = &conn->streams[REQUESTS];
	if (stream->phase != PHASE_PROXY)
		return take_proxy_line(conn, stream, s);
	if (!next_piece(s) || conn->line_len >= LINE_LEN) {
		if (s->left)
			lose_call(conn);
		return STEP_DONE;
	}
	copy_words(&s->data[CARRY], conn->line, LINE_LEN / 8);
	s->have = s->carried = CARRY + conn->line_len;
	if (!fill(s, false)) {
		if (may_try_again(s))
			return STEP_PROXY_HEADER;
		lose_call(conn);
		return STEP_DONE;
	}
	have = s->have - CARRY;
	if (!may_be_signature(WORD(&s->data[CARRY]), WORD(&s->data[CARRY + 8]), have))
		return leave_proxy_header(conn, stream, s);
	if (have < PROXY_FIXED_LEN)
		return keep_proxy_header(conn, s);
	if (s->data[CARRY + SIGNATURE_LEN] >> 4 != 2) {
		reject_request(conn, stream, s);
		return STEP_DONE;
	}
	length = s->data[CARRY + 14] << 8 | s->data[CARRY + 15];
	addresses = addresses_of(s, length);
	if (have < PROXY_FIXED_LEN + addresses)
		return keep_proxy_header(conn, s);
	note_client(conn, s, addresses);
	end = PROXY_FIXED_LEN + length;
	restart(stream);
	if (end > have) {
		stream->left = end - have;
		end = have;
	}
	skip(s, CARRY + end - s->carried);
	return end_proxy_header(conn, s);
}
