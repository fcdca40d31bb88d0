/*
 * The programs. What can be settled with a handful of loads is settled where the bytes pass (a
 * request equal to the last one, an answer that begins its buffer, a body); the rest goes by tail
 * call to parse_request or parse_answer, which take the call's bytes window by window and keep
 * their place in the connection, so that a head may be cut anywhere.
 *
 * A connection is known by its struct sock: dup, fork, descriptor passing, threads and descriptor
 * reuse make no difference.
 */
#include "types.h"
#include "maps.h"
#include "numbers.h"
#include "kernel.h"
#include "counters.h"
#include "conditions.h"
#include "samples.h"
#include "exchange.h"
#include "paths.h"
#include "head.h"
#include "calls.h"
#include "connections.h"
#include "requests.h"
#include "answers.h"

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
#define CALL(nr) (1ULL << (nr))
#define INBOUND (CALL(NR_read) | CALL(NR_readv) | CALL(NR_recvfrom) | CALL(NR_recvmsg))
#define OUTBOUND                                                                                   \
	(CALL(NR_write) | CALL(NR_writev) | CALL(NR_sendto) | CALL(NR_sendmsg) | CALL(NR_sendfile))
#define VECTORED (CALL(NR_readv) | CALL(NR_writev))
#define MESSAGE (CALL(NR_recvmsg) | CALL(NR_sendmsg))
/* One of the two directions may be left out. */
#if defined(NO_READS)
#define LOOKED_AT(inbound) (!(inbound))
#elif defined(NO_WRITES)
#define LOOKED_AT(inbound) (inbound)
#else
#define LOOKED_AT(inbound) true
#endif
#ifdef FILTER_SIZE
#define ANSWERS_HELD true
#define HELD(conn) ((conn)->held)
#else
#define ANSWERS_HELD false
#define HELD(conn) false
#endif
#define MSG_PEEK 2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000

/* ---- what a call moved ----------------------------------------------------------------------- */

/* Bytes that no buffer of the caller's holds (sendfile, splice): they can only be parts of a body. */
static __always_inline void moved_bytes(u64 sk, bool inbound, u64 bytes)
{
	struct conn *conn = conns.lookup(&sk);

	if (!conn || conn->phase >= PHASE_TUNNEL)
		return;
	if (inbound == (conn->side == SIDE_CLIENT)) {
		if (conn->answer_left)
			conn->answer_left -= conn->answer_left < bytes ? conn->answer_left : bytes;
		answer_body(conn, bytes);
	} else if (conn->phase == PHASE_BODY) {
		came_of_body(conn, bytes);
	}
}

/*
 * Whether the call's registers speak of this very socket, and it is a stream. The kernel may use a
 * socket of its own on a caller's behalf (a network file system does).
 */
static __always_inline bool is_stream(struct scratch *s)
{
	if (!s->socket) {
		s->socket = socket_of_sock(s->sk);
		if (!s->socket || s->socket != socket_of(bpf_get_current_task_btf(), s->fd))
			return false;
	}
	s->unix_socket = kernel_u16(s->sk + OFF_SOCK_FAMILY) == FAMILY_UNIX;
	s->inode = inode_number_of(s->socket);
	return kernel_u16(s->socket + OFF_SOCKET_TYPE) == SOCK_STREAM;
}

/* The first bytes on a socket that we know nothing of yet. */
int first_bytes(u64 *ctx)
{
	struct scratch *s = scratch_here();
	u64 first[2] = {}, n;
	u32 length, space;
	struct conn *gone;

	if (!s || !next_piece(s))
		return 0;
	gone = conns.lookup(&s->sk);
	if (gone) { /* another socket has its place in memory now */
		abandon(gone, s->sk);
		conns.delete(&s->sk);
	}
	n = s->piece;
	if (n >= 16) {
		if (read_user(first, sizeof(first), (void *)s->buf))
			return 0;
	} else {
		asm volatile("" : "+r"(n));
		n &= 15;
		if (read_user(first, n, (void *)s->buf))
			return 0;
	}
	if (status_of(first[0], first[1], s->piece)) {
		/* An answer to a request that we did not see. */
		if (!is_stream(s))
			return 0;
		s->side = s->inbound ? SIDE_CLIENT : SIDE_SERVER;
		if (!wanted(s))
			pass_over(s);
		else if (new_conn(s))
			COUNT_LOSS(orphan_responses);
		return 0;
	}
	if (n >= 8 && method_of(first[0], &length) < 0) {
		/* Another token, perhaps: a letter first, a space within reach. */
		u8 letter = (first[0] & 0xff) | 0x20;
		u64 a = first[0] ^ (EACH * ' '), b = first[1] ^ (EACH * ' ');

		space = ((((a - EACH) & ~a) | ((b - EACH) & ~b)) & (EACH << 7)) != 0;
		if (letter - 'a' > 25u || !space || n < 16)
			return 0;
	} else if (n < 8 && !method_may_come(first[0], n)) {
		return 0;
	}
	if (!is_stream(s))
		return 0;
	s->side = s->inbound ? SIDE_SERVER : SIDE_CLIENT;
	s->now = bpf_ktime_get_ns();
	if (wanted(s))
		next_program.call(ctx, NEXT_REQUEST);
	else
		pass_over(s);
	return 0;
}

