/*
 * What BCC and the loader supply, for tools that read the sources without them (clangd takes it from
 * c/compile_flags.txt). It is never compiled into the probes. Values are stand-ins: only names and
 * types matter here.
 */
#pragma once

#include <linux/types.h>

/* Maps, as BCC declares them: a struct of functions. */
#define TABLE(key_type, leaf_type, name)                                                           \
	static struct {                                                                            \
		leaf_type *(*lookup)(key_type *);                                                  \
		int (*insert)(key_type *, leaf_type *);                                            \
		int (*update)(key_type *, leaf_type *);                                            \
		int (*delete)(key_type *);                                                         \
	} name __attribute__((unused))
#define BPF_TABLE(kind, key_type, leaf_type, name, entries) TABLE(key_type, leaf_type, name)
#define BPF_F_TABLE(kind, key_type, leaf_type, name, entries, flags)                               \
	TABLE(key_type, leaf_type, name)
#define BPF_HASH(name, key_type, leaf_type, entries) TABLE(key_type, leaf_type, name)
#define BPF_ARRAY(name, leaf_type, entries) TABLE(u32, leaf_type, name)
#define BPF_PERCPU_ARRAY(name, leaf_type, entries) TABLE(u32, leaf_type, name)
#define BPF_STACK(name, leaf_type, entries)                                                        \
	static struct {                                                                            \
		int (*push)(leaf_type *, u64);                                                     \
		int (*pop)(leaf_type *);                                                           \
	} name __attribute__((unused))
#define BPF_RINGBUF_OUTPUT(name, pages)                                                            \
	static struct {                                                                            \
		void *(*ringbuf_reserve)(u64);                                                     \
		void (*ringbuf_submit)(void *, u64);                                               \
		int (*ringbuf_output)(void *, u64, u64);                                           \
	} name __attribute__((unused))
#define BPF_PROG_ARRAY(name, entries)                                                              \
	static struct {                                                                            \
		void (*call)(void *, int);                                                         \
	} name __attribute__((unused))
#define BPF_F_NO_PREALLOC 1
#define BPF_F_RDONLY_PROG 128
#define BPF_F_MMAPABLE 1024

/* Functions of the kernel, by number, and BCC's own. */
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static u32 (*bpf_get_prandom_u32)(void) = (void *)7;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static u64 (*bpf_get_current_uid_gid)(void) = (void *)15;
static int (*bpf_get_current_comm)(void *to, int size) = (void *)16;
static u64 (*bpf_get_current_cgroup_id)(void) = (void *)80;
static void *(*bpf_get_current_task_btf)(void) = (void *)158;
#define bpf_ntohs(value) __builtin_bswap16(value)
#define bpf_htonl(value) __builtin_bswap32(value)

