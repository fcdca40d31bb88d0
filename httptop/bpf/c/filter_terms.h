/* What the conditions of a filter are made of; bpf/filter/ writes them over these. */
#pragma once

#include "abi.h"
#include "kernel_structs.h"
#include "maps.h"
#include "scratch.h"

#define HOST_LEN 256 /* longest name of a host */

#ifdef MATCHERS
/* One turn of a set of globs: the states they are in, moved on by a byte (bpf/filter/globs.py). */
static __always_inline u64 glob_turn(u32 matcher, u64 states, u64 stay, u32 byte)
{
	struct glob_step *step = glob_steps.lookup(&byte);

	return step ? ((states & step->next[matcher]) << 1) | (states & stay) : 0;
}

static __always_inline u64 states_of_name(const char *comm, u32 matcher, u64 states, u64 stay)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < COMM_LEN; i++) {
		u32 byte = (u8)comm[i];

		if (!byte)
			break;
		states = glob_turn(matcher, states, stay, byte);
	}
	return states;
}

/* The host that begins at data[host_at], without its port. */
static __always_inline u64 states_of_host(struct scratch *s, u32 matcher, u64 states, u64 stay)
{
	s->states = states;
	s->cursor = s->host_at;
	if (BYTE(s, s->cursor) == ' ')
		s->cursor++;
	s->bracket = BYTE(s, s->cursor) == '['; /* within one a colon is part of the address */
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < HOST_LEN; i++) {
		u32 byte = BYTE(s, s->cursor);

		s->cursor++;
		if (byte <= ' ' || (byte == ':' && !s->bracket))
			return s->states;
		if (byte == ']')
			s->bracket = 0;
		if (byte - 'A' < 26u)
			byte |= 0x20;
		s->states = glob_turn(matcher, s->states, stay, byte);
	}
	return 0; /* longer than a name may be */
}
#endif

/* The containers, as bits, that the current process is in. */
static __always_inline u32 containers_of_process(void)
{
	u64 cgroup = bpf_get_current_cgroup_id();
	u32 *bits = only_cgroups.lookup(&cgroup);

	return bits ? *bits : 0;
}

struct peer {
	u32 words; /* of the address: 1, 4, or 0 where there is none */
	u32 address[4];
};

static __always_inline struct peer peer_of(u64 sk, u32 unix_socket)
{
	struct peer peer = {};

	if (unix_socket)
		return peer;
	peer.words = 1;
	if (kernel_u16(sk + OFF_SOCK_FAMILY) != FAMILY_INET6) {
		read_kernel(peer.address, 4, (void *)(sk + OFF_SOCK_DADDR));
		return peer;
	}
	read_kernel(peer.address, 16, (void *)(sk + OFF_SOCK_V6_DADDR));
	if (!peer.address[0] && !peer.address[1] && peer.address[2] == bpf_htonl(0xffff))
		peer.address[0] = peer.address[3]; /* IPv4, mapped */
	else
		peer.words = 4;
	return peer;
}

/*
 * Who opened the connection. A TCP socket that was accepted has the listener's backlog, a Unix
 * socket its address; one that connected has neither.
 */
static __always_inline u32 was_accepted(u64 sk, u32 unix_socket)
{
	u64 value = 0;

	if (unix_socket)
		return kernel_u64(sk + OFF_UNIX_ADDRESS) != 0;
	read_kernel(&value, 4, (void *)(sk + OFF_SOCK_BACKLOG));
	return value != 0;
}
