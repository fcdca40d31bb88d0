/* SPDX-License-Identifier: MIT */
/*
 * Process ids where httptop runs in a process id namespace of its own, as in a container. The
 * programs know processes by their ids in the initial namespace everywhere; of those that filters and
 * user space ask for, the ids in httptop's namespace are found here. A process outside it has none: 0.
 *
 * Called when a connection or its owner is new, and for filters; never at the calls of a known one.
 * Elsewhere than in a namespace every function here returns its argument or does nothing.
 */
#pragma once

#include "kernel_structs.h"

#ifdef PID_NAMESPACE

#define MOST_LEVELS 33 /* the initial namespace, and MAX_PID_NS_LEVEL below it */

/* As in the kernel; numbers[] of struct pid has one for each namespace, the initial one first. */
struct upid {
	u32 number;
	u64 namespace;
};

/* The number of httptop's namespace, that of /proc/self/ns/pid; filled and frozen before loading. */
BPF_F_TABLE("array", u32, u32, own_namespace, 1, BPF_F_RDONLY_PROG);
/* Ids in the initial namespace, and in httptop's; 0: none. */
BPF_TABLE("lru_hash", u32, u32, own_pids, MAX_PROCESSES);

/* Return the id of the current process in httptop's namespace. */
static __always_inline u32 own_pid(void)
{
	void *leader = AT(bpf_get_current_task_btf(), OFF_TASK_LEADER);
	void *pid = AT(leader, OFF_TASK_PID);
	u32 zero = 0, levels = *(u32 *)((char *)pid + OFF_PID_LEVEL), own = 0;
	u32 *wanted = own_namespace.lookup(&zero);

	if (!wanted)
		return 0;
#pragma clang loop unroll(disable)
	for (u32 level = 1; level < MOST_LEVELS; level++) {
		u64 at = (u64)pid + OFF_PID_NUMBERS + level * sizeof(struct upid);
		struct upid here = {};

		if (level > levels || read_kernel(&here, sizeof(here), (void *)at))
			break;
		if (kernel_u32(here.namespace + OFF_PID_NAMESPACE_INUM) == *wanted) {
			own = here.number;
			break;
		}
	}
	return own;
}

#endif

/* Keep for user space what the current process, known to the programs as tgid, is called there. */
static __always_inline void note_own_pid(u32 tgid)
{
#ifdef PID_NAMESPACE
	u32 own = own_pid();

	own_pids.update(&tgid, &own);
#endif
}

/* Return the id that filters know the current process by. */
static __always_inline u32 pid_to_match(u32 tgid)
{
#ifdef PID_NAMESPACE
	return own_pid();
#endif
	return tgid;
}
