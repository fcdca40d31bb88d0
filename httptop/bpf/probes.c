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
#include "kernel.h"
#include "counters.h"
#include "samples.h"
#include "exchange.h"
#include "paths.h"
#include "head.h"

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
#define MSG_PEEK 2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000

#define NEXT_REQUEST 0
#define NEXT_PLACE 1
#define NEXT_ANSWER 2
#define NEXT_FIRST 3
#define NEXT_SAMPLE 4

static __always_inline struct scratch *scratch_here(void)
{
	u32 zero = 0;

	return scratches.lookup(&zero);
}

/* ---- the bytes of a call -------------------------------------------------------------------- */

/* Go on to the next iovec that is not empty; false: there is nothing left to look at. */
static __always_inline bool next_piece(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 16; i++) {
		u64 vector[2] = {};

		if (s->piece || !s->left || !s->iov)
			break;
		if (read_user(vector, sizeof(vector), (void *)s->iov)) {
			s->left = 0;
			break;
		}
		s->iov += sizeof(vector);
		s->buf = vector[0];
		s->piece = vector[1] < s->left ? vector[1] : s->left;
	}
	return s->piece != 0;
}

static __always_inline void skip(struct scratch *s, u32 bytes)
{
	s->buf += bytes;
	s->left -= bytes;
	s->piece -= bytes;
}

/* Append at most a window of new bytes to data[..have); return how many came. */
static __always_inline u32 fill(struct scratch *s)
{
	u32 n = s->piece < WINDOW ? s->piece : WINDOW, at = s->have;

	asm volatile("" : "+r"(n), "+r"(at));
	n &= 2047;
	at &= 511;
	if (n > WINDOW || at > CARRY + CARRY_LEN)
		return 0;
	if (read_user(&s->data[at], n, (void *)s->buf))
		return 0;
	s->have = at + n;
	return n;
}

