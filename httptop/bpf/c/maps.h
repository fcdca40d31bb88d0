/* SPDX-License-Identifier: MIT */
/*
 * Every map but the scratch, each with its size limit, and the structs that only the kernel side
 * uses. Counters are in arrays from which nothing is deleted: user space may read them at any time
 * and subtracts the previous reading.
 */
#pragma once

#include "abi.h"
#include "conn.h"
#include "linked.h"

/* A request line of a process, and its endpoint under one generation of the path rules. */
struct known_line {
	char comm[COMM_LEN];
	u32 uid;
	u32 generation; /* control.generation */
	u32 endpoint; /* 0: there is none */
	u32 port;
	u16 length;
	u8 side;
	u8 method;
	u8 line[LINE_LEN + 8]; /* the last bytes are compared as part of a word */
};

/* A request queued behind others on its connection. */
struct queued {
	u64 start_ns;
	u64 bytes;
	u64 party;
	u32 endpoint;
	u8 method;
	u8 hosts;
	u8 unused[2]; /* the connection's port */
};

/* A connection has its latest request in this order. */
#define IS_QUEUED_AS(member, queued_member)                                                        \
	_Static_assert(__builtin_offsetof(struct conn, member) -                                   \
				       __builtin_offsetof(struct conn, head_ns) ==                 \
			       __builtin_offsetof(struct queued, queued_member),                   \
		       "struct conn and struct queued agree")
IS_QUEUED_AS(head_bytes, bytes);
IS_QUEUED_AS(party, party);
IS_QUEUED_AS(endpoint, endpoint);
IS_QUEUED_AS(method, method);
IS_QUEUED_AS(hosts, hosts);

/* The header section of a request, as far as it is kept (heads.h). */
struct head {
	u64 of; /* key of its connection; 0: it is being written */
	u64 number; /* see conn.first */
	u64 start_ns;
	u64 length; /* bytes[..length) are set */
	u8 bytes[HEAD_LEN];
};

/* How far a thread has come in its sendmmsg or recvmmsg. */
struct batch {
	u64 array;
	u32 next; /* index of the next message */
	u32 last; /* length of the previous message */
};

struct queue_key {
	u64 of; /* key of the connection */
	u64 number; /* see conn.first */
};

/*
 * What stands for a socket where user space can read it: the address of its struct sock, which nobody
 * is to learn, under a mask that the loader draws. It is its own inverse.
 */
#define MASKED(sk) ((sk) ^ LINKED(KEY_MASK))

