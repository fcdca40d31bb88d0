/* Where bytes are seen to pass: tracepoints of sockets, or of all system calls. */
#pragma once

#ifdef FRONT_SOCKETS
/*
 * Linux 6.3 and later have tracepoints where bytes go through a socket, and nowhere else: other
 * system calls cost nothing at all. The caller's registers tell where the bytes are.
 */
static __always_inline int through_socket(u64 *ctx, bool inbound)
{
	u64 sk = ctx[0];
	s64 ret = (s32)ctx[1];
	void *task;
	struct registers *regs;
	u64 nr;

	if (ret <= 0 || !LOOKED_AT(inbound))
		return 0;
	if (inbound && (u32)ctx[2] & (MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE))
		return 0;
	task = bpf_get_current_task_btf();
	regs = task_registers(task);
	nr = regs->orig_ax;
	if (regs->cs == USER32_CS)
		return 0;
	if (nr > 63 || !(CALL(nr) & (inbound ? INBOUND : OUTBOUND)) || nr == NR_sendfile) {
		moved_bytes(sk, inbound, ret);
		return 0;
	}
	return on_bytes(ctx, task, regs, 0, sk, inbound, ret);
}

int sock_recv_length(u64 *ctx)
{
	return through_socket(ctx, true);
}

int sock_send_length(u64 *ctx)
{
	return through_socket(ctx, false);
}
#else
/* Elsewhere every system call's return is looked at, and nearly all let go at once. */
static __always_inline void moved_through(void *task, u32 fd, bool inbound, u64 bytes)
{
	u64 socket = socket_of(task, fd);

	if (socket)
		moved_bytes(sock_of(socket), inbound, bytes);
}

int sys_exit(u64 *ctx)
{
	s64 ret = ctx[1];
	struct registers *regs;
	u64 nr, call, socket;
	void *task;

	if (ret <= 0)
		return 0;
	task = bpf_get_current_task_btf();
	regs = task_registers(task);
	nr = regs->orig_ax;
	if (nr > 63) {
		if (nr == NR_splice && regs->cs != USER32_CS) {
			moved_through(task, regs->di, true, ret);
			moved_through(task, regs->dx, false, ret);
		}
		return 0;
	}
	call = CALL(nr);
	if (!(call & (INBOUND | OUTBOUND)) || regs->cs == USER32_CS ||
	    !LOOKED_AT((call & INBOUND) != 0))
		return 0;
	if (nr == NR_sendfile) {
		moved_through(task, regs->di, false, ret);
		return 0;
	}
	if ((nr == NR_recvfrom && regs->r10 & (MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE)) ||
	    (nr == NR_recvmsg && regs->dx & (MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE)))
		return 0;
	socket = socket_of(task, regs->di);
	if (!socket)
		return 0;
	return on_bytes(ctx, task, regs, socket, sock_of(socket), (call & INBOUND) != 0, ret);
}
#endif
