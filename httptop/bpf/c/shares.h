/* SPDX-License-Identifier: MIT */
/*
 * Who takes how much of the tables. A tenant is the processes of one name and user, on one side; a
 * user is all of that user's tenants. Much that runs as root has nothing to do with the rest of it: so
 * of root each control group is a user, such as a container or a unit, whose processes made the
 * tenant. Each has a share: how much of each resource it has taken.
 *
 * As long as an eighth of a resource is free, anybody may take of it. The last eighth is for those
 * who have little: a 32nd of the whole, and a 16th for all that a user runs. So nobody can take from
 * others what they need, and what is free is of use to whoever needs more. Its first half is also for
 * tenants who have next to nothing, whatever else their user runs: a flood of one service does not
 * hide the others of its user. User space makes room again before that (collect/forgetting.py).
 *
 * Shares themselves are few, and whoever makes up names could take them all. So a user who has many
 * gets no more of their own once half of them are taken, and nobody does of the last eighth, which is
 * for users: such tenants have their user's.
 *
 * New connections, endpoints, statuses and pages of histograms come here, and requests behind others; no
 * request that is alone on a known connection, and no response of a known kind.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "maps.h"
#include "scratch.h"
#include "shards.h"

/* The number of the share that has the sums, and is that of who has none of their own. */
#define ALL_SHARES 0
#define MOST_OF_TENANT(most) ((most) / 32)
#define MOST_OF_USER(most) ((most) / 16)
#define NEXT_TO_NOTHING(most) ((most) / 256)
#define FREE_FOR_ALL(most) ((most) - (most) / 8)
#define FREE_FOR_SMALL(most) ((most) - (most) / 16)

/* Shares that tenants of a user with many, and of others, may have, by number: the lowest go first. */
#define MANY_TENANTS (MAX_SHARES / 8)
#define SHARES_OF_MANY (MAX_SHARES / 2)
#define SHARES_OF_FEW (MAX_SHARES - MAX_SHARES / 8)

/* What stands in the map: the number of a share and, of a user, how many tenants have had one. */
#define SHARE_NUMBER(value) ((value) & 0xffff)
#define TENANTS_OF(value) ((value) >> 16)

/* Return all shares, by number. */
static __always_inline struct shares *shares_here(void)
{
	u32 zero = 0;

	return (struct shares *)shares.lookup(&zero);
}

#define SHARE_AT(shares, number) (&(shares)->share[bounded(number, MAX_SHARES)])

/*
 * Return the number of a share, made now if there is none and it is below `most`; else that of the
 * user.
 */
static __always_inline u32 share_of(struct tenant_key *key, u32 user, u32 most)
{
	u32 *known = tenants.lookup(key), number = 0;
	struct shares *all = shares_here();

	if (known)
		return SHARE_NUMBER(*known);
	if (!all || free_shares.pop(&number))
		return user;
	if (number < most) {
		SHARE_AT(all, number)->user = user;
		if (!tenants.insert(key, &number))
			return number;
	}
	/* It is one of the last, the map is full, or another CPU was first. */
	free_shares.push(&number, 0);
	known = tenants.lookup(key);
	return known ? SHARE_NUMBER(*known) : user;
}

/* Return the number of the share of processes of a name and user on a side. */
static __always_inline u32 share_of_tenant(struct scratch *s, char *comm, u32 uid, u32 side)
{
	struct tenant_key *key = &s->tenant;
	u32 *known, user, number, most = SHARES_OF_FEW;

	copy_words((u8 *)key->comm, (u8 *)comm, COMM_LEN / 8);
	key->uid = uid;
	key->side = side;
	known = tenants.lookup(key);
	if (known)
		return SHARE_NUMBER(*known);
	WORD(key->comm) = uid ? 0 : bpf_get_current_cgroup_id();
	WORD(key->comm + 8) = 0;
	key->side = SIDE_OF_USER;
	user = share_of(key, ALL_SHARES, MAX_SHARES);
	known = tenants.lookup(key);
	if (known && TENANTS_OF(*known) >= MANY_TENANTS)
		most = SHARES_OF_MANY;
	copy_words((u8 *)key->comm, (u8 *)comm, COMM_LEN / 8);
	key->side = side;
	number = share_of(key, user, most);
	if (known && number != user)
		ADD_ANYWHERE(*known, 1 << 16);
	return number;
}

/* Add to what a share, its user and all have taken of a resource. */
static __always_inline void add_to(struct shares *all, u32 number, enum resource what, u32 count)
{
	struct share *mine = SHARE_AT(all, number);

	/* Who has no share of their own is in the sums alone, and once. */
	ADD_ANYWHERE(mine->taken[what], count * IS_SOME(number));
	ADD_ANYWHERE(SHARE_AT(all, mine->user)->taken[what], count * IS_SOME(mine->user));
	ADD_ANYWHERE(all->share[ALL_SHARES].taken[what], count);
}

/* The same, whether the share may have it or not. */
static __always_inline void add_taken(u32 number, enum resource what, u32 count)
{
	struct shares *all = shares_here();

	if (all)
		add_to(all, number, what, count);
}

/* Whether a share may take nothing of the last eighth of a resource. */
static __always_inline bool has_enough(struct shares *all, struct share *mine, enum resource what,
				       const u32 most)
{
	u64 of_user = SHARE_AT(all, mine->user)->taken[what];
	u64 tighter = IS_AT_LEAST(all->share[ALL_SHARES].taken[what], FREE_FOR_SMALL(most));
	u64 some = IS_AT_LEAST(mine->taken[what], NEXT_TO_NOTHING(most));

	/* Above a user's share there is none but that of all. */
	return IS_AT_LEAST(mine->taken[what], MOST_OF_TENANT(most)) |
	       (IS_AT_LEAST(of_user, MOST_OF_USER(most)) & IS_SOME(mine->user) & (some | tighter));
}

/* Take one of a resource, of which there are `most`; return whether the share may. */
static __always_inline bool take(u32 number, enum resource what, const u32 most)
{
	struct shares *all = shares_here();

	if (!all)
		return false;
	if (all->share[ALL_SHARES].taken[what] >= FREE_FOR_ALL(most) &&
	    has_enough(all, SHARE_AT(all, number), what, most))
		return false;
	add_to(all, number, what, 1);
	return true;
}

/* Give one of a resource back. */
static __always_inline void give_back(u32 number, enum resource what)
{
	add_taken(number, what, -1);
}
