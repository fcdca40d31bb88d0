/* SPDX-License-Identifier: MIT */
/*
 * Which containers the current process belongs to: by its control group in the version 2 hierarchy,
 * and on hosts that still have others (GROUPS_1) by those in up to MOST_HIERARCHIES of them.
 *
 * User space fills only_cgroups (bpf/cgroup_filter.py). A group's key is the inode number of its
 * directory, with the place of its hierarchy in group_numbers, counted from 1, in the upper byte.
 *
 * Called for filters, before anything is known of a connection.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "kernel_structs.h"
#include "linked.h"
#include "maps.h"

#define MOST_HIERARCHIES 4
#define MOST_LINKS 24 /* hierarchies of a host: one for each controller, and those with a name */

struct group_numbers {
	u32 number[MOST_HIERARCHIES]; /* of the hierarchies to look at; the rest: ~0 */
};
BPF_F_TABLE("array", u32, struct group_numbers, group_numbers, 1, BPF_F_RDONLY_PROG);

/* Where the walk through a task's groups is: here, since the stack has little room left. */
struct group_walk {
	u64 link;
	u64 word; /* that was read last; a key */
	u64 met;
	u64 zero; /* key of group_numbers */
};
BPF_PERCPU_ARRAY(group_walks, struct group_walk, 1);

/* Return the place of a hierarchy, by its number, counted from 1; 0: it is none of those. */
static __always_inline u64 place_of_hierarchy(struct group_walk *walk)
{
	struct group_numbers *wanted = group_numbers.lookup((u32 *)&walk->zero);
	u64 place = 0;

	if (!wanted)
		return 0;
	for (u32 i = 0; i < MOST_HIERARCHIES; i++)
		place |= EQUAL((u32)walk->word, wanted->number[i]) * (i + 1);
	OPAQUE(place);
	return place;
}

/* Where a task's list of its groups begins, one for each hierarchy, and ends. */
static __always_inline u64 groups_of_task(void)
{
	return (u64)AT(bpf_get_current_task_btf(), OFF_TASK_GROUPS) + OFF_GROUPS_LINKS;
}

static __always_inline void follow(struct group_walk *walk, u64 from, u64 offset)
{
	read_kernel(&walk->word, sizeof(walk->word), (void *)(from + offset));
}

/* Look at a task's groups in the other hierarchies; return the comparisons that they meet, too. */
static __always_inline u32 others_met(struct group_walk *walk)
{
	u32 *found;

	walk->link = groups_of_task();
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < MOST_LINKS; i++) {
		u64 place;

		follow(walk, walk->link, 0);
		walk->link = walk->word;
		if (!walk->link || walk->link == groups_of_task())
			break;
		follow(walk, walk->link, OFF_LINK_GROUP - OFF_LINK_IN_GROUPS);
		follow(walk, walk->word, OFF_GROUP_ROOT);
		follow(walk, walk->word, OFF_HIERARCHY_NUMBER);
		place = place_of_hierarchy(walk);
		if (!place)
			continue;
		follow(walk, walk->link, OFF_LINK_GROUP - OFF_LINK_IN_GROUPS);
		follow(walk, walk->word, OFF_GROUP_NODE);
		follow(walk, walk->word, OFF_NODE_NUMBER);
		walk->word |= place << 56;
		found = only_cgroups.lookup(&walk->word);
		if (found)
			walk->met |= *found;
	}
	return walk->met;
}

/* Return the comparisons that the current process's container meets, as bits. */
static __always_inline u32 containers_met(void)
{
	u32 zero = 0, *found;
	struct group_walk *walk = group_walks.lookup(&zero);

	if (!walk)
		return 0;
	walk->word = bpf_get_current_cgroup_id();
	found = only_cgroups.lookup(&walk->word);
	walk->met = found ? *found : 0;
	return LINKED(GROUPS_1) ? others_met(walk) : walk->met;
}
