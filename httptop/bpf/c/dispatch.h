/* SPDX-License-Identifier: MIT */
/*
 * on_bytes(): dispatches a call that moved bytes. Called by the attached programs (hooks.h).
 *
 * Three short ways end the call here: a part of a body; a call that repeats the last request and
 * holds nothing else; a response of the same kind as the last. All other calls are worked through in
 * steps (steps.h), with the scratch set up for them: where the bytes are, the socket, the process,
 * the time.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "classify.h"
#include "conn.h"
#include "connections.h"
#include "counters.h"
#include "filter.h"
#include "filter_state.h"
#include "gateways.h"
#include "http_head.h"
#include "kernel_structs.h"
#include "lifecycle.h"
#include "maps.h"
#include "others.h"
#include "request_line.h"
#include "responses.h"
#include "scratch.h"
#include "steps.h"
#include "stream.h"
#include "syscalls.h"
#include "unseen.h"
#include "wait.h"

/* If a call holds nothing but a part of a body, count it; return whether it does. */
static __always_inline bool take_body(struct conn *conn, u64 sk, bool inbound, u64 bytes)
{
	bool request = inbound == (conn->side == SIDE_SERVER);
	struct stream *stream = &conn->streams[request ? REQUESTS : RESPONSES];

	if (request || conn->framed) {
		if (stream->left < bytes)
			return false;
		if (stream->left != BODY_OPEN) {
			if (!request && conn->pending)
				return false;
			stream->left -= bytes;
		}
	} else {
		if (conn->pending || conn->bad || conn->streams[REQUESTS].phase != PHASE_START)
			return false;
		conn->kind.whole = 0; /* so the last response was not whole in its call */
	}
	if (request) {
		count_request_body(conn, bytes);
		return true;
	}
	count_response_body(conn, bytes, time_of(conn, sk, inbound));
	return true;
}

enum likeness {
	UNLIKE = 0,
	LIKE_LAST, /* the last response was whole in its call: this one is assumed to be so, too */
	LIKE_KIND, /* certain: the same length and the same Content-Length */
};

/*
 * Return how far a call that begins with a response is like those that the connection's kind tells of,
 * so that it need not be parsed; its status goes to *status.
 */
static __always_inline enum likeness likeness_of(struct conn *conn, u64 buf, u64 piece, u64 bytes,
						 u32 *status)
{
	struct response_kind *kind = &conn->kind;
	u64 n = STATUS_LINE_LEAST, alike = kind->call_len == bytes;
	struct scratch *s = scratch_here();

	if (!s || !(alike | kind->whole))
		return UNLIKE;
	if (alike)
		n = kind->length_at + 8;
	OPAQUE(n);
	n &= 511;
	if (n < STATUS_LINE_LEAST || n > ALIKE_LEN || piece < n ||
	    read_user(s->data, n, (void *)buf))
		return UNLIKE;
	*status = status_of(WORD(s->data), WORD(s->data + 8), STATUS_LINE_LEAST);
	if (*status != kind->status || *status < 200)
		return UNLIKE;
	if (alike && WORD_AT(s, kind->length_at) == kind->length_word)
		return LIKE_KIND;
	return kind->whole ? LIKE_LAST : UNLIKE;
}

/*
 * Frame a response that is like others. Where that is assumed its end is unknown (framed is 0) until a
 * response is parsed again; bytes that come in between are counted as its body.
 */
static __always_inline void frame_alike(struct conn *conn, enum likeness likeness)
{
	conn->closing = conn->kind.closing;
	conn->refused = conn->closing && conn->kind.status == 400;
	conn->framed = likeness == LIKE_KIND;
	if (conn->framed)
		conn->streams[RESPONSES].left = conn->kind.left;
}

/* Where a call's bytes are cannot be read: it is lost. Returns 0, as a program does. */
static __always_inline int lose_unread(struct conn *conn)
{
	if (conn)
		lose_call(conn);
	return 0;
}

/*
 * Dispatch a call with these registers that moved `ret` bytes through a socket. `socket` is 0 where
 * only the struct sock is known so far. `buf` is the address of the call's buffer, vector or
 * message, or of the first of `messages` messages. Returns 0, as a program does.
 */
