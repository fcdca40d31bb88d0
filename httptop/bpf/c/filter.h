/* SPDX-License-Identifier: MIT */
/*
 * The filter of the run: which processes, connections, requests and responses it selects. Its
 * conditions are functions that bpf/filter/conditions.py makes, and the linker adds. Without a filter
 * every function here returns a constant, and the compiler leaves it out; where a filter does not ask
 * for something, the verifier does.
 *
 * A condition is decided at the first of four moments at which everything it compares is known;
 * until then its unknown parts count as possible.
 *
 * Called by dispatch.h (a call), connections.h (a connection), requests.h (a header section) and
 * lifecycle.h (a response). Reads the call in scratch and the connection; writes only scratch.truths,
 * conn.filter, conn.hosts and, for a request that is not selected, conn.endpoint. Functions named
 * after what is selected return whether it is, or still may be.
 */
#pragma once

#include "abi.h"
#include "conn.h"
#include "filter_state.h"
#include "filter_terms.h"
#include "kernel_structs.h"
#include "linked.h"
#include "pid_namespace.h"
#include "scratch.h"

#if FILTER
/* The run's conditions: comparisons that hold, as bits; 1 for what may be selected, otherwise 0. */
static u64 (*selects_process)(const struct subject *) = FUNCTION(SELECTS_PROCESS);
static u64 (*truths_of)(const struct subject *) = FUNCTION(TRUTHS_OF);
static u64 (*selects_connection)(u64 truths) = FUNCTION(SELECTS_CONNECTION);
static u64 (*selects_request)(u64 truths, u64 hosts, u64 method) = FUNCTION(SELECTS_REQUEST);
static u64 (*selects_response)(u64 truths, const struct outcome *) = FUNCTION(SELECTS_RESPONSE);
static u64 (*selects_beginning)(u64 truths, const struct outcome *) = FUNCTION(SELECTS_BEGINNING);
#endif

/* ---- a call of a process -------------------------------------------------------------------- */

#if FILTER
/* Note of the current process what the filter asks for. */
static __always_inline void ask_process(struct subject *subject, u32 tgid)
{
	subject->pid = pid_to_match(tgid);
	subject->user = LINKED(FILTER_USER) ? bpf_get_current_uid_gid() : 0;
	subject->container = LINKED(FILTER_CONTAINER) ? containers_met() : 0;
}
#endif

/* Whether the current process is httptop's own and is left out: the process is known by its id here. */
static __always_inline bool is_own(void *task)
{
	return LINKED(OWN_PID) && pid_to_match(process_of(task)) == LINKED(OWN_PID);
}

static __always_inline bool process_selected(u32 tgid)
{
#if FILTER
	struct subject subject; /* not all of it: selects_process() looks at no more */

	if (FILTER_PROCESS) {
		ask_process(&subject, tgid);
		return selects_process(&subject);
	}
#endif
	return true;
}

/* ---- a connection: when it is new, and when another process takes it over ------------------- */

#if FILTER
/*
 * Note in *truths which comparisons hold; return whether requests may be selected. Only here it is asked
 * whether a process is the one that its id was given for: not at each call.
 */
static __always_inline bool judge_connection(u64 sk, u32 tgid, u32 side, u32 unix_socket,
					     const struct peer *client, u64 *truths)
{
	struct subject subject = {.side = side, .socket = unix_socket};

	ask_process(&subject, tgid);
	if (LINKED(FILTER_FOLLOWED))
		subject.pid = pid_if_followed(&subject.pid);
	if (FILTER_PROCESS && !selects_process(&subject))
		return false;
	if (LINKED(FILTER_COMM)) {
		struct filter_name name __attribute__((aligned(8))) = {};

		process_name(name.comm);
		subject.comm = call_names_met(&name);
	}
	if (LINKED(FILTER_PEER))
		subject.peer = peers_met(sk, unix_socket, client);
	subject.port = port_of(sk, side, unix_socket);
	subject.connection = was_accepted(sk, unix_socket);
	*truths = truths_of(&subject);
	return selects_connection(*truths);
}
#endif

/* Judge the new connection in s, which has no struct conn yet; note the verdicts in s->truths. */
static __always_inline bool connection_selected(struct scratch *s)
{
#if FILTER
	return judge_connection(s->sk, s->tgid, s->side, s->unix_socket, 0, &s->truths);
#endif
	return true;
}

static __always_inline void keep_truths(struct conn *conn, u64 truths)
{
#if FILTER
	conn->filter.truths = truths;
#endif
}

/* Judge a connection on which another process brings a request; if selected, keep its truths. */
static __always_inline bool owner_selected(struct conn *conn, u64 sk, u32 tgid)
{
#if FILTER
	bool unix_socket = kernel_u16(sk + OFF_SOCK_FAMILY) == FAMILY_UNIX;
	u64 truths;

	if (!judge_connection(sk, tgid, conn->side, unix_socket, &conn->client, &truths))
		return false;
	keep_truths(conn, truths);
#endif
	return true;
}