/* Memory follows the connections there are; opening and closing one takes no longer for it. */
BPF_F_TABLE("hash", u64, struct conn, conns, SIZED, BPF_F_NO_PREALLOC);
/* Sockets whose end no tracepoint will report any more: sweep() checks them (bpf/sweep.py). */
BPF_F_TABLE("hash", u64, u8, swept_conns, SIZED, BPF_F_NO_PREALLOC);
BPF_ARRAY(blank_conn, struct conn, 1); /* zeros, to initialise new connections */
BPF_F_TABLE("hash", struct endpoint_key, u32, endpoints, SIZED, BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", struct response_key, u32, responses, SIZED, BPF_F_NO_PREALLOC);
/* Parties, as parties.h makes numbers of them; by number their keys, and what they have had. */
BPF_F_TABLE("hash", struct party_key, u64, parties, SIZED, BPF_F_NO_PREALLOC);
BPF_F_TABLE("array", u32, struct party_key, party_keys, SIZED, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct party_counts, party_counts, SIZED, BPF_F_MMAPABLE);
BPF_STACK(free_parties, u32, SIZED);
/*
 * What each CPU has met lately: request lines, by their hash, and kinds of responses, by the number of
 * their endpoint. The next one in the same place takes it.
 */
/* A socket that carries no HTTP/1 (others.h). Calls only count up: below 2^32, or it is looked at anew. */
struct other {
	u64 sk;
	u64 inode_and_calls; /* inode number in the upper half, calls in the lower; one word, so they fit */
	u64 since_ns; /* its first bytes; in the lowest bits, which way such bytes went */
};
#define OTHER_BITS 12
BPF_ARRAY(others, struct other, 1 << OTHER_BITS);
#define KNOWN_LINES 1024
#define KNOWN_KINDS 1024
#define KNOWN_PARTIES 1024
/* A party that a CPU has met lately. */
struct known_party {
	struct party_key key;
	u64 party;
};
BPF_PERCPU_ARRAY(known_lines, struct known_line, KNOWN_LINES);
BPF_PERCPU_ARRAY(known_kinds, struct response_kind, KNOWN_KINDS);
BPF_PERCPU_ARRAY(known_parties, struct known_party, KNOWN_PARTIES);
BPF_F_TABLE("hash", struct queue_key, struct queued, queue, SIZED, BPF_F_NO_PREALLOC);
/* The lowest number is on top, so used numbers have no gaps. */
BPF_STACK(free_cells, u32, SIZED);
BPF_STACK(free_pages, u32, SIZED);
BPF_ARRAY(pool_next, u32, 4); /* while the pools are filled: next cell, page, share, party */
BPF_STACK(returned_cells, u32, SIZED); /* that were used before */
BPF_F_TABLE("hash", struct tenant_key, u32, tenants, MAX_SHARES, BPF_F_NO_PREALLOC);
/* The loader makes it one struct shares (build/object_file.py): their numbers need no look-ups. */
BPF_ARRAY(shares, u64, sizeof(struct shares) / 8);
BPF_STACK(free_shares, u32, MAX_SHARES);
BPF_ARRAY(cells, struct cell, SIZED);
BPF_ARRAY(pages, struct page, SIZED);
BPF_ARRAY(losses, struct losses, SHARDS);
BPF_ARRAY(controls, struct control, 1);
BPF_ARRAY(rules, struct rule, MAX_RULES);
BPF_ARRAY(rule_shapes, struct rule_shape, SEGMENTS + 1);
BPF_F_TABLE("hash", struct rule_word, u64, rule_words, MAX_RULES *SEGMENTS, BPF_F_NO_PREALLOC);
BPF_ARRAY(classes, struct byte_class, 512);
BPF_TABLE("lru_hash", struct other_protocol_key, u64, other_protocols,
	  2048); /* number of connections */
BPF_TABLE("lru_hash", u64, struct batch, batches, 1024); /* by thread */
BPF_RINGBUF_OUTPUT(samples, SIZED); /* pages, for the compiler */
/* A sample, while a CPU makes it. */
struct draft {
	struct sample sample;
	u8 head[HEAD_LEN];
};
BPF_PERCPU_ARRAY(drafts, struct draft, 1);
/* Each CPU writes its own, in turn: those with its number in the lowest bits of their place. */
#ifndef HEAD_CPUS
#define HEAD_CPUS 8
#endif
#define HEADS (HEAD_CPUS > 256 ? HEAD_CPUS : 256)
BPF_ARRAY(heads, struct head, HEADS);
/* A connection that the filter excludes; see pass_over(). */
struct passed {
	u64 inode;
	u32 tgid;
	u32 thread;
	u8 side;
	u8 verify; /* as in struct conn */
	u8 unused[6];
};
BPF_F_TABLE("hash", u64, struct passed, left_out, SIZED, BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", u64, u32, only_cgroups, 16384, BPF_F_NO_PREALLOC);
/*
 * The values of the filter, which the loader writes before it loads the programs (filter_terms.h).
 * It then freezes these maps, so the verifier knows what stands in those of one entry, and follows
 * no turn of a loop too many; the first two become such (build/object_file.py). How many entries the
 * others have the loader decides.
 */
BPF_F_TABLE("array", u32, u64, filter_ranges, sizeof(struct filter_range) / 8, BPF_F_RDONLY_PROG);
BPF_F_TABLE("array", u32, u64, filter_globs, sizeof(struct filter_globs) / 8, BPF_F_RDONLY_PROG);
BPF_F_TABLE("hash", struct filter_name, u64, filter_names, 1, BPF_F_RDONLY_PROG);
BPF_F_TABLE("lpm_trie", struct peer_key, u64, filter_peers, 1,
	    BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
/* The processes that a filter selects by id, and when they were started (filter_terms.h). */
BPF_F_TABLE("hash", u32, u64, filter_pids, 1, BPF_F_RDONLY_PROG);
#ifdef SEES_READY
/* A packet that arrived in a socket that is not tracked yet; see wait.h. */
struct ready {
	u64 sk;
	u64 ns;
	u64 mark;
	u64 peer; /* inode number of a Unix socket's other end */
};
#define READY_BITS 16
BPF_ARRAY(ready, struct ready, 1 << READY_BITS);
#endif

static __always_inline struct conn *conn_of(u64 sk)
{
	u64 key = MASKED(sk);

	return conns.lookup(&key);
}

/* Have sweep() look at a socket. */
static __always_inline void sweep_later(u64 sk)
{
	u64 key = MASKED(sk);
	u8 one = 1;

	swept_conns.update(&key, &one);
}

/* Have sweep() look at a socket no more. */
static __always_inline void not_swept(u64 sk)
{
	u64 key = MASKED(sk);

	swept_conns.delete(&key);
}

static __always_inline struct control *control_here(void)
{
	u32 zero = 0;

	return controls.lookup(&zero);
}