/* The loader's: numbers that are linked, one of the fronts, numbers of programs, the kernel's layout. */
#define CONSTANT_MARK (1ULL << 33)
#define FUNCTION_MARK (1ULL << 30)
#define CONSTANT_MAX_CONNECTIONS 0
#define CONSTANT_MAX_ENDPOINTS 1
#define CONSTANT_MAX_PIPELINED 2
#define CONSTANT_MAX_PARTIES 3
#define CONSTANT_MAX_RESPONSES 4
#define CONSTANT_MAX_PAGES 5
#define CONSTANT_LINE_COPIED 6
#define CONSTANT_RESPONSE_COPIED 7
#define CONSTANT_HEAD_COPIED 8
#define CONSTANT_ID_NUMBER 9
#define CONSTANT_ID_HEX 10
#define CONSTANT_ID_MIXED 11
#define CONSTANT_READS 12
#define CONSTANT_WRITES 13
#define CONSTANT_THREAD_NAMES 14
#define CONSTANT_PID_NAMESPACE 15
#define CONSTANT_GROUPS_1 16
#define CONSTANT_FILTER_PROCESS 17
#define CONSTANT_FILTER_USER 18
#define CONSTANT_FILTER_CONTAINER 19
#define CONSTANT_FILTER_COMM 20
#define CONSTANT_FILTER_PEER 21
#define CONSTANT_FILTER_REQUEST 22
#define CONSTANT_FILTER_HOST 23
#define CONSTANT_FILTER_RESPONSE 24
#define CONSTANT_RANGES_MASK 25
#define CONSTANT_FILTER_FOLLOWED 26
#define CONSTANT_KEY_MASK 27
#define CONSTANT_OWN_PID 28
#define FUNCTION_FIND_RESPONSE 0
#define FUNCTION_RECORD_TIMES 1
#define FUNCTION_TRACK 2
#define FUNCTION_IN_SET 3
#define FUNCTION_NAMES_MET 4
#define FUNCTION_SELECTS_PROCESS 5
#define FUNCTION_TRUTHS_OF 6
#define FUNCTION_SELECTS_CONNECTION 7
#define FUNCTION_SELECTS_REQUEST 8
#define FUNCTION_SELECTS_RESPONSE 9
#define FUNCTION_SELECTS_BEGINNING 10
#ifndef FRONT_SYSCALLS
#define FRONT_SOCKETS 1
#define SEES_READY 1
#endif
#define STEP_READ_MESSAGE 1
#define STEP_PLACE_REQUEST 2
#define STEP_FIRST_BYTES 3
#define STEP_SAMPLE_RESPONSE 4
#define STEP_ABANDON_REQUESTS 5
#define STEP_CHANGE_OWNER 6
#define STEP_CATCH_UP 7
#define STEP_REGAIN_SYNC 8
#define STEP_PROXY_HEADER 9
#define STEP_KEEP_HEAD 10
#ifndef WITHOUT_LOOPS
#define LOOPS 1
#define CALLBACK_MARK (1ULL << 32)
#define CALLBACK_STEP 0
#define CALLBACK_SCAN_TURNS 1
#define CALLBACK_LENGTH_TURNS 9
#define CALLBACK_CODING_TURNS 10
#define CALLBACK_OPTION_TURNS 11
#define CALLBACK_COPY_TURN 2
#define CALLBACK_AUTHORITY_TURNS 4
#define CALLBACK_PROXY_TURN 3
#define CALLBACK_ABANDON_TURN 5
#define CALLBACK_ADD_TURN 6
#define CALLBACK_WINDOW_TURN 7
#define CALLBACK_SUMMARIZE_TURN 8
#define CALLBACK_RECLAIM_TURN 12
#define CALLBACK_PARTY_TURN 13
#endif
#define CAST_CALL 1
#define TYPE_FILE 1
#define TYPE_LIST_HEAD 2
#define TYPE_SOCKET 3
#define TYPE_TCP_SOCK 4
#define TYPE_SOCK 5
#define TYPE_INODE 6
#define TYPE_REGISTERS 7
#define OFF_FDT_FD 8
#define OFF_FILES_FDT 8
#define OFF_FILE_INODE 8
#define OFF_FILE_PRIVATE 8
#define OFF_GROUPS_LINKS 8
#define OFF_GROUP_NODE 8
#define OFF_GROUP_ROOT 8
#define OFF_HIERARCHY_NUMBER 8
#define OFF_INODE_NUMBER 8
#define OFF_LINK_GROUP 8
#define OFF_LINK_IN_GROUPS 8
#define OFF_NODE_NUMBER 8
#define OFF_PID_LEVEL 8
#define OFF_PID_NAMESPACE_INUM 8
#define OFF_PID_NUMBERS 8
#define OFF_REGISTERS 8
#define OFF_SKB_HEAD 8
#define OFF_SKB_LEN 8
#define OFF_SKB_NETWORK 8
#define OFF_SKB_TCP_END 8
#define OFF_SKB_TCP_SEQ 8
#define OFF_SKB_TRANSPORT 8
#define OFF_SKB_UNIX_CONSUMED 8
#define OFF_SOCKET_INODE 8
#define OFF_SOCKET_SK 8
#define OFF_SOCKET_TYPE 8
#define OFF_SOCK_BACKLOG 8
#define OFF_SOCK_DADDR 8
#define OFF_SOCK_DPORT 8
#define OFF_SOCK_FAMILY 8
#define OFF_SOCK_NUM 8
#define OFF_SOCK_PROTOCOL 8
#define OFF_SOCK_QUEUE 8
#define OFF_SOCK_QUEUED 8
#define OFF_SOCK_SHUTDOWN 8
#define OFF_SOCK_SOCKET 8
#define OFF_SOCK_STATE 8
#define OFF_SOCK_TYPE 8
#define OFF_SOCK_V6_DADDR 8
#define OFF_TASK_COMM 8
#define OFF_TASK_FILES 8
#define OFF_TASK_GROUPS 8
#define OFF_TASK_LEADER 8
#define OFF_TASK_PID 8
#define OFF_TASK_STACK 8
#define OFF_TASK_START 8
#define OFF_TASK_TGID 8
#define OFF_TCP_CLOCK 8
#define OFF_TCP_COPIED_SEQ 8
#define OFF_TCP_RECEIVED 8
#define OFF_TCP_RECEIVED_SEQ 8
#define OFF_TCP_SENT 8
#define OFF_TCP_SENT_SEQ 8
#define OFF_TCP_ULP 8
#define OFF_TCP_WRITE_SEQ 8
#define OFF_UNIX_ADDRESS 8
#define OFF_UNIX_PEER 8