static __always_inline int on_bytes(u64 *ctx, void *task, struct registers *regs, u64 socket,
				    u64 sk, bool inbound, s64 ret, u64 buf, u32 messages)
{
	u64 nr = regs->orig_ax, call = nr > 63 ? MESSAGE : CALL(nr), piece, iov = 0, now, ready_ns;
	u64 message = buf;
	u32 length = 0, missed = 0, filled = 0;
	struct conn *conn = conn_of(sk);
	struct scratch *s;
	u32 next = STEP_FIRST_BYTES;

	if (conn && conn->verify &&
	    conn->inode != inode_number_of(socket ? socket : socket_of_sock(sk)))
		conn = 0; /* the struct sock has been reused */
	ready_ns = inbound ? take_ready(conn, sk, ret) : 0;
	if (conn) {
		if (conn->streams[REQUESTS].phase == PHASE_TUNNEL)
			return 0;
		missed = bytes_missed(conn, sk, inbound, ret);
		if (!missed && !conn->lost && take_body(conn, sk, inbound, ret))
			return 0;
	}

	if (!conn && (is_own(task) || !process_selected(process_of(task))))
		return 0;
	if (!conn && passed_over(sk, socket, process_of(task), inbound))
		return 0;
	piece = ret;
	if (messages) {
		if (read_user(&length, sizeof(length), (void *)(buf + MMSGHDR_SENT)))
			return lose_unread(conn);
		piece = length;
	}
	if (call & MESSAGE) {
		if (read_user(&iov, sizeof(iov), (void *)(buf + MSGHDR_IOV)))
			return lose_unread(conn);
		buf = iov;
	}
	if (call & (MESSAGE | VECTORED)) {
		u64 vector[2] = {};

		/* If it cannot be read now, next_piece() finds it in a moment (cursor.h). */
		iov = buf;
		if (!read_user(vector, sizeof(vector), (void *)buf))
			iov += sizeof(vector);
		buf = vector[0];
		if (vector[1] < piece)
			piece = vector[1];
	}

	/*
	 * Most sockets carry other protocols; an HTTP message begins with a token or an empty line.
	 */
	if (!conn && piece) {
		u8 letter = 0;

		/* What cannot be read now may be in a moment (cursor.h). */
		if (!read_user(&letter, 1, (void *)buf) && !begins_token(letter) &&
		    !ends_line(letter)) {
			if (letter == TLS_HANDSHAKE)
				note_tls(process_of(task), buf, piece);
			note_other(sk, inbound, ret, letter);
			if (letter <= LONGEST_NAME && piece >= 8 && is_binary_gateway((void *)buf))
				put_out(sk);
			return 0;
		}
	}

	now = conn ? time_of(conn, sk, inbound) : 0;
	if (conn) {
		bool request = inbound == (conn->side == SIDE_SERVER);

		if (changed_hands(conn, process_of(task))) {
			next = STEP_CHANGE_OWNER;
		} else if (missed || conn->lost) {
			next = STEP_CATCH_UP;
		} else if (request) {
			next = STEP_READ_MESSAGE;
			/* Does the call repeat the last request, and hold nothing else? */
			if (conn->call_len == ret && piece == ret && ret <= LINE_LEN &&
			    !under_way(&conn->streams[REQUESTS]) && !conn->pending && ret > 0 &&
			    !ready_ns) {
				u64 n = ret;

				s = scratch_here();
				OPAQUE(n);
				n &= 255;
				if (s && n <= LINE_LEN &&
				    !read_user(&s->data[CARRY], n, (void *)buf)) {
					if (same_bytes(conn->line, &s->data[CARRY], n)) {
						conn->head_ns = now;
						conn->head_bytes = ret;
						begin_sole_request(conn);
						return 0;
					}
					filled = n;
				}
			}
		} else if (conn->pending != 1 || under_way(&conn->streams[RESPONSES]) ||
			   conn->last_ns || conn->wait_ns || FILTER_SIZE || !recall_kind(conn)) {
			next = STEP_READ_MESSAGE;
		} else {
			u64 latency_ns = now - conn->start_ns;
			enum likeness likeness;
			u32 status = 0;

			next = STEP_READ_MESSAGE;
			likeness = likeness_of(conn, buf, piece, ret, &status);
			if (likeness && status == kind_of(conn, status, latency_ns)) {
				frame_alike(conn, likeness);
				count_response(conn, latency_ns, ret);
				conn->handling_ns = latency_ns;
				conn->response_ns = now;
				end_open_body(conn);
				conn->first++;
				conn->pending = 0;
				if (!claim_sample(conn, status, latency_ns, now))
					return 0;
				next = STEP_SAMPLE_RESPONSE;
			}
		}
	}

	s = scratch_here();
	if (!s)
		return 0;
	s->sk = sk;
	s->now = now;
	s->missed = missed;
	s->ready_ns = ready_ns;
	s->iov = iov;
	s->buf = buf;
	s->call_len = s->left = ret;
	s->piece = piece;
	s->message = message + MMSGHDR_LEN;
	s->messages = messages ? messages - 1 : 0;
	s->message_left = messages ? length : ret;
	s->scanned = 0;
	s->filled = filled;
	s->tries = 0;
	s->began = 0;
	s->alike = 0;
	s->tgid = process_of(task);
	s->inbound = inbound;
	s->side = conn ? conn->side : SIDE_SERVER;
	s->response = conn && inbound != (conn->side == SIDE_SERVER);
	s->socket = socket;
	s->fd = regs->di;
	take_steps(ctx, s, next);
	if (s->next != STEP_DONE)
		leave_rest(s);
	return 0;
}
