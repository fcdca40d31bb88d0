/* The ends of connections. */
#pragma once

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
	if (!conn) {
#ifdef FILTER_WHOLE_CONNECTIONS
		left_out.delete(&sk);
#endif
		return 0;
	}
	/* Only the owner's own close removes the entry here: in a reset, which comes in an
	 * interrupt, another CPU may be at work on it. */
	if (!conn->pending && !HELD(conn) && state != TCP_CLOSE) {
		if ((kernel_u16(sk + OFF_SOCK_SHUTDOWN) & 3) == SHUTDOWN_BOTH) {
			answer_over(conn);
			conns.delete(&sk);
		}
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
	u64 sk = ctx[0], socket, inode;
	struct conn *conn = conns.lookup(&sk);

#ifdef FILTER_SIZE
	if (ctx[1]) { /* the run is over: no more bytes will come */
		if (conn)
			settle(conn);
		return 0;
	}
#endif
	socket = socket_of_sock(sk);
	inode = socket ? inode_number_of(socket) : 0;
	if (conn) {
		if (socket && inode == conn->inode)
			return 0;
		abandon(conn, sk);
		conns.delete(&sk);
	}
#ifdef FILTER_WHOLE_CONNECTIONS
	struct passed *passed = left_out.lookup(&sk);

	if (passed && socket && inode == passed->inode)
		return 0;
	if (passed)
		left_out.delete(&sk);
#endif
	swept_conns.delete(&sk);
	return 0;
}