static __always_inline void start_scan(struct scratch *s, bool in_head)
{
	s->newline = CARRY;
	s->line_end = in_head ? CARRY + 1 : 0;
	s->head_end = 0;
	s->length_at = 0;
	s->coding_at = 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

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
	conn->verify = s->verify;
	conn->inode = s->inode;
	conn->tgid = s->tgid;
	process_name(conn->comm);
	s->fresh = 0;
	if (s->verify) {
		u8 one = 1;

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

/* Whether two pieces of at most LINE_LEN bytes are the same. */
static __always_inline bool same_bytes(u8 *a, u8 *b, u32 length)
{
	u64 difference = 0;

#pragma clang loop unroll(disable)
	for (u32 turn = 0; turn < LINE_LEN / 8; turn++) {
		u64 mask = ~0ULL, at = turn * 8;

		OPAQUE(at); /* or the compiler leaves out the bound that the verifier needs */
		if (at >= LINE_LEN || at >= length)
			break;
		if (length - at < 8)
			mask = (1ULL << ((length - at) * 8)) - 1;
		difference |= (WORD(a + at) ^ WORD(b + at)) & mask;
	}
	return !difference;
}

static __always_inline bool same_line(struct conn *conn, struct scratch *s, u32 length)
{
	return conn->line_len == length && length <= LINE_LEN &&
	       same_bytes(conn->line, &s->data[CARRY], length);
}

/* Keep an incomplete request line, data[CARRY..have), for the next window. */
static __always_inline void keep_line(struct conn *conn, struct scratch *s)
{
	u32 length = s->have - CARRY, end = s->have;

	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	if (length > LINE_LEN) {
		copy_words(&conn->line[LINE_HEAD], &s->data[inside(end - 16)], 2);
		length = LINE_LEN + 1;
	}
	conn->line_len = length;
	conn->phase = PHASE_LINE;
}

/* Keep the incomplete header line data[newline + 1..have). */
static __always_inline void keep_partial(struct conn *conn, struct scratch *s)
{
	u32 length = s->have - s->newline - 1;

	copy_words(conn->partial, &s->data[inside(s->newline + 1)], PARTIAL_LEN / 8);
	conn->partial_len = length < PARTIAL_LEN ? length : PARTIAL_LEN;
	/* A longer line that is not Content-Length in its first bytes never will be. */
	if (length > PARTIAL_LEN)
		conn->partial[0] = 'x';
}

/* What the headers seen so far say of the body. */
static __always_inline void note_framing(struct conn *conn, struct scratch *s)
{
	if (s->coding_at && s->coding_at <= s->newline)
		conn->body_left = BODY_OPEN;
	else if (s->length_at && s->length_at <= s->newline && conn->body_left != BODY_OPEN)
		conn->body_left = content_length(s);
}

static __always_inline void lost_track(struct conn *conn)
{
	conn->phase = PHASE_IDLE;
	conn->call_len = 0;
	conn->line_len = 0;
	conn->head_bytes = 0;
	COUNT_LOSS(parse_errors);
}

/* The request line is complete: find out its endpoint. False: it is no request line. */
static __always_inline bool place(struct scratch *s)
{
	u32 target, end;

	target = request_line(s);
	if (!target)
		return false;
	s->limit = s->cut ? CARRY + LINE_HEAD : s->line_end;
	end = template_of(s, target);
	/* Nothing but the version may follow the first space. */
	if (s->stop && BYTE(s, end) == ' ' && end != s->version_at)
		return false;
	s->key.side = s->side;
	s->key.method = s->method;
	s->key.minor = s->minor;
	s->key.unused = 0;
	return true;
}

static __always_inline void mark_user(u32 endpoint, u32 tgid)
{
	struct user_key user = {.endpoint = endpoint, .tgid = tgid};
	u64 one = 1;

	if (!users.lookup(&user))
		users.update(&user, &one);
}

/* The request line is placed: see what the rest of the head says, and whether it is complete. */
static __always_inline void head_scanned(struct conn *conn, struct scratch *s)
{
	u32 came = s->have - s->carried, consumed;

	note_framing(conn, s);
	if (!s->head_end) {
		conn->phase = PHASE_HEAD;
		conn->head_bytes += came;
		conn->call_len = 0;
		keep_partial(conn, s);
		skip(s, came);
		return;
	}
	consumed = s->head_end - s->carried;
	conn->head_bytes += consumed;
	conn->partial_len = 0;
	/* One call, one request, nothing else: the next one like it takes the short way. */
	conn->call_len =
		s->carried == CARRY && consumed == s->call_len && !conn->body_left ? consumed : 0;
	begin(conn, s->sk);
	conn->phase = conn->body_left ? PHASE_BODY : PHASE_IDLE;
	skip(s, consumed);
}

/*
 * The kernel allows a call 33 tail calls, and there is more: of a huge head we need only know
 * whether the call ends it; of requests in a pipeline some are lost.
 */
static __always_inline void not_looked_at(struct scratch *s)
{
	struct conn *conn = conns.lookup(&s->sk);
	u32 last = 0;

	if (!conn)
		return;
	if (conn->phase != PHASE_HEAD) {
		lost_track(conn);
		return;
	}
	conn->head_bytes += s->left;
	conn->partial_len = PARTIAL_LEN;
	conn->partial[0] = 'x';
	if (s->piece != s->left || s->left < 4 ||
	    read_user(&last, sizeof(last), (void *)(s->buf + s->left - 4)))
		return;
	if (last == ('\r' | '\n' << 8 | '\r' << 16 | '\n' << 24)) {
		conn->partial_len = 0;
		begin(conn, s->sk);
		conn->phase = conn->body_left ? PHASE_BODY : PHASE_IDLE;
	}
}

int parse_request(u64 *ctx)
{
	struct scratch *s = scratch_here();
	struct conn *conn = 0;
	u32 n, length;

	if (!s || !next_piece(s))
		return 0;
	if (!s->fresh) {
		conn = conns.lookup(&s->sk);
		if (!conn)
			return 0;
		s->side = conn->side;
	}
	if (conn && conn->phase == PHASE_BODY) {
		n = conn->body_left < s->piece ? conn->body_left : s->piece;
		came_of_body(conn, n);
		skip(s, n);
		goto again;
	}

	s->have = CARRY;
	s->cut = 0;
	WORD(&s->data[0]) = 0;
	start_scan(s, conn && conn->phase == PHASE_HEAD);
	if (conn && conn->phase == PHASE_LINE) {
		s->cut = conn->line_len > LINE_LEN;
		length = s->cut ? LINE_LEN : conn->line_len;
		copy_words(&s->data[CARRY], conn->line, LINE_LEN / 8);
		s->have = CARRY + length;
	} else if (conn && conn->phase == PHASE_HEAD) {
		s->data[CARRY] = '\n';
		copy_words(&s->data[CARRY + 1], conn->partial, PARTIAL_LEN / 8);
		s->have = CARRY + 1 + conn->partial_len;
	}
	s->carried = s->have;
	n = fill(s);
	if (!n)
		return 0;
	if (s->carried == CARRY && (s->data[CARRY] == '\r' || s->data[CARRY] == '\n')) {
		skip(s, 1); /* RFC 9112, 2.2: empty lines before a request line */
		goto again;
	}
	if (conn && s->carried == CARRY) {
		u32 byte = s->data[CARRY];
		struct byte_class *class = classes.lookup(&byte);

		if (!class || !(class->bits & C_TOKEN)) {
			lost_track(conn); /* no method begins so */
			return 0;
		}
		conn->head_ns = s->now;
		conn->head_bytes = 0;
		conn->body_left = 0;
	}
	scan_head(s);
	n = s->have - s->carried;

	if (!s->line_end) {
		if (!conn) {
			/* A whole window without an end, or bytes that no method begins with. */
			if (n >= 8 ? method_of(WORD(&s->data[CARRY]), &length) < 0
				   : !method_may_come(WORD(&s->data[CARRY]), n))
				return 0;
			conn = new_conn(s);
			if (!conn)
				return 0;
			conn->head_ns = s->now;
		}
		conn->head_bytes += n;
		keep_line(conn, s);
		skip(s, n);
		goto again;
	}
	if (!conn || conn->phase == PHASE_LINE ||
	    (conn->phase == PHASE_IDLE && !same_line(conn, s, s->line_end - CARRY))) {
		next_program.call(ctx, NEXT_PLACE);
		return 0;
	}
	if (conn->phase == PHASE_IDLE)
		copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	head_scanned(conn, s);
again:
	if (s->left) {
		next_program.call(ctx, NEXT_REQUEST);
		not_looked_at(s);
	}
	return 0;
}

/* A request line that its connection has not just had: make out its endpoint. */
int place_request(u64 *ctx)
{
	struct scratch *s = scratch_here();
	struct conn *conn;
	u32 length;

	if (!s)
		return 0;
	if (!place(s)) {
		if (!s->fresh) {
			conn = conns.lookup(&s->sk);
			if (conn)
				lost_track(conn);
		}
		return 0;
	}
	conn = s->fresh ? new_conn(s) : conns.lookup(&s->sk);
	if (!conn) {
		if (s->head_end)
			untracked(s);
		return 0;
	}
	if (!conn->head_ns || s->carried == CARRY)
		conn->head_ns = s->now;
	copy_words((u8 *)s->key.comm, (u8 *)conn->comm, COMM_LEN / 8);
	conn->endpoint = endpoint_of(s);
	conn->method = s->method;
	mark_user(conn->endpoint, s->tgid);
	length = s->line_end - CARRY;
	conn->line_len = s->cut || length > LINE_LEN ? LINE_LEN + 1 : length;
	copy_words(conn->line, &s->data[CARRY], LINE_LEN / 8);
	head_scanned(conn, s);
	if (s->left) {
		next_program.call(ctx, NEXT_REQUEST);
		not_looked_at(s);
	}
	return 0;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* The current answer's head is over: what comes next is its body, or another answer. */
static __always_inline void answer_head_over(struct conn *conn)
{
	bool interim = conn->answer_phase == ANSWER_INTERIM;

	conn->answer_phase = ANSWER_START;
	conn->answer_partial_len = 0;
	if (interim || conn->bodyless)
		return;
	if (conn->chunked)
		conn->answer_phase = ANSWER_CHUNKS;
	else if (conn->answer_length != BODY_OPEN)
		conn->answer_left = conn->answer_length;
	else
		conn->blurred = 1; /* it ends with the connection, or never says */
}

/* What the header lines in data[] say of the answer's body. */
static __always_inline void note_answer_framing(struct conn *conn, struct scratch *s)
{
	if (s->coding_at && s->coding_at <= s->newline)
		conn->chunked = 1;
	if (s->length_at && s->length_at <= s->newline)
		conn->answer_length = content_length(s);
}

/* Keep the incomplete line data[from..have) of an answer. */
static __always_inline void keep_answer_line(struct conn *conn, struct scratch *s, u32 from)
{
	u32 length = s->have - from;

	copy_words(conn->answer_partial, &s->data[inside(from)], PARTIAL_LEN / 8);
	conn->answer_partial_len = length < PARTIAL_LEN ? length : PARTIAL_LEN;
	if (length > PARTIAL_LEN)
		conn->answer_partial[0] = 'x';
}

/* Bytes in a chunk and the line end behind it, from the line at data[CARRY]; 0: the last chunk. */
static __always_inline u64 chunk_length(struct scratch *s)
{
	s->number = 0;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 15; i++) {
		u32 byte = BYTE(s, CARRY + i), digit = byte - '0';

		if (digit > 9) {
			digit = (byte | 0x20) - 'a';
			if (digit > 5)
				break;
			digit += 10;
		}
		s->number = s->number << 4 | digit;
	}
	return s->number ? s->number + 2 : 0;
}

/* A final answer begins at data[CARRY]: count it under the current request, and go on to the next. */
static __always_inline void final_answer(struct conn *conn, struct scratch *s, u32 bytes)
{
	u64 latency_ns = s->now - conn->start_ns;
	u32 status = s->status;

	if (conn->status != kind_of(status, latency_ns) || conn->answer_of != conn->current)
		place_answer(conn, kind_of(status, latency_ns));
	count_answer(conn, latency_ns, bytes);
	if (worth_a_sample(status, latency_ns, s->now))
		take_sample(conn, s->sk, latency_ns, status, s->buf, s->piece);
	after_answer(conn, status);
	conn->bodyless = conn->current_method == METHOD_HEAD || status == 204 || status == 304;
	advance(conn, s->sk);
}

/*
 * Answers that are not simply at the start of a call with one request pending: behind a 1xx, cut
 * in their first bytes, or pipelined, where the end of each has to be found.
 */
int parse_answer(u64 *ctx)
{
	struct scratch *s = scratch_here();
	struct conn *conn;
	u32 n, phase, consumed;

	if (!s || !next_piece(s))
		return 0;
	conn = conns.lookup(&s->sk);
	if (!conn || conn->phase == PHASE_TUNNEL)
		return 0;
	if (conn->answer_left) {
		n = conn->answer_left < s->piece ? conn->answer_left : s->piece;
		conn->answer_left -= n;
		answer_body(conn, n);
		skip(s, n);
		goto again;
	}
	if (!conn->pending) {
		if (conn->phase != PHASE_HEAD) {
			answer_body(conn, s->left);
			return 0;
		}
		begin(conn, s->sk); /* answered before its head was complete */
		conn->phase = PHASE_IDLE;
	}
	phase = conn->answer_phase;
	start_scan(s, phase == ANSWER_HEAD || phase == ANSWER_INTERIM);
	s->data[CARRY] = '\n';
	s->have = CARRY + (s->line_end ? 1 : 0);
	copy_words(&s->data[inside(s->have)], conn->answer_partial, PARTIAL_LEN / 8);
	s->have += conn->answer_partial_len;
	s->carried = s->have;
	if (!fill(s))
		return 0;
	s->only_answer = 0;
	if (phase == ANSWER_START) {
		s->status = status_of(WORD(&s->data[CARRY]), WORD(&s->data[CARRY + 8]),
				      s->have - CARRY);
		s->only_answer = s->status >= 200 && conn->pending == 1;
	}
	/* By way of memory: the verifier would walk the scan once for each range of these. */
	if (!s->only_answer)
		scan_head(s);
	n = s->have - s->carried;

	if (conn->answer_phase == ANSWER_CHUNKS) {
		if (!s->line_end) {
			keep_answer_line(conn, s, CARRY);
			consumed = n;
		} else {
			conn->answer_partial_len = 0;
			consumed = s->line_end - s->carried;
			conn->answer_left = chunk_length(s);
			if (!conn->answer_left) { /* trailers, up to an empty line */
				conn->answer_phase = ANSWER_HEAD;
				conn->chunked = 0;
				conn->answer_length = 0;
			}
		}
		answer_body(conn, consumed);
		skip(s, consumed);
		goto again;
	}
	if (conn->answer_phase == ANSWER_START) {
		if (!s->status) {
			u32 length = s->have - CARRY;
			u64 mask = length >= 7 ? MASK(7) : (1ULL << ((length & 7) * 8)) - 1;

			if (length < 13 && !((WORD(&s->data[CARRY]) ^
					      CHARS('H', 'T', 'T', 'P', '/', '1', '.', 0)) &
					     mask)) {
				keep_answer_line(conn, s, CARRY);
				skip(s, n);
				goto again;
			}
			conn->answer_partial_len = 0;
			if (conn->pending > 1)
				conn->blurred = 1;
			answer_body(conn, s->left);
			return 0;
		}
		conn->answer_partial_len = 0;
		if (s->only_answer) {
			/* All that is left of the call is of this answer. */
			final_answer(conn, s, s->left + s->carried - CARRY);
			return 0;
		}
		conn->answer_length = BODY_OPEN;
		conn->chunked = 0;
		conn->answer_phase = s->status < 200 && s->status != 101 ? ANSWER_INTERIM
									 : ANSWER_HEAD;
		if (conn->answer_phase == ANSWER_HEAD) {
			final_answer(conn, s, s->carried - CARRY);
			if (conn->phase == PHASE_TUNNEL)
				return 0;
		}
	}
	note_answer_framing(conn, s);
	consumed = s->head_end ? s->head_end - s->carried : n;
	if (conn->answer_phase == ANSWER_HEAD)
		answer_body(conn, consumed);
	if (s->head_end)
		answer_head_over(conn);
	else
		keep_answer_line(conn, s, s->newline + 1);
	skip(s, consumed);
again:
	if (s->left) {
		next_program.call(ctx, NEXT_ANSWER);
		/* More answers than a call may have tail calls. */
		if (conn->pending)
			conn->blurred = 1;
		conn->answer_phase = ANSWER_START;
		conn->answer_left = 0;
		answer_body(conn, s->left);
	}
	return 0;
}

/* Sample the answer that has just been counted on the short way. */
int sample_answer(u64 *ctx)
{
	struct scratch *s = scratch_here();
	struct conn *conn;

	if (!s)
		return 0;
	conn = conns.lookup(&s->sk);
	if (conn)
		take_sample(conn, s->sk, s->now - conn->start_ns, conn->status, s->buf, s->piece);
	return 0;
}

/* ---- what a call moved ----------------------------------------------------------------------- */

/* Bytes that no buffer of the caller's holds (sendfile, splice): they can only be parts of a body. */
static __always_inline void moved_bytes(u64 sk, bool inbound, u64 bytes)
{
	struct conn *conn = conns.lookup(&sk);

	if (!conn || conn->phase == PHASE_TUNNEL)
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
	/* No tracepoint will tell the end of these, or has told it already. */
	s->verify = s->unix_socket || (kernel_u16(s->sk + OFF_SOCK_STATE) & 0xff) == TCP_CLOSE;
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
		if (wanted(s) && new_conn(s))
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

		if (conn->phase == PHASE_TUNNEL)
			return 0;
		if (!request && !conn->pending && conn->phase != PHASE_HEAD && !conn->answer_left) {
			answer_body(conn, ret);
			return 0;
		}
		if (request && conn->phase == PHASE_BODY && conn->body_left >= ret) {
			came_of_body(conn, ret);
			return 0;
		}
	}

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

	now = conn ? bpf_ktime_get_ns() : 0;
	if (conn) {
		if (conn->tgid != process_of(task))
			seen_by(conn, process_of(task));
		if (inbound == (conn->side == SIDE_SERVER)) {
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
			   conn->answer_partial_len || piece < 16) {
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
			    status == kind_of(status, latency_ns) && status >= 200) {
				count_answer(conn, latency_ns, ret);
				after_answer(conn, status);
				conn->first++;
				conn->pending = 0;
				if (!worth_a_sample(status, latency_ns, now))
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

	if (ret <= 0)
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
	if (!(call & (INBOUND | OUTBOUND)) || regs->cs == USER32_CS)
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
	if (!conn->pending) {
		if (state == TCP_CLOSE || (kernel_u16(sk + OFF_SOCK_SHUTDOWN) & 3) == SHUTDOWN_BOTH)
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
