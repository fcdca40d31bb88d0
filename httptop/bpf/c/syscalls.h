/* SPDX-License-Identifier: MIT */
/* Numbers of the system calls that move bytes, and layouts of their arguments: x86-64. */
#pragma once

#define NR_read 0
#define NR_write 1
#define NR_readv 19
#define NR_writev 20
#define NR_sendfile 40
#define NR_sendto 44
#define NR_recvfrom 45
#define NR_sendmsg 46
#define NR_recvmsg 47
#define NR_splice 275
#define NR_recvmmsg 299
#define NR_sendmmsg 307

/* Whether a call moves several messages in this direction. */
#define IN_BATCH(nr, inbound) ((nr) == ((inbound) ? NR_recvmmsg : NR_sendmmsg))

/* Sets of calls, as bits; only numbers below 64 can be in one. */
#define CALL(nr) (1ULL << (nr))
#define INBOUND (CALL(NR_read) | CALL(NR_readv) | CALL(NR_recvfrom) | CALL(NR_recvmsg))
#define OUTBOUND                                                                                   \
	(CALL(NR_write) | CALL(NR_writev) | CALL(NR_sendto) | CALL(NR_sendmsg) | CALL(NR_sendfile))
#define VECTORED (CALL(NR_readv) | CALL(NR_writev))
#define MESSAGE (CALL(NR_recvmsg) | CALL(NR_sendmsg))

#define MSG_PEEK 2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000

#define MMSGHDR_LEN 64 /* struct mmsghdr: a struct msghdr and, at 56, the bytes moved */
#define MMSGHDR_SENT 56
#define MSGHDR_IOV 16
