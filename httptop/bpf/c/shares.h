/* SPDX-License-Identifier: MIT */
/*
 * Who takes how much of the tables. A tenant is the processes of one name and user, on one side; a
 * user is all of that user's tenants. Each has a share: how much of each resource it has taken.
 *
 * As long as a quarter of a resource is free, anybody may take of it. The last quarter is for those
 * who have little: a sixteenth of the whole, and an eighth for all that a user runs. So nobody can
 * take from others what they need, and what is free is of use to whoever needs more. User space makes
 * room again (bpf/give_back.py).
 *
 * Only what is rare comes here: new connections, endpoints, statuses and histograms.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "maps.h"
#include "scratch.h"

/* Also where another of our programs may interrupt. */
#define ADD_ANYWHERE(counter, n) __sync_fetch_and_add(&(counter), n)

#define ALL_SHARES                                                                                 \
	0 /* number of the share that has the sums; and of those who have none of their own */
#define MOST_OF_TENANT(most) ((most) / 16)
#define MOST_OF_USER(most) ((most) / 8)
#define FREE_FOR_ALL(most) ((most) - (most) / 4)

/* Return the number of a share, made now if there is none; ALL_SHARES if there is no room. */
static __always_inline u32 share_of(struct tenant_key *key, u32 user)
{
	u32 *known = tenants.lookup(key), number = 0;
	struct share *share;

	if (known)
		return *known;
	if (free_shares.pop(&number))
		return ALL_SHARES;
	share = shares.lookup(&number);
	if (share)
		share->user = user;
	if (share && !tenants.insert(key, &number))
		return number;
	/* The map is full, or another CPU was first. */
	free_shares.push(&number, 0);
	known = tenants.lookup(key);
	return known ? *known : ALL_SHARES;
}

/* Return the number of the share of processes of a name and user on a side. */
static __always_inline u32 share_of_tenant(struct scratch *s, char *comm, u32 uid, u32 side)
{
	struct tenant_key *key = &s->tenant;
	u32 user;

	WORD(key->comm) = 0;
	WORD(key->comm + 8) = 0;
	key->uid = uid;
	key->side = SIDE_OF_USER;
	user = share_of(key, ALL_SHARES);
	copy_words((u8 *)key->comm, (u8 *)comm, COMM_LEN / 8);
	key->side = side;
	return share_of(key, user);
}

/* Return a share; it is there for every number that share_of() returns. */
static __always_inline struct share *share_at(u32 number)
{
	return shares.lookup(&number);
}

/* Add to what a share, its user, and all have taken of a resource. */
static __always_inline void add_taken(u32 number, enum resource what, u32 count)
{
	u32 at = number;
	struct share *share = shares.lookup(&at);

	if (!share)
		return;
	ADD_ANYWHERE(share->taken[what], count);
	at = share->user;
	if (number != ALL_SHARES && at != ALL_SHARES) {
		share = shares.lookup(&at);
		if (share)
			ADD_ANYWHERE(share->taken[what], count);
	}
	if (number == ALL_SHARES)
		return;
	at = ALL_SHARES;
	share = shares.lookup(&at);
	if (share)
		ADD_ANYWHERE(share->taken[what], count);
}

/* Take one of a resource, of which there are `most`; return whether the share may. */
static __always_inline bool take(u32 number, enum resource what, const u32 most)
{
	u32 at = ALL_SHARES;
	struct share *share = shares.lookup(&at);

	if (!share)
		return false;
	if (share->taken[what] >= FREE_FOR_ALL(most)) {
		at = number;
		share = shares.lookup(&at);
		if (!share || share->taken[what] >= MOST_OF_TENANT(most))
			return false;
		at = share->user;
		share = shares.lookup(&at);
		if (!share || share->taken[what] >= MOST_OF_USER(most))
			return false;
	}
	add_taken(number, what, 1);
	return true;
}

/* Give one of a resource back. */
static __always_inline void give_back(u32 number, enum resource what)
{
	add_taken(number, what, -1);
}
