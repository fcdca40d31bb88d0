/* SPDX-License-Identifier: MIT */
/*
 * What the conditions of a filter compare. How comparisons are joined is not compiled: that is in
 * functions which are made for the run and linked (bpf/filter/conditions.py). The values to compare
 * with are in maps that no program writes (bpf/filter/values.py). So the same compiled programs run
 * with any filter.
 *
 * Numbers are searched for in sets. For names of processes, addresses, containers and hosts one
 * look-up decides all comparisons of the field together and returns them as bits.
 *
 * Called by the functions of the run and by filter.h. Reads scratch and the maps of the
 * filter; writes only scratch's temporaries and, for a host, the copied bytes in scratch.data.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "control_groups.h"
#include "filter_state.h"
#include "kernel_structs.h"
#include "linked.h"
#include "maps.h"
#include "scratch.h"

#define HOST_LEN 256 /* longest name of a host */

/* ---- numbers -------------------------------------------------------------------------------- */

#if FILTER
/*
 * Return 1 if a value is in a set, otherwise 0. A binary search finds the last range that begins at or
 * below it; a set of one range takes no turn. Each step is computed, not branched on, or the verifier
 * would follow both branches of every turn. The filter's functions call this (bpf/filter/decisions.py).
 * A function of its own (linked.h).
 */
u64 in_set(const struct number_search *search)
{
	const struct filter_range *ranges, *range;
	u64 at, half, value, past, mask = LINKED(RANGES_MASK);
	u32 zero = 0;

	if (!search)
		return 0;
	at = search->first;
	half = search->half;
	value = search->value;
	ranges = (struct filter_range *)filter_ranges.lookup(&zero);
	if (!ranges)
		return 0;
#pragma clang loop unroll(disable)
	for (u32 turn = 0; turn < 32; turn++) {
		u64 reached;

		if (!half)
			break;
		reached = AT_LEAST(value, ranges[(at + half) & mask].low);
		OPAQUE(reached);
		at += half & (0 - reached);
		half >>= 1;
	}
	range = &ranges[at & mask];
	past = value - range->low;
	past |= range->span - past;
	return ~past >> 63;
}
#endif

/* ---- processes ------------------------------------------------------------------------------ */

#define STARTS_WITHIN                                                                              \
	10000000 /* how exactly it is known when a process was started, in nanoseconds */
#define STRANGER (1U << 31) /* beyond every id */

/*
 * Return a process id as filters know it; with STRANGER where the filter selects it, and the current
 * process is another than the one that had it when the run began.
 */
static __always_inline u32 pid_if_followed(const u32 *pid)
{
	u64 *started = filter_pids.lookup(pid);
	u64 start;

	if (!started)
		return *pid;
	start = (u64)AT(AT(bpf_get_current_task_btf(), OFF_TASK_LEADER), OFF_TASK_START);
	return start - *started < STARTS_WITHIN ? *pid : *pid | STRANGER;
}

/* ---- globs ---------------------------------------------------------------------------------- */

static __always_inline const struct filter_globs *globs_here(void)
{
	u32 zero = 0;

	return (struct filter_globs *)filter_globs.lookup(&zero);
}

/* The states of a matcher, moved on by a byte (bpf/filter/globs.py). */
static __always_inline u64 matcher_turn(const struct filter_globs *globs, u32 number, u64 states,
					u64 stay, u8 byte)
{
	u64 at = number * 256 + byte;

	OPAQUE(at); /* or the compiler leaves out the mask, which the verifier of Linux 6.1 needs */
	return ((states & globs->next[at & (MOST_MATCHERS * 256 - 1)]) << 1) | (states & stay);
}

/*
 * Return the comparison that holds, as a bit, given the states at the end of a text. Computed, not
 * branched on, or the verifier would follow the rest once for each combination of comparisons.
 */
static __always_inline u64 comparison_met(const struct matcher *matcher, u64 states)
{
	u64 accepted = states & matcher->accept, any = (accepted | (0 - accepted)) >> 63;

	OPAQUE(any);
	return matcher->comparison & (0 - any);
}

/*
 * Normalise the host that begins at data[host_at] for the globs: lower case, terminated by a 0 that
 * replaces what follows it (a port or the end of the line). Return false if it exceeds HOST_LEN.
 */
static __always_inline bool host_to_match(struct scratch *s)
{
	u64 ends;

	s->cursor = s->host_at + EQUAL(BYTE(s, s->host_at), ' ');
	s->bracket = BYTE(s, s->cursor) == '['; /* within one a colon is part of the address */
	s->host_at = s->cursor;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < HOST_LEN; i++) {
		u64 byte = BYTE(s, s->cursor);

		ends = AT_LEAST(' ', byte) | (EQUAL(byte, ':') & ~(u64)s->bracket);
		OPAQUE(ends);
		if (ends) {
			BYTE(s, s->cursor) = 0;
			return true;
		}
		s->bracket &= ~EQUAL(byte, ']');
		byte |= (AT_LEAST(byte, 'A') & AT_LEAST('Z', byte)) << 5;
		BYTE(s, s->cursor) = byte;
		s->cursor++;
	}
	return false;
}

