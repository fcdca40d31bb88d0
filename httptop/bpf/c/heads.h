/* SPDX-License-Identifier: MIT */
/*
 * The header sections of some requests, for their samples. Only when its response comes is it decided
 * whether a request is sampled. By then its bytes are gone, and a copy at every request would be dear.
 * So some are kept when they come, as many as samples are taken: a token bucket of their own decides.
 * The others have one only if their call was so short that it is compared with the next (conn.line).
 *
 * keep_head() is a step (steps.h) in the middle of a window, behind its request line; copy_head() and
 * has_head() are called when a response comes. A head is in a place that only the CPU writes that it was kept on,
 * and may be read on any: it counts if it says the same request before and after it was copied.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "kernel_structs.h"
#include "linked.h"
#include "maps.h"
#include "scratch.h"
#include "steps.h"

/*
 * Take a token from a bucket if it holds at least `reserve_ns` worth of them; return whether it
 * did (samples.h).
 */
static __always_inline bool take_token(u64 *due_ns, struct control *control, u64 now,
				       u64 reserve_ns)
{
	u64 due = *due_ns;

	if (due + reserve_ns > now)
		return false;
	if (due + control->burst_ns < now)
		due = now - control->burst_ns;
	*due_ns = due + control->interval_ns;
	return true;
}

/* Bytes that are copied: fewer than HEAD_LEN, which is a power of two, so that a mask bounds them. */
#define HEAD_COPIED LINKED(HEAD_COPIED)

/* What is written and read on both sides of this stays there; x86 keeps such orders, too. */
#define IN_ORDER() asm volatile("" ::: "memory")

/* Return the place for the next head that this CPU keeps. */
static __always_inline u32 next_place(struct scratch *s)
{
	u32 cpu = bpf_get_smp_processor_id() & (HEAD_CPUS - 1);

	s->heads_kept++;
	return (s->heads_kept * HEAD_CPUS + cpu) & (HEADS - 1);
}

/* Copy the header section at s->buf, as far as it is there, to the next place. */
static __always_inline void write_head(struct conn *conn, struct scratch *s)
{
	u32 place = next_place(s), n = s->head_end ? s->head_end - CARRY : s->piece;
	struct head *head = heads.lookup(&place);

	if (n > s->piece)
		n = s->piece;
	if (n > HEAD_COPIED)
		n = HEAD_COPIED;
	n = bounded(n, HEAD_LEN);
	if (!head || !n)
		return;
	head->of = 0;
	IN_ORDER();
	if (read_user(head->bytes, n, (void *)s->buf))
		return;
	head->number = conn->first;
	head->start_ns = conn->head_ns;
	head->length = n;
	IN_ORDER();
	head->of = conn->key;
	conn->kept = place;
	conn->kept_of = (u32)conn->first + 1;
}

#define NONE_NS 100000000 /* how long no sample is taken for, at least, where none is */

/*
 * Take a token for keeping a head; return whether there was one. The bucket is that of all CPUs; each
 * knows how long it is empty at least.
 */
static __always_inline bool claim_head(struct scratch *s)
{
	struct control *control = control_here();
	bool taken;

	if (!control)
		return false;
	if (!control->interval_ns) {
		s->heads_due_ns = s->now + NONE_NS;
		return false;
	}
	taken = take_token(&control->heads_due_ns, control, s->now, 0);
	s->heads_due_ns = control->heads_due_ns;
	return taken;
}

/*
 * Whether the header section of a request that begins at s->buf may be kept. Not where others are
 * pending: then their number may change meanwhile, and so would the request's.
 */
static __always_inline bool may_keep(struct conn *conn, struct scratch *s)
{
	return HEAD_COPIED && s->heads_due_ns <= s->now && !conn->pending && s->carried == CARRY;
}

/* The step that keeps a request's header section, if it is its turn; then the window is read on. */
static __always_inline u32 keep_head(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);

	if (conn && claim_head(s))
		write_head(conn, s);
	return STEP_READ_MESSAGE;
}

/*
 * Whether line[] belongs to the current request. It does not if a later request has come, whole or
 * in part, or did not fit into the queue (blurred).
 */
static __always_inline bool line_is_current(struct conn *conn)
{
	return conn->pending <= 1 && !conn->blurred &&
	       conn->streams[REQUESTS].phase != PHASE_LINE &&
	       conn->streams[REQUESTS].phase != PHASE_HEAD;
}

/* Whether line[] holds a whole request, and nothing else. */
static __always_inline bool is_whole(u32 call_len)
{
	return call_len - 1 < LINE_LEN;
}

/*
 * Whether the header section of a request that is being answered is known, in all likelihood. On the
 * short way it is not pending any more.
 */
static __always_inline bool has_head(struct conn *conn)
{
	return is_whole(conn->call_len) ||
	       conn->kept_of == (u32)conn->first + (conn->pending ? 1 : 0);
}

/* Whether a head is that of a request of the connection. */
static __always_inline bool is_of(struct head *head, struct conn *conn, u64 number, u64 start_ns)
{
	return head->of == conn->key && head->number == number && head->start_ns == start_ns;
}

/*
 * Copy the header section of a request, by its number and the time of its first byte, with the request
 * line; return its length, below HEAD_LEN. 0: it was not kept.
 */
static __always_inline u32 copy_head(struct conn *conn, u64 number, u64 start_ns, u8 *to)
{
	u32 place = conn->kept, n = conn->call_len;
	struct head *head;

	if (!HEAD_COPIED || conn->blurred)
		return 0;
	if (line_is_current(conn) && is_whole(n)) {
		read_kernel(to, LINE_LEN, conn->line);
		IN_ORDER();
		/* Another CPU may have been reading the next request meanwhile. */
		if (!line_is_current(conn) || conn->call_len != n || conn->head_ns != start_ns)
			return 0;
		return n < HEAD_COPIED ? n : HEAD_COPIED;
	}
	head = conn->kept_of == (u32)number + 1 ? heads.lookup(&place) : 0;
	if (!head || !is_of(head, conn, number, start_ns))
		return 0;
	n = bounded(head->length, HEAD_LEN);
	IN_ORDER();
	read_kernel(to, n, head->bytes);
	IN_ORDER();
	return is_of(head, conn, number, start_ns) ? n : 0;
}
