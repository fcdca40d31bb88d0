/* SPDX-License-Identifier: MIT */
/*
 * Samples of single requests, for user space, limited by a token bucket that gains a token every
 * interval_ns and holds up to burst_ns worth of them. Its state is a time, due_ns: at the time
 * `now` it holds now - due_ns worth of tokens. Two CPUs may take the same token: the rate is a
 * budget, not an exact count. Reads the connection and the control block; writes the bucket and the
 * ring buffer.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "counters.h"
#include "kernel_structs.h"
#include "maps.h"

/*
 * Take a token from a bucket if it holds at least `reserve_ns` worth of them; return whether it
 * did.
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

/*
 * Whether the strategy lets a response be sampled; if so, a token is taken. tail: failed and slow
 * requests may empty the bucket, the others leave half of it. per-endpoint: each endpoint has its
 * own bucket.
 */
static __always_inline bool claim_token(u32 endpoint, u32 status, u64 latency_ns, u64 now)
{
	struct control *control = control_here();
	bool first_class;
	u64 reserve_ns = 0;

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
		u32 at = endpoint * SHARDS;
		struct cell *cell = cells.lookup(&at);

		return cell && take_token(&cell->due_ns, control, now, 0);
	}
	return take_token(&control->due_ns, control, now, reserve_ns);
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

/* Bytes of a request line that are copied into a sample. */
#define LINE_COPIED (CAPTURE_LEN < LINE_LEN ? CAPTURE_LEN / 8 * 8 : LINE_LEN)

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
 * Sample the current request, or the one that has just been answered. The line is left empty if
 * line[] holds another request's. `sk` is 0 if the struct sock may have been reused: then the peer
 * is unknown.
 */
static __always_inline void take_sample(struct conn *conn, u64 sk, u64 latency_ns, u32 status,
					u64 response, u32 response_len)
{
	struct sample *sample = samples.ringbuf_reserve(sizeof(struct sample));
	u16 line_len = line_is_current(conn) ? conn->line_len : 0;

	if (!sample) {
		COUNT_LOSS(lost_samples);
		return;
	}
	sample->start_ns = conn->start_ns;
	sample->latency_ns = latency_ns;
	sample->request_bytes = conn->request_bytes;
	sample->endpoint = conn->current;
	sample->tgid = conn->tgid;
	sample->status = status;
	sample->line_len = line_len > LINE_COPIED ? LINE_COPIED : line_len;
	sample->unused[0] = line_len > LINE_COPIED; /* the line was cut off */
	sample->unused[1] = sample->unused[2] = 0;
	note_peer(conn, sk, sample);
	copy_words(sample->line, conn->line, LINE_COPIED / 8);
	sample->response_len = 0;
	if (response && response_len) {
		if (response_len > CAPTURE_LEN)
			response_len = CAPTURE_LEN;
		asm volatile("" : "+r"(response_len));
		response_len &= 1023;
		if (response_len <= RESPONSE_LEN &&
		    !read_user(sample->response, response_len, (void *)response))
			sample->response_len = response_len;
	}
	samples.ringbuf_submit(sample, 0);
}