/*
 * `ret` bytes went through a socket by a call with these registers. `socket` is 0 where only the
 * struct sock is known so far.
 */
static __always_inline int on_bytes(u64 *ctx, void *task, struct registers *regs, u64 socket,
				    u64 sk, bool inbound, s64 ret)
{
	u64 nr = regs->orig_ax, call = CALL(nr & 63), buf, piece, iov = 0, now;
	struct conn *conn = conns.lookup(&sk);
	struct scratch *s;
	u32 next = NEXT_FIRST;

	if (conn && conn->verify &&
	    conn->inode != inode_number_of(socket ? socket : socket_of_sock(sk)))
		conn = 0; /* its memory serves another socket now */
	if (conn) {
		bool request = inbound == (conn->side == SIDE_SERVER);

		if (conn->phase >= PHASE_TUNNEL) {
			/* Another process may be meant: it begins with a request. */
			if (conn->phase == PHASE_TUNNEL || !request ||
			    !changed_hands(conn, process_of(task)))
				return 0;
			conns.delete(&sk);
			conn = 0;
		} else if (!request && !conn->pending && conn->phase != PHASE_HEAD &&
			   !conn->answer_left) {
			answer_body(conn, ret);
			return 0;
		} else if (request && conn->phase == PHASE_BODY && conn->body_left >= ret) {
			came_of_body(conn, ret);
			return 0;
		}
	}

#ifdef FILTER_CALLER
	if (!conn && !wanted_caller(process_of(task)))
		return 0;
#endif
	buf = regs->si;
	piece = ret;
	if (call & MESSAGE) {
		if (read_user(&iov, sizeof(iov), (void *)(buf + 16)))
			return 0;
		buf = iov;
	}
	if (call & (MESSAGE | VECTORED)) {
		u64 vector[2] = {};

		if (read_user(vector, sizeof(vector), (void *)buf))
			return 0;
		iov = buf + sizeof(vector);
		buf = vector[0];
		if (vector[1] < piece)
			piece = vector[1];
	}

	/* Most sockets carry something else: no message begins with anything but a letter. */
	if (!conn && piece) {
		u8 letter = 0;

		if (read_user(&letter, 1, (void *)buf) || (letter | 0x20) - 'a' > 25u)
			return 0;
	}

	now = conn ? bpf_ktime_get_ns() : 0;
	if (conn) {
		bool request = inbound == (conn->side == SIDE_SERVER);

		if (changed_hands(conn, process_of(task)) &&
		    !seen_by(conn, sk, process_of(task), request))
			return 0;
		if (request) {
			next = NEXT_REQUEST;
			/* The same request as before, and nothing but it? */
			if (conn->call_len == ret && piece == ret && ret <= LINE_LEN &&
			    conn->phase == PHASE_IDLE && !conn->pending && ret > 0) {
				/* Into the stack: the kernel checks a copy into a map for far longer. */
				u8 head[LINE_LEN] = {};
				u64 n = ret;

				OPAQUE(n);
				n &= 255;
				if (n <= LINE_LEN && !read_user(head, n, (void *)buf) &&
				    same_bytes(conn->line, head, n)) {
					conn->head_ns = now;
					conn->head_bytes = ret;
					begin_alone(conn);
					return 0;
				}
			}
		} else if (conn->pending != 1 || conn->answer_left || conn->answer_phase ||
			   conn->answer_partial_len || piece < 16 || ANSWERS_HELD) {
			next = NEXT_ANSWER;
		} else {
			u64 first[2], latency_ns;
			u32 status;

			next = NEXT_ANSWER;
			if (read_user(first, sizeof(first), (void *)buf))
				return 0;
			status = status_of(first[0], first[1], 16);
			if (!status) {
				answer_body(conn, ret);
				return 0;
			}
			latency_ns = now - conn->start_ns;
			/* Of the same kind as the one before? */
			if (status == conn->status && conn->answer_of == conn->current &&
			    status == kind_of(conn, status, latency_ns) && status >= 200) {
				count_answer(conn, latency_ns, ret);
				after_answer(conn, status);
				conn->first++;
				conn->pending = 0;
				if (!worth_a_sample(conn, status, latency_ns, now))
					return 0;
				next = NEXT_SAMPLE;
			}
		}
	}

	s = scratch_here();
	if (!s)
		return 0;
	s->sk = sk;
	s->now = now;
	s->iov = iov;
	s->buf = buf;
	s->call_len = s->left = ret;
	s->piece = piece;
	s->fresh = next == NEXT_FIRST;
	s->tgid = process_of(task);
	s->inbound = inbound;
	s->socket = socket;
	s->fd = regs->di;
	next_program.call(ctx, next);
	return 0;
}

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
	struct registers *regs = (void *)ctx[0];
	s64 ret = ctx[1];
	u64 nr, call, socket;
	void *task;

	if (ret <= 0)
		return 0;
	nr = regs->orig_ax;
	if (nr > 63) {
		if (nr == NR_splice && regs->cs != USER32_CS) {
			task = bpf_get_current_task_btf();
			moved_through(task, regs->di, true, ret);
			moved_through(task, regs->dx, false, ret);
		}
		return 0;
	}
	call = CALL(nr);
	if (!(call & (INBOUND | OUTBOUND)) || regs->cs == USER32_CS ||
	    !LOOKED_AT((call & INBOUND) != 0))
		return 0;
	task = bpf_get_current_task_btf();
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

