/* SPDX-License-Identifier: MIT */
/*
 * Every map but the scratch, each with its bound, and what only the kernel side keeps in them.
 * Those that count are arrays from which nothing is deleted: user space reads them at leisure and
 * subtracts.
 */
#pragma once

#include "abi.h"
#include "conn.h"

#define CACHED_LEN 80 /* longest request line whose endpoint is remembered beyond its connection */

/*
 * A request line of a process, as read under the rules for paths of this generation, and what
 * became of it. Bytes behind the line are zero.
 */
struct line_key {
	char comm[COMM_LEN];
	u32 side;
	u32 generation;
	u8 line[CACHED_LEN];
};

struct line_value {
	u32 endpoint;
	u32 tgid; /* noted as active on it */
	u32 method;
	u32 unused;
};

/* A request that waits behind others on its connection. */
struct queued {
	u64 start_ns;
	u64 bytes;
	u32 endpoint;
	u8 method;
	u8 hosts;
	u8 unused[2];
};

/* Where a thread is in its sendmmsg or recvmmsg. */
struct batch {
	u64 array;
	u32 next; /* message */
	u32 last; /* length of the one before */
};

struct queue_key {
	u64 sk;
	u64 number; /* see conn.first */
};

struct piece {
	struct piece_head head;
	u8 data[PIECE_LEN];
};

BPF_HASH(conns, u64, struct conn, MAX_CONNECTIONS);
/* Connections whose end no tracepoint tells: sweep() looks for it (bpf/sweep.py). */
BPF_F_TABLE("hash", u64, u8, swept_conns, 16384, BPF_F_NO_PREALLOC);
BPF_ARRAY(blank_conn, struct conn, 1); /* zeros: what a new connection begins as */
BPF_F_TABLE("hash", struct endpoint_key, u32, endpoints, MAX_ENDPOINTS, BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", struct response_key, u32, responses, MAX_CELLS, BPF_F_NO_PREALLOC);
BPF_TABLE("lru_hash", struct process_key, u64, processes, MAX_PROCESSES);
BPF_TABLE("lru_hash", struct line_key, struct line_value, lines, 4096);
BPF_F_TABLE("hash", struct queue_key, struct queued, queue, MAX_PIPELINED, BPF_F_NO_PREALLOC);
/* The lowest number is on top: what is given back goes out next, so numbers in use have no gaps. */
BPF_STACK(free_cells, u32, MAX_CELLS);
BPF_STACK(free_pages, u32, MAX_PAGES);
BPF_ARRAY(pool_next, u32, 2); /* while the pools are filled: the next cell, the next page */
BPF_ARRAY(cells, struct cell, MAX_CELLS *SHARDS);
BPF_ARRAY(pages, struct page, MAX_PAGES + 1);
BPF_ARRAY(losses, struct losses, SHARDS);
BPF_ARRAY(controls, struct control, 1);
BPF_ARRAY(rules, struct rule, MAX_RULES);
BPF_ARRAY(rule_shapes, struct rule_shape, SEGMENTS + 1);
BPF_F_TABLE("hash", struct rule_word, u64, rule_words, MAX_RULES *SEGMENTS, BPF_F_NO_PREALLOC);
BPF_ARRAY(classes, struct byte_class, 256);
BPF_TABLE("lru_hash", struct other_protocol_key, u64, other_protocols,
	  2048); /* connections seen to begin so */
BPF_TABLE("lru_hash", u64, struct batch, batches, 1024); /* by thread */
BPF_RINGBUF_OUTPUT(samples, SAMPLE_PAGES);
BPF_RINGBUF_OUTPUT(pieces, PIECE_PAGES);
BPF_PERCPU_ARRAY(outgoing, struct piece, 1);
BPF_ARRAY(taking_up, u64, 1); /* inode of the connection whose bytes are being taken up; or 0 */
/* A connection that the filter leaves out; see pass_over(). */
struct passed {
	u64 inode;
	u32 tgid;
	u32 thread;
	u8 side;
	u8 verify; /* as in struct conn */
	u8 unused[6];
};
BPF_F_TABLE("hash", u64, struct passed, left_out, MAX_CONNECTIONS, BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", u64, u32, only_cgroups, 16384, BPF_F_NO_PREALLOC);
#ifdef MATCHERS
struct glob_step {
	u64 next[MATCHERS];
};
BPF_ARRAY(glob_steps, struct glob_step, 256);
#endif
#ifdef SEES_READY
/* What came into a socket of which no connection is known yet; see wait.h. */
struct ready {
	u64 sk;
	u64 ns;
	u64 mark;
	u64 peer; /* inode of the other end of a Unix socket */
};
#define READY_BITS 13
BPF_ARRAY(ready, struct ready, 1 << READY_BITS);
#endif
BPF_PROG_ARRAY(next_program, 8);

static __always_inline struct control *control_here(void)
{
	u32 zero = 0;

	return controls.lookup(&zero);
}
