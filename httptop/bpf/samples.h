/*
 * Samples of single requests, behind one bucket that refills at SAMPLE_INTERVAL_NS a sample and
 * holds SAMPLE_BURST_NS of them. Slow requests and errors may empty it; the others leave half.
 * Two CPUs may take the same place in the bucket: the rate is a budget, not a count.
 */
#pragma once

static __always_inline bool sample_wanted(u64 now, bool first_class)
{
	u32 zero = 0;
	struct limiter *bucket = limiters.lookup(&zero);
	u64 due, reserve = first_class ? 0 : SAMPLE_BURST_NS / 2;

	if (!bucket || !SAMPLE_BURST_NS)
		return false;
	due = bucket->due_ns;
	if (due + reserve > now)
		return false;
	if (due + SAMPLE_BURST_NS < now)
		due = now - SAMPLE_BURST_NS;
	bucket->due_ns = due + SAMPLE_INTERVAL_NS;
	return true;
}

static __always_inline void take_sample(struct conn *conn, u64 sk, u64 latency_ns, u32 status,
					u64 answer, u32 answer_len)
{
	struct sample *sample = samples.ringbuf_reserve(sizeof(struct sample));
	u16 line_len = conn->line_len;

	if (!sample) {
		COUNT_LOSS(lost_samples);
		return;
	}
	sample->start_ns = conn->start_ns;
	sample->latency_ns = latency_ns;
	sample->request_bytes = conn->request_bytes;
	sample->endpoint = conn->endpoint;
	sample->tgid = conn->tgid;
	sample->status = status;
	sample->line_len = line_len > LINE_LEN ? LINE_LEN : line_len;
	sample->family = kernel_u16(sk + OFF_SOCK_FAMILY);
	sample->port = bpf_ntohs(kernel_u16(sk + OFF_SOCK_DPORT));
	sample->unused[0] = line_len > LINE_LEN; /* the line went on */
	sample->unused[1] = sample->unused[2] = 0;
	if (sample->family == FAMILY_INET6)
		read_kernel(sample->address, 16, (void *)(sk + OFF_SOCK_V6_DADDR));
	else
		read_kernel(sample->address, 4, (void *)(sk + OFF_SOCK_DADDR));
	copy_words(sample->line, conn->line, LINE_LEN / 8);
	sample->answer_len = 0;
	if (answer && answer_len) {
		if (answer_len > ANSWER_LEN)
			answer_len = ANSWER_LEN;
		asm volatile("" : "+r"(answer_len));
		answer_len &= 1023;
		if (answer_len <= ANSWER_LEN &&
		    !read_user(sample->answer, answer_len, (void *)answer))
			sample->answer_len = answer_len;
	}
	samples.ringbuf_submit(sample, 0);
}
