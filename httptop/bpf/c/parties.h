/* SPDX-License-Identifier: MIT */
/*
 * The parties to requests: for each endpoint, whose they are (a process), and where they come from or
 * go to (an address). What each has had is counted exactly, beside the cells.
 *
 * A party has a number, by which its counters are found. A connection keeps the party to its latest
 * request, so one that repeats an endpoint finds it at no cost; one that changes it finds those that the
 * CPU has met lately, or looks in the map. The peer is noted when the connection is new, and when a PROXY
 * header names it.
 *
 * User space gives numbers back (bpf/parties.py) in two steps: end_party() takes the key out of the map
 * and raises the number's generation, and a tick later, when no program can be about to count any more,
 * blanks the counters. What a connection keeps has the generation in it, so it finds out by itself.
 *
 * Requests without a party, as there is no room, are counted in their cells alone; here they are those
 * of NO_PARTY_YET, whose generation grows as long as they come: a connection that repeats its request
 * looks again.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "kernel_structs.h"
#include "maps.h"
#include "scratch.h"
#include "shards.h"
#include "shares.h"
#include "steps.h"

#define PARTY(number, generation) ((u64)(generation) << 32 | (number))
#define NUMBER_OF(party) ((u32)(party))
#define GENERATION_OF(party) ((u32)((party) >> 32))

/* Return this shard's counters of a party; 0: there are none any more. */
static __always_inline struct party_counts *counts_of_party(u64 party)
{
	u32 at = NUMBER_OF(party) * SHARDS + shard();
	struct party_counts *counts = party_counts.lookup(&at);

	return counts && counts->generation == GENERATION_OF(party) ? counts : 0;
}

/* Return what stands for the party where there was no room for one. */
static __always_inline u64 no_party_yet(void)
{
	u32 at = NO_PARTY_YET * SHARDS;
	struct party_counts *counts = party_counts.lookup(&at);

	return PARTY(NO_PARTY_YET, counts ? counts->generation : 0);
}

/* Note the other end of a new connection. */
static __always_inline void note_other_end(struct conn *conn, u64 sk, bool unix_socket)
{
	struct party_key *who = &conn->who;

	who->family = unix_socket ? FAMILY_UNIX : kernel_u16(sk + OFF_SOCK_FAMILY);
	if (who->family == FAMILY_INET6)
		read_kernel(who->address, 16, (void *)(sk + OFF_SOCK_V6_DADDR));
	else if (who->family == FAMILY_INET)
		read_kernel(who->address, 4, (void *)(sk + OFF_SOCK_DADDR));
}

/* A PROXY header has named the client, if it has: that is the other end. */
static __always_inline void note_client_as_party(struct conn *conn)
{
	if (!conn->client.family)
		return;
	conn->who.family = conn->client.family;
	copy_words(conn->who.address, conn->client.address, 2);
	conn->who.endpoint = 0;
}

/* Return the party with the key conn->who, made now if there is none; 0: there is no room. */
static __always_inline u64 party_of_key(struct conn *conn)
{
	u64 *known = parties.lookup(&conn->who), party;
	struct party_counts *counts;
	struct party_key *key;
	u32 number = 0, at;

	if (known)
		return *known;
	if (!take(conn->share, PARTIES, MAX_PARTIES))
		return 0;
	if (free_parties.pop(&number)) {
		give_back(conn->share, PARTIES);
		return 0;
	}
	at = number * SHARDS;
	counts = party_counts.lookup(&at);
	key = party_keys.lookup(&number);
	if (!counts || !key)
		return 0;
	party = PARTY(number, counts->generation);
	if (!parties.insert(&conn->who, &party)) {
		copy_words((u8 *)key + 8, (u8 *)&conn->who + 8, sizeof(*key) / 8 - 1);
		WORD(key) = WORD(&conn->who); /* the last one: user space looks at the endpoint */
		return party;
	}
	/* The map is full, or another CPU was first. */
	free_parties.push(&number, 0);
	give_back(conn->share, PARTIES);
	known = parties.lookup(&conn->who);
	return known ? *known : 0;
}

/*
 * Have the connection in hand have the party with the key conn->who. It is a turn, so that the verifier
 * looks at it once (steps.h).
 */
static __always_inline int party_turn(struct scratch *s)
{
	struct conn *conn = conn_of(s->sk);

	if (conn)
		conn->party = party_of_key(conn);
	return 1;
}