/*
 * Track a connection that is excluded as far as is known, since its first bytes may be a PROXY header:
 * it is judged again when that names the client, and left out if none comes.
 */
static __always_inline void exclude_for_now(struct conn *conn)
{
#if FILTER
	conn->filter.excluded = 1;
#endif
}

/* Whether a connection is excluded, and no PROXY header has come. */
static __always_inline bool is_excluded(struct conn *conn)
{
#if FILTER
	return conn->filter.excluded;
#endif
	return false;
}

/* Judge a connection again: a PROXY header has named its client. */
static __always_inline bool client_selected(struct conn *conn, u64 sk, u32 tgid)
{
#if FILTER
	conn->filter.excluded = 0;
#endif
	return owner_selected(conn, sk, tgid);
}

/* ---- a request whose header section is complete ---------------------------------------------- */

/* Note which comparisons the Host field meets, if the bytes parsed so far contain it. */
static __always_inline void note_host(struct conn *conn, struct scratch *s)
{
#if FILTER
	if (FILTER_HOST && s->host_at && s->host_at <= s->newline)
		conn->hosts = hosts_met(s);
#endif
}

/* If the latest request is not selected, exclude it before it is counted under its endpoint. */
static __always_inline void judge_request(struct conn *conn)
{
#if FILTER
	if (!FILTER_REQUEST || selects_request(conn->filter.truths, conn->hosts, conn->method))
		return;
	conn->endpoint = LEFT_OUT_ENDPOINT(conn->side & 1);
	conn->line_len = 0; /* do not reuse this line's endpoint */
	conn->call_len = 0;
#endif
}

/* Keep the verdicts on the Host field of the request that has become the current one. */
static __always_inline void keep_hosts(struct conn *conn, u8 hosts)
{
#if FILTER
	conn->filter.current_hosts = hosts;
#endif
}

/* ---- a response ------------------------------------------------------------------------------ */

static __always_inline bool left_out_already(struct conn *conn)
{
	return FILTER_REQUEST && conn->current == LEFT_OUT_ENDPOINT(conn->side & 1);
}

#if FILTER
/* Return what is known of the current request and of its response, which begins with this status. */
static __always_inline struct outcome outcome_of(struct conn *conn, u32 status, u64 latency_ns)
{
	struct outcome outcome = {
		.latency_ns = latency_ns,
		.request_bytes = conn->request_bytes,
		.status = status,
		.method = conn->current_method,
		.hosts = conn->filter.current_hosts,
	};

	return outcome;
}
#endif

/* Return what the current response counts as: its status, or STATUS_LEFT_OUT. */
static __always_inline u32 kind_of_outcome(struct conn *conn, const struct outcome *outcome)
{
#if FILTER
	if (FILTER_RESPONSE && !left_out_already(conn) &&
	    !selects_response(conn->filter.truths, outcome))
		return STATUS_LEFT_OUT;
#endif
	return outcome->status;
}

/* The same for a response that begins, or that never came (STATUS_UNKNOWN); its size counts as 0. */
static __always_inline u32 kind_of(struct conn *conn, u32 status, u64 latency_ns)
{
#if FILTER
	if (FILTER_RESPONSE) {
		struct outcome outcome = outcome_of(conn, status, latency_ns);

		return kind_of_outcome(conn, &outcome);
	}
#endif
	return status;
}

/* Whether a response that begins may be sampled; user space checks the size its header section tells. */
static __always_inline bool sample_selected(struct conn *conn, u32 status, u64 latency_ns)
{
	if (left_out_already(conn))
		return false;
#if FILTER_SIZE
	struct outcome outcome = outcome_of(conn, status, latency_ns);

	return selects_beginning(conn->filter.truths, &outcome);
#endif
	return kind_of(conn, status, latency_ns) == status;
}

/* ---- a response that is held back until its size is known ------------------------------------ */

/* The response of a connection that is held back; 0: there is none. */
static __always_inline struct held *held_of(struct conn *conn)
{
#if FILTER_SIZE
	return conn->filter.held.endpoint ? &conn->filter.held : 0;
#endif
	return 0;
}

/* Hold back the response to the current request, which begins with so many bytes. */
static __always_inline void hold_back(struct conn *conn, u32 status, u64 latency_ns, u64 bytes)
{
#if FILTER_SIZE
	struct held *held = &conn->filter.held;

	held->outcome = outcome_of(conn, status, latency_ns);
	held->outcome.response_bytes = bytes;
	held->wait_ns = conn->wait_ns;
	held->endpoint = conn->current;
	held->party = conn->current_party;
#endif
}
