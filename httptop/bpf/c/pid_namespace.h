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
#include "linked.h"

/* How many levels down httptop's namespace is; 0: it is the initial one. */
#define PID_NAMESPACE LINKED(PID_NAMESPACE)

/* As in the kernel; numbers[] of struct pid has one for each namespace, the initial one first. */
struct upid {
	u32 number;
	u64 namespace;
};

/* The number of httptop's namespace, that of /proc/self/ns/pid; filled and frozen before loading. */
BPF_F_TABLE("array", u32, u32, own_namespace, 1, BPF_F_RDONLY_PROG);
/* Ids in the initial namespace, and in httptop's; 0: none. */
BPF_TABLE("lru_hash", u32, u32, own_pids, SIZED);

/* What is read of an id, and the keys of maps: here, since the stack has little room left. */
struct pid_search {
	struct upid here;
	u32 inode;
	u32 zero;
	u32 tgid;
	u32 own;
};
BPF_PERCPU_ARRAY(pid_searches, struct pid_search, 1);

static __always_inline struct pid_search *search_here(void)
{
	u32 zero = 0;

	return pid_searches.lookup(&zero);
}

/* Return the current process's id in httptop's namespace, which is PID_NAMESPACE levels down. */
static __always_inline u32 own_pid(struct pid_search *search)
{
	void *pid = AT(AT(bpf_get_current_task_btf(), OFF_TASK_LEADER), OFF_TASK_PID);
	u64 at = (u64)pid + OFF_PID_NUMBERS + PID_NAMESPACE * sizeof(struct upid);
	u32 *wanted;

	if (*(u32 *)((char *)pid + OFF_PID_LEVEL) < PID_NAMESPACE ||
	    read_kernel(&search->here, sizeof(struct upid), (void *)at))
		return 0;
	at = search->here.namespace + OFF_PID_NAMESPACE_INUM;
	if (read_kernel(&search->inode, sizeof(u32), (void *)at))
		return 0;
	wanted = own_namespace.lookup(&search->zero);
	return wanted && search->inode == *wanted ? search->here.number : 0;
}

/* Keep for user space what the current process, known to the programs as tgid, is called there. */
static __always_inline void note_own_pid(u32 tgid)
{
	struct pid_search *search;

	if (!PID_NAMESPACE)
		return;
	search = search_here();
	if (!search)
		return;
	search->tgid = tgid;
	search->own = own_pid(search);
	own_pids.update(&search->tgid, &search->own);
}

/* Return the id that filters know the current process by. */
static __always_inline u32 pid_to_match(u32 tgid)
{
	struct pid_search *search;

	if (!PID_NAMESPACE)
		return tgid;
	search = search_here();
	return search ? own_pid(search) : 0;
}
