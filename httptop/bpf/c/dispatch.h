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
#include "http_head.h"
#include "kernel_structs.h"
#include "lifecycle.h"
#include "maps.h"
#include "request_line.h"
#include "responses.h"
#include "scratch.h"
#include "steps.h"
#include "stream.h"
#include "syscalls.h"
#include "unseen.h"
#include "wait.h"

/* If a call holds nothing but a part of a body, count it; return whether it does. */
static __always_inline bool take_body(struct conn *conn, bool request, u64 bytes)
{
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
		if (conn->pending || conn->streams[REQUESTS].phase == PHASE_HEAD)
			return false;
		conn->shape = SHAPE_OTHER; /* so the last response was not whole in its call */
	}
	if (request) {
		count_request_body(conn, bytes);
		return true;
	}
	count_response_body(conn, bytes, bpf_ktime_get_ns());
	return true;
}

/*
 * For a response of the same status as the last, `bytes` long in this call: if it looks alike,
 * frame it as the last one was. Return whether it does.
 */
static __always_inline bool frame_like_last(struct conn *conn, u64 buf, u64 piece, u64 bytes)
{
	u64 word = 0;

	if (conn->shape == SHAPE_WHOLE) {
		conn->framed = 0;
		return true;
	}
	if (bytes != conn->head_len || piece != bytes ||
	    read_user(&word, sizeof(word), (void *)(buf + conn->length_at)) ||
	    word != conn->length_word)
		return false;
	conn->streams[RESPONSES].left = conn->streams[RESPONSES].length;
	conn->framed = 1;
	return true;
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
	u32 length = 0, missed = 0;
	struct conn *conn = conns.lookup(&sk);
	struct scratch *s;
	u32 next = STEP_FIRST_BYTES;

	if (conn && conn->verify &&
	    conn->inode != inode_number_of(socket ? socket : socket_of_sock(sk)))
		conn = 0; /* the struct sock has been reused */
	ready_ns = inbound ? take_ready(conn, sk, ret) : 0;
	if (conn) {
		bool request = inbound == (conn->side == SIDE_SERVER);

		if (conn->streams[REQUESTS].phase == PHASE_TUNNEL)
			return 0;
		missed = bytes_missed(conn, sk, inbound, ret);
		if (!missed && !conn->lost && take_body(conn, request, ret))
			return 0;
	}

	if (!conn && !process_selected(process_of(task)))
		return 0;
	if (!conn && passed_over(sk, socket, process_of(task), inbound))
		return 0;
	piece = ret;
	if (messages) {
		if (read_user(&length, sizeof(length), (void *)(buf + MMSGHDR_SENT)))
			return 0;
		piece = length;
	}
	if (call & MESSAGE) {
		if (read_user(&iov, sizeof(iov), (void *)(buf + MSGHDR_IOV)))
			return 0;
		buf = iov;
	}
	if (call & (MESSAGE | VECTORED)) {
		u64 vector[2] = {};

		if (read_user(vector, sizeof(vector), (void *)buf))
			return 0;
		iov = buf + sizeof(vector);
		buf = vector[0];
		if (vector[1] < piece)
			piece = vector[1];
	}

	/*
	 * Most sockets carry other protocols; an HTTP message begins with a letter or an empty
	 * line.
	 */
	if (!conn && piece) {
		u8 letter = 0;

		if (read_user(&letter, 1, (void *)buf))
			return 0;
		if ((letter | 0x20) - 'a' > 25u && !ends_line(letter)) {
			if (letter == TLS_HANDSHAKE)
				note_tls(process_of(task), buf, piece);
			return 0;
		}
	}

	now = conn ? bpf_ktime_get_ns() : 0;
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
				if (s && n <= LINE_LEN && !read_user(s->data, n, (void *)buf) &&
				    same_bytes(conn->line, s->data, n)) {
					conn->head_ns = now;
					conn->head_bytes = ret;
					begin_sole_request(conn);
					return 0;
				}
			}
		} else if (conn->pending != 1 || !conn->shape ||
			   conn->response_of != conn->current ||
			   under_way(&conn->streams[RESPONSES]) || conn->last_ns || piece < 16 ||
			   FILTER_SIZE) {
			next = STEP_READ_MESSAGE;
		} else {
			u64 first[2], latency_ns;
			u32 status;

			next = STEP_READ_MESSAGE;
			if (read_user(first, sizeof(first), (void *)buf))
				return 0;
			status = status_of(first[0], first[1], 16);
			latency_ns = now - conn->start_ns;
			/* Is the response of the same kind as the last? */
			if (status == conn->status && status >= 200 &&
			    status == kind_of(conn, status, latency_ns) &&
			    frame_like_last(conn, buf, piece, ret)) {
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
	s->began = 0;
	s->shape = SHAPE_OTHER;
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
