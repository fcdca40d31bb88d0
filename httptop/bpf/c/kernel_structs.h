/* SPDX-License-Identifier: MIT */
/*
 * Reading the kernel's own structs. No layout is hard-coded: every OFF_ comes from the running
 * kernel's BTF (linux/btf.py). What is reached from the current task is read by plain loads.
 * Nothing is written; what cannot be read reads as 0.
 */
#pragma once

#include "abi.h"

/*
 * bpf_probe_read_user and bpf_probe_read_kernel, by number. Given their names, BCC reads all of
 * /proc/kallsyms to see whether they exist, which takes 0.4 s; they do from Linux 5.5 on.
 */
static long (*read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*read_kernel)(void *to, u32 size, const void *from) = (void *)113;

struct registers { /* x86-64, as in ptrace(2) */
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs,
		flags, sp, ss;
};

#define USER32_CS 0x23
#define AT(base, offset) (*(void **)((char *)(base) + (offset)))

#define FAMILY_UNIX 1
#define FAMILY_INET 2
#define FAMILY_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9
#define SHUTDOWN_RECEIVE 1
#define SHUTDOWN_SEND 2
#define SHUTDOWN_BOTH 3

/*
 * With bpf_rdonly_cast (Linux 6.2 and newer), an address is declared to point to a struct and then
 * read by a plain load; the loader replaces this call by the kernel function. Without it, each read
 * is a call of bpf_probe_read_kernel, 20 ns.
 */
#ifdef TYPE_FILE
static void *(*cast_to)(u64 address, u32 type) = (void *)CAST_CALL;
#define READ_AS(address, type, offset) ((u64)AT(cast_to(address, type), offset))
#define READ_U32_AS(address, type, offset) (*(u32 *)((char *)cast_to(address, type) + (offset)))
#else
#define READ_AS(address, type, offset) kernel_u64((address) + (offset))
#define READ_U32_AS(address, type, offset) kernel_u32((address) + (offset))
#endif

/*
 * The registers that a task entered the kernel with: on its kernel stack, where the loader has found
 * them (build/learned.py); or as bpf_task_pt_regs says.
 */
#if defined(TYPE_FILE) && defined(OFF_REGISTERS)
#define task_registers(task) cast_to((u64)AT(task, OFF_TASK_STACK) + OFF_REGISTERS, TYPE_REGISTERS)
#else
static void *(*task_registers)(void *task) = (void *)175;
#endif

/*
 * From Linux 7.0 on a program at a tracepoint may be preempted, and another task's program may run
 * on its CPU meanwhile. What they share there (the scratch, the shards) is used with preemption off,
 * as on all kernels before.
 */
#ifdef PREEMPT_DISABLE_CALL
static void (*preempt_disable)(void) = (void *)PREEMPT_DISABLE_CALL;
static void (*preempt_enable)(void) = (void *)PREEMPT_ENABLE_CALL;
#else
#define preempt_disable()
#define preempt_enable()
#endif

static __always_inline u64 kernel_u64(u64 address)
{
	u64 value = 0;

	read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline u32 kernel_u32(u64 address)
{
	u32 value = 0;

	read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline u16 kernel_u16(u64 address)
{
	u16 value = 0;

	read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

/*
 * Return the struct socket of a task's file descriptor; 0: it is not a socket. A socket's file
 * points to a struct socket and to an inode that are both part of one struct socket_alloc: in no
 * other file are the two at that distance.
 */
static __always_inline u64 socket_of(void *task, u32 fd)
{
	void *files = AT(task, OFF_TASK_FILES);
	void *table = AT(files, OFF_FILES_FDT);
	u64 slots = (u64)AT(table, OFF_FDT_FD);
	u64 file = READ_AS(slots + (u64)fd * 8, TYPE_LIST_HEAD, 0), socket, inode;

	if (!file)
		return 0;
	socket = READ_AS(file, TYPE_FILE, OFF_FILE_PRIVATE);
	inode = READ_AS(file, TYPE_FILE, OFF_FILE_INODE);
	return socket && inode == socket + OFF_SOCKET_INODE ? socket : 0;
}

static __always_inline u64 sock_of(u64 socket)
{
	return READ_AS(socket, TYPE_SOCKET, OFF_SOCKET_SK);
}

static __always_inline u64 socket_of_sock(u64 sk)
{
	return READ_AS(sk, TYPE_SOCK, OFF_SOCK_SOCKET);
}

static __always_inline u64 inode_number_of(u64 socket)
{
	return READ_AS(socket + OFF_SOCKET_INODE, TYPE_INODE, OFF_INODE_NUMBER);
}

/* Return a task's process id in the initial PID namespace. */
static __always_inline u32 process_of(void *task)
{
	return *(u32 *)((char *)task + OFF_TASK_TGID);
}

/*
 * Write the name of the current process: its main thread's name, or the current thread's where rows
 * are per thread.
 */
static __always_inline void process_name(char *comm)
{
	void *task, *leader;

	if (THREAD_NAMES) {
		bpf_get_current_comm(comm, COMM_LEN);
		return;
	}
	task = bpf_get_current_task_btf();
	leader = AT(task, OFF_TASK_LEADER);
	read_kernel(comm, COMM_LEN, (char *)leader + OFF_TASK_COMM);
}