#ifdef LOOPS
int take_party_turn(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || party_turn(s);
}
#endif

/* Return the place of the party with the key conn->who among those that the CPU has met lately. */
static __always_inline struct known_party *place_of_party(struct conn *conn)
{
	u64 *words = (u64 *)&conn->who;
	u64 hash = (words[0] ^ words[2]) * 0x9e3779b97f4a7c15ULL ^ words[3];
	u32 at = hash * 0xff51afd7ed558ccdULL >> 54;

	return known_parties.lookup(&at);
}

_Static_assert(KNOWN_PARTIES == 1 << (64 - 54), "the hash has as many bits");

/* Find the party to the latest request, whose endpoint is in the connection. */
static __always_inline void find_party(struct conn *conn)
{
	struct control *control = control_here();
	struct scratch *s = scratch_here();
	struct known_party *known;

	if (conn->who.endpoint == conn->endpoint && counts_of_party(conn->party))
		return;
	conn->party = NO_PARTY;
	conn->who.endpoint = conn->endpoint;
	conn->who.tgid = conn->tgid;
	conn->who.share = conn->share;
	known = place_of_party(conn);
	if (conn->endpoint <= LEFT_OUT_ENDPOINT(SIDE_CLIENT) || !known || !control || !s)
		return;
	if (!((WORD(&known->key) ^ WORD(&conn->who)) |
	      (WORD((u8 *)&known->key + 8) ^ WORD((u8 *)&conn->who + 8)) |
	      (WORD(known->key.address) ^ WORD(conn->who.address)) |
	      (WORD(known->key.address + 8) ^ WORD(conn->who.address + 8))) &&
	    counts_of_party(known->party)) {
		conn->party = known->party;
		return;
	}
	if (control->parties)
		TAKE_TURNS(1, party_turn, PARTY_TURN);
	if (!conn->party) {
		conn->party = no_party_yet();
		conn->who.endpoint = 0;
		return;
	}
	copy_words((u8 *)&known->key, (u8 *)&conn->who, sizeof(known->key) / 8);
	known->party = conn->party;
}

/* Count a response to the current request, of the kind in the connection, for its party. */
static __always_inline void count_answered(struct conn *conn, u64 latency_ns)
{
	struct party_counts *counts = counts_of_party(conn->current_party);

	if (!counts) {
		conn->who.endpoint = 0; /* find it again */
		conn->call_len = 0;
		return;
	}
	if (FILTER_RESPONSE && conn->kind.status == STATUS_LEFT_OUT)
		return;
	ADD(counts->answered, 1);
	ADD(counts->latency_sum_ns, latency_ns);
	ADD(counts->failed, IS_AT_LEAST(conn->kind.status, 400));
	if (latency_ns >> 10 > counts->latency_max_1024ns)
		counts->latency_max_1024ns = latency_ns >> 10;
}

/* Count a request that is over without a response that was seen, for its party. */
static __always_inline void count_without_response(u64 party, const bool unanswered)
{
	struct party_counts *counts = counts_of_party(party);

	if (!counts)
		return;
	if (unanswered)
		ADD_ANYWHERE(counts->unanswered, 1);
	else
		ADD_ANYWHERE(counts->unknown, 1);
}

/*
 * The program that user space runs to give a party's number back: with 0 behind the number it has no
 * party any more, with 1 it may be another's. With 0, NO_PARTY_YET has another generation.
 */
int end_party(u64 *ctx)
{
	u32 number = ctx[0];
	struct party_key *key = party_keys.lookup(&number);
	bool over = ctx[1];

	if (!key || (!key->endpoint && number != NO_PARTY_YET))
		return 0;
	if (!over)
		parties.delete(key);
#pragma clang loop unroll(disable)
	for (u32 shard = 0; shard < SHARDS; shard++) {
		u32 at = number * SHARDS + shard;
		struct party_counts *counts = party_counts.lookup(&at);

		if (!counts)
			return 0;
		if (!over) {
			counts->generation++;
			continue;
		}
		counts->answered = 0;
		counts->latency_sum_ns = 0;
		counts->failed = 0;
		counts->latency_max_1024ns = 0;
		counts->unanswered = 0;
		counts->unknown = 0;
	}
	if (!over)
		return 0;
	give_back(key->share, PARTIES);
	key->endpoint = 0;
	free_parties.push(&number, 0);
	return 0;
}
