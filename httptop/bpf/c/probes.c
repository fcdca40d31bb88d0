// SPDX-License-Identifier: MIT
/*
 * The programs, in reading order; each header includes what it uses.
 *
 * Cases that need only a few loads are handled by the attached programs themselves: a part of a
 * body, a request equal to the last one, a response of the same kind as the last. All else is worked
 * through in steps: read_message() reads the call's bytes window by window and keeps their position
 * in the connection, so a message may be split anywhere.
 *
 * A connection is identified by its struct sock: dup, fork, descriptor passing, threads and reuse
 * of descriptors make no difference.
 */

/* The basics. */
#include "linked.h" /* what is put in after compilation: numbers, functions, sizes */
#include "abi.h" /* shared with user space: structs, constants, limits */
#include "filter_state.h" /* what the run's filter asks for, and keeps with a connection */
#include "conn.h" /* the state of a connection between calls */
#include "maps.h" /* every map */
#include "scratch.h" /* the state of a call while programs hand it on */
#include "kernel_structs.h" /* reading the kernel's own structs, at offsets from its BTF */
#include "pid_namespace.h" /* process ids where httptop runs in a namespace of its own */
#include "syscalls.h" /* numbers of the system calls that move bytes */
#include "branchless.h" /* arithmetic without extra paths for the verifier; words of eight bytes */

/* The path of a call. */
#include "hooks.h" /* the attached programs: a call has moved bytes */
#include "steps.h" /* how a call is worked through in steps */
#include "cursor.h" /* its bytes, window by window */
#include "dispatch.h" /* the short ways; else the call is worked through in steps */
#include "classify.h" /* the first bytes on a socket: are they HTTP/1? */
#include "gateways.h" /* protocols whose servers answer in HTTP's words */
#include "others.h" /* sockets that carry something else, and which way it went */
#include "connections.h" /* tracking connections, changing owners, passing over excluded ones */

/* Reading HTTP/1. */
#include "request_line.h" /* request lines: kept, compared, looked up */
#include "start_line.h" /* methods, request lines, versions, statuses */
#include "field_values.h" /* lengths, codings, options, the lines of chunks */
#include "http_head.h" /* the parser of header sections, which works on bytes alone */
#include "path_template.h" /* from a target to its path template */
#include "ids.h" /* the ids within its segments */
#include "id_rules.h" /* what counts as one */
#include "stream.h" /* the position within the messages of one direction */
#include "message.h" /* the reader of messages, for both directions */
#include "requests.h" /* what requests are beyond their framing */
#include "responses.h" /* what responses are beyond theirs */
#include "proxy_header.h" /* what a proxy says before the first request */
#include "proxy_text.h" /* the same as a line of text */

/* What becomes of a request. */
#include "lifecycle.h" /* requests begun, answered, abandoned; losing sync */
#include "counters.h" /* counting: in cells, in histograms, losses */
#include "cells.h" /* which cell counts what; taking one for what is new */
#include "shards.h" /* a copy of each counter for each CPU */
#include "parties.h" /* whose requests they are, and where they come from */
#include "shares.h" /* who takes how much of the tables */
#include "samples.h" /* single requests, for user space */
#include "heads.h" /* the header sections of some requests, for their samples */
#include "wait.h" /* how long a request lay in the socket before it was read */
#include "filter.h" /* which requests the run selects */
#include "control_groups.h" /* which containers a process belongs to */
#include "filter_terms.h" /* the comparisons that its conditions consist of */

/* Unseen bytes, ends. */
#include "unseen.h" /* bytes that the kernel moves itself, and bytes that were missed */
#include "close.h" /* the ends of connections, and what is pending on them */
#include "run_steps.h" /* every step, as what takes it */

/* Once a tick: what cells count, added up by row. */
#include "sums_abi.h" /* shared with user space: the sums */
#include "sums.h" /* their maps */
#include "sums_cells.h" /* what is new in a cell */
#include "sums_add.h" /* add_to_rows */
#include "sums_window.h" /* replay_window */
#include "sums_percentiles.h" /* summarize_rows */
#include "give_back.h" /* cells that nothing counts in any more */

/* Before the start. */
#include "pools.h" /* filling the pools before the start */