/* Return the comparisons that the host at data[host_at] meets, as bits; its text in data[] changes. */
static __always_inline u32 hosts_met(struct scratch *s)
{
	const struct filter_globs *globs = globs_here();
	u64 met = 0;

	if (!globs || !host_to_match(s))
		return 0;
#pragma clang loop unroll(disable)
	for (u32 number = 0; number < MOST_HOST_MATCHERS; number++) {
		const struct matcher *matcher = &globs->matchers[number];

		if (number >= globs->hosts)
			break;
		s->states = matcher->start;
#pragma clang loop unroll(disable)
		for (u32 i = 0; i < HOST_LEN; i++) {
			u64 byte = BYTE(s, s->host_at + i);

			if (!byte)
				break;
			s->states = matcher_turn(globs, number, s->states, matcher->stay, byte);
		}
		met |= comparison_met(matcher, s->states);
	}
	return met;
}

/* ---- process, peer --------------------------------------------------------------------- */

#if FILTER
/*
 * Return the comparisons that this process name meets, literally or by a glob, as bits. A function of
 * its own (linked.h).
 */
u64 names_met(const struct filter_name *asked)
{
	const struct filter_globs *globs = globs_here();
	struct filter_name name = {};
	u64 *exact, met;

	if (!asked || !globs)
		return 0;
	name = *asked;
	exact = filter_names.lookup(&name);
	met = exact ? *exact : 0;
#pragma clang loop unroll(disable)
	for (u32 turn = 0; turn < MOST_MATCHERS; turn++) {
		u32 number = globs->hosts + turn;
		const struct matcher *matcher = &globs->matchers[number & (MOST_MATCHERS - 1)];
		u64 states = matcher->start;

		if (number >= globs->all)
			break;
#pragma clang loop unroll(disable)
		for (u32 i = 0; i < COMM_LEN; i++) {
			u8 byte = name.comm[i];

			if (!byte)
				break;
			states = matcher_turn(globs, number, states, matcher->stay, byte);
		}
		met |= comparison_met(matcher, states);
	}
	return met;
}

static u64 (*call_names_met)(const struct filter_name *) = FUNCTION(NAMES_MET);
#endif

/*
 * Return the comparisons that the peer's address meets, as bits. It is that of the client whom a PROXY
 * header has named (client; 0: there is none), or the other end's; a Unix socket has no address.
 */
static __always_inline u64 peers_met(u64 sk, u32 unix_socket, const struct peer *client)
{
	struct peer_key key = {.bits = PEER_BITS, .words = 1};
	bool named = client && client->family;
	u16 family = named ? client->family : kernel_u16(sk + OFF_SOCK_FAMILY);
	u64 *met;

	if (unix_socket && !named)
		return 0;
	if (named)
		copy_words((u8 *)key.address, client->address, 2);
	if (family != FAMILY_INET6) {
		if (named)
			key.address[1] = key.address[2] = key.address[3] = 0;
		else
			read_kernel(key.address, 4, (void *)(sk + OFF_SOCK_DADDR));
	} else {
		if (!named)
			read_kernel(key.address, 16, (void *)(sk + OFF_SOCK_V6_DADDR));
		if (!key.address[0] && !key.address[1] && key.address[2] == bpf_htonl(0xffff)) {
			key.address[0] = key.address[3]; /* IPv4, mapped */
			key.address[2] = key.address[3] = 0;
		} else {
			key.words = 4;
		}
	}
	met = filter_peers.lookup(&key);
	return met ? *met : 0;
}

/* Return the port of the server; 0 for a Unix socket. */
static __always_inline u32 port_of(u64 sk, u32 side, u32 unix_socket)
{
	if (unix_socket)
		return 0;
	if (side == SIDE_SERVER)
		return kernel_u16(sk + OFF_SOCK_NUM);
	return bpf_ntohs(kernel_u16(sk + OFF_SOCK_DPORT));
}

/*
 * Return whether this end accepted the connection. A TCP socket that was accepted has the listener's
 * backlog, a Unix socket its address; one that connected has neither.
 */
static __always_inline u32 was_accepted(u64 sk, u32 unix_socket)
{
	u64 value = 0;

	if (unix_socket)
		return kernel_u64(sk + OFF_UNIX_ADDRESS) != 0;
	read_kernel(&value, 4, (void *)(sk + OFF_SOCK_BACKLOG));
	return value != 0;
}
