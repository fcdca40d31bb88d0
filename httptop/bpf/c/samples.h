/* SPDX-License-Identifier: MIT */
/*
 * Samples of single requests, for user space, limited by a token bucket that gains a token every
 * interval_ns and holds up to burst_ns worth of them. Its state is a time, due_ns: at the time
 * `now` it holds now - due_ns worth of tokens. Two CPUs may take the same token: the rate is a
 * budget, not an exact count. Reads the connection and the control block; writes the bucket and the
 * ring buffer.
 *
 * Of requests that neither failed nor were slow, those whose header section is kept (heads.h) come
 * first: the others leave a token for them. So a busy host, where few are kept, samples these.
 *
 * The last eighth of the bucket is for tenants (shares.h) that have had less than an eighth of the
 * samples: each has a bucket of its own, which gains a token in eight intervals. So nobody's failures
 * hide those of others.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "counters.h"
#include "heads.h"
#include "kernel_structs.h"
#include "linked.h"
#include "maps.h"
#include "shares.h"

#define OWN_PART 8

/* Take a token from the bucket and, if it is not empty, from the tenant's own; return whether it did. */
static __always_inline bool take_shared_token(struct conn *conn, struct control *control, u64 now,
					      u64 reserve_ns)
{
	struct shares *all = shares_here();
	u64 *own, due;

	if (!all)
		return false;
	own = &SHARE_AT(all, conn->share)->due_ns;
	due = *own;
	/* Most requests of a busy host end here. */
	if (due > now && control->due_ns + reserve_ns + control->burst_ns / OWN_PART > now)
		return false;
	if (!take_token(&control->due_ns, control, now, reserve_ns))
		return false;
	if (due + control->burst_ns < now)
		due = now - control->burst_ns;
	if (due <= now)
		*own = due + OWN_PART * control->interval_ns;
	return true;
}

/*
 * Whether the strategy lets a response be sampled; if so, a token is taken. tail: failed and slow
 * requests may empty the bucket, the others leave half of it. per-endpoint: each endpoint has its
 * own bucket.
 */
static __always_inline bool claim_token(struct conn *conn, u32 status, u64 latency_ns, u64 now)
{
	struct control *control = control_here();
	u64 reserve_ns = 0;
	bool first_class;

	if (!control || !control->interval_ns)
		return false;
	first_class = status >= 400 || latency_ns >= control->slow_ns;
	if (control->strategy == STRATEGY_TAIL && !first_class)
		reserve_ns = control->burst_ns / 2;
	if (control->share >> 32 == 0 && control->strategy != STRATEGY_ALL &&
	    !(control->strategy == STRATEGY_TAIL && first_class) &&
	    bpf_get_prandom_u32() >= control->share)
		return false;
	if (control->strategy == STRATEGY_PER_ENDPOINT) {
		u32 at = conn->current * SHARDS;
		struct cell *cell = cells.lookup(&at);

		return cell && take_token(&cell->due_ns, control, now, 0);
	}
	if (control->due_ns + reserve_ns > now)
		return false;
	if (!(control->strategy == STRATEGY_TAIL && first_class) && !has_head(conn) &&
	    reserve_ns + control->interval_ns <= control->burst_ns)
		reserve_ns += control->interval_ns;
	return take_shared_token(conn, control, now, reserve_ns);
}

/* Bytes of a request line, and of a response, that are copied into a sample. */
#define LINE_COPIED LINKED(LINE_COPIED)
#define RESPONSE_COPIED LINKED(RESPONSE_COPIED)

/* Note the other side of the connection: the client that a proxy has named, or the socket's peer. */
static __always_inline void note_peer(struct conn *conn, u64 sk, struct sample *sample)
{
	if (conn->client.family) {
		sample->family = conn->client.family;
		sample->port = conn->client.port;
		copy_words(sample->address, conn->client.address, 2);
		return;
	}
	sample->family = kernel_u16(sk + OFF_SOCK_FAMILY);
	sample->port = bpf_ntohs(kernel_u16(sk + OFF_SOCK_DPORT));
	if (sample->family == FAMILY_INET6)
		read_kernel(sample->address, 16, (void *)(sk + OFF_SOCK_V6_DADDR));
	else
		read_kernel(sample->address, 4, (void *)(sk + OFF_SOCK_DADDR));
}

/*
 * Sample the current request, or the one that has just been answered, by its number (conn.first). The
 * line is left empty if line[] holds another request's, and so is the header section where it was not
 * kept.
 */
static __always_inline void take_sample(struct conn *conn, u64 sk, u64 number, u64 latency_ns,
					u32 status, u64 response, u32 response_len)
{
	u16 line_len = line_is_current(conn) ? conn->line_len : 0;
	u32 zero = 0;
	u64 head_len;
	struct draft *draft = drafts.lookup(&zero);
	struct sample *sample;

	if (!draft)
		return;
	sample = &draft->sample;
	sample->start_ns = conn->start_ns;
	sample->latency_ns = latency_ns;
	sample->request_bytes = conn->request_bytes;
	sample->endpoint = conn->current;
	sample->tgid = conn->tgid;
	sample->status = status;
	sample->line_len = line_len > LINE_COPIED ? LINE_COPIED : line_len;
	sample->line_cut = line_len > LINE_COPIED;
	sample->unused = 0;
	note_peer(conn, sk, sample);
	read_kernel(sample->line, LINE_COPIED, conn->line);
	sample->response_len = 0;
	if (response && response_len) {
		if (response_len > RESPONSE_COPIED)
			response_len = RESPONSE_COPIED;
		asm volatile("" : "+r"(response_len));
		response_len &= 1023;
		if (response_len <= RESPONSE_LEN &&
		    !read_user(sample->response, response_len, (void *)response))
			sample->response_len = response_len;
	}
	head_len = bounded(copy_head(conn, number, sample->start_ns, draft->head), HEAD_LEN);
	sample->head_len = head_len;
	if (samples.ringbuf_output(draft, sizeof(struct sample) + head_len, 0))
		COUNT_LOSS(lost_samples);
}