/* Run by the loader once for each number that the pools of cells and pages are to hold. */
int fill_cells(void *ctx)
{
	u32 zero = 0, number;
	u32 *next = pool_next.lookup(&zero);

	if (!next)
		return 0;
	number = (*next)++;
	free_cells.push(&number, 0);
	return 0;
}

int fill_pages(void *ctx)
{
	u32 one = 1, number;
	u32 *next = pool_next.lookup(&one);

	if (!next)
		return 0;
	number = (*next)++;
	free_pages.push(&number, 0);
	return 0;
}

/*
 * A TCP connection comes to its end: closed by us, or done with. Its owner may still read what came
 * before, so where an answer is due sweep() decides when the socket is let go.
 */
int inet_sock_set_state(u64 *ctx)
{
	u64 sk = ctx[0];
	int state = ctx[2];
	struct conn *conn;
	u8 one = 1;

	if (state != TCP_CLOSE && state != TCP_FIN_WAIT1 && state != TCP_LAST_ACK)
		return 0;
	conn = conns.lookup(&sk);
	if (!conn)
		return 0;
	/* Only the owner's own close removes the entry here: in a reset, which comes in an
	 * interrupt, another CPU may be at work on it. */
	if (!conn->pending && !HELD(conn) && state != TCP_CLOSE) {
		if ((kernel_u16(sk + OFF_SOCK_SHUTDOWN) & 3) == SHUTDOWN_BOTH)
			conns.delete(&sk);
	} else if (!conn->verify) {
		conn->verify = 1;
		swept_conns.update(&sk, &one);
	}
	return 0;
}

/*
 * Run by user space for each of swept_conns: is the socket let go? Its struct sock has then lost
 * its struct socket, or belongs to another.
 */
int sweep(u64 *ctx)
{
	u64 sk = ctx[0], socket;
	struct conn *conn = conns.lookup(&sk);

#ifdef FILTER_SIZE
	if (ctx[1]) { /* the run is over: no more bytes will come */
		if (conn)
			settle(conn);
		return 0;
	}
#endif
	if (conn) {
		socket = socket_of_sock(sk);
		if (socket && inode_number_of(socket) == conn->inode)
			return 0;
		abandon(conn, sk);
		conns.delete(&sk);
	}
	swept_conns.delete(&sk);
	return 0;
}
