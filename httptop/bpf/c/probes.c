// SPDX-License-Identifier: MIT
/*
 * The programs, in reading order; each header includes what it uses.
 *
 * What can be settled with a handful of loads is settled where the bytes pass (a request equal to
 * the last one, a response that begins its buffer, a body); the rest goes by tail call to
 * parse_request or parse_response, which take the bytes of the call window by window and keep their
 * place in the connection, so that a header section may be cut anywhere.
 *
 * A connection is known by its struct sock: dup, fork, descriptor passing, threads and descriptor
 * reuse make no difference.
 */

/* What everything rests on. */
#include "abi.h" /* what user space shares: structs, numbers, limits */
#include "filter_state.h" /* what the run's filter asks for, and keeps with a connection */
#include "conn.h" /* what is kept of a connection from call to call */
#include "maps.h" /* every map, with its bound */
#include "scratch.h" /* what is kept of a call, from program to program */
#include "kernel_structs.h" /* reading the kernel's own structs, at offsets from its BTF */
#include "syscalls.h" /* numbers of the system calls that move bytes */
#include "branchless.h" /* arithmetic without extra paths for the verifier; words of eight bytes */

/* The way of a call. */
#include "hooks.h" /* a call has moved bytes: the attached programs */
#include "cursor.h" /* its bytes, window by window, and the calls from program to program */
#include "dispatch.h" /* the short ways; else the program that takes the bytes */
#include "classify.h" /* the first bytes on a socket: is it HTTP/1? */
#include "connections.h" /* making connections, changing owners, passing over what is left out */

/* Reading HTTP/1. */
#include "request_line.h" /* request lines: kept, compared, looked up */
#include "http_head.h" /* the parser of header sections, on bytes alone */
#include "path_template.h" /* from a target to its path template */
#include "requests.h" /* parse_request, place_request */
#include "responses.h" /* parse_response, sample_response */

/* What becomes of a request. */
#include "lifecycle.h" /* begun, answered, abandoned; in and out of sync */
#include "counters.h" /* cells, histograms, losses */
#include "samples.h" /* single requests, for user space */
#include "wait.h" /* how long a request lay in the socket */
#include "filter.h" /* which requests the run selects */
#include "filter_terms.h" /* what its conditions are made of */

/* Ends. */
#include "deferred.h" /* bytes whose turn comes later */
#include "close.h" /* connections that end, and what is pending on them */
#include "pools.h" /* filling the pools of cells and pages, before the start */
