/* Connections: which are of interest, and how one is made. Their ends are in probes.c. */
#pragma once

static __always_inline bool wanted(struct scratch *s)
{
#ifdef FILTER_PIDS
	if (!only_pids.lookup(&s->tgid))
		return false;
#endif
#ifdef FILTER_PORTS
	u16 port;

	if (s->unix_socket)
		return false;
	port = s->side == SIDE_SERVER ? kernel_u16(s->sk + OFF_SOCK_NUM)
				      : bpf_ntohs(kernel_u16(s->sk + OFF_SOCK_DPORT));
	if (!only_ports.lookup(&port))
		return false;
#endif
	return ((1 << (s->side & 1)) & FILTER_SIDES) != 0;
}

/* Make a connection of s; 0: no room. */
static __always_inline struct conn *new_conn(struct scratch *s)
{
	u32 zero = 0;
	struct conn *conn = blank_conn.lookup(&zero);

	if (!conn || conns.update(&s->sk, conn))
		return 0;
	conn = conns.lookup(&s->sk);
	if (!conn)
		return 0;
	conn->side = s->side;
	conn->inode = s->inode;
	conn->tgid = s->tgid;
	process_name(conn->comm);
	s->fresh = 0;
	/* No tracepoint will tell the end of these, or has told it before the entry was there. */
	if (s->unix_socket || (kernel_u16(s->sk + OFF_SOCK_STATE) & 0xff) == TCP_CLOSE) {
		u8 one = 1;

		conn->verify = 1;
		swept_conns.update(&s->sk, &one);
	}
	return conn;
}

/* Another process has the connection now. */
static __always_inline void seen_by(struct conn *conn, u32 tgid)
{
	conn->tgid = tgid;
	conn->call_len = 0; /* the endpoint has another process name now, perhaps */
	if (conn->phase != PHASE_LINE)
		conn->line_len = 0;
	process_name(conn->comm);
}

/* A request that no connection could be made for still counts. */
static __always_inline void untracked(struct scratch *s)
{
	struct cell *cell = cell_of(OVERFLOW_ENDPOINT(s->side & 1));

	if (cell)
		ADD(cell->count, 1);
	cell = cell_of(OVERFLOW_ANSWER(s->side & 1));
	if (cell)
		ADD(cell->count, 1);
	COUNT_LOSS(untracked_requests);
}
