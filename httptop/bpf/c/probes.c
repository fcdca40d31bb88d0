/*
 * The programs. What can be settled with a handful of loads is settled where the bytes pass (a
 * request equal to the last one, a response that begins its buffer, a body); the rest goes by tail
 * call to parse_request or parse_response, which take the call's bytes window by window and keep
 * their place in the connection, so that a head may be cut anywhere.
 *
 * A connection is known by its struct sock: dup, fork, descriptor passing, threads and descriptor
 * reuse make no difference.
 */
#include "abi.h"
#include "maps.h"
#include "branchless.h"
#include "kernel_structs.h"
#include "counters.h"
#include "filter.h"
#include "samples.h"
#include "requests_begin.h"
#include "lifecycle.h"
#include "path_template.h"
#include "http_head.h"
#include "cursor.h"
#include "wait.h"
#include "connections.h"
#include "request_line.h"
#include "requests.h"
#include "responses.h"
#include "deferred.h"
#include "classify.h"
#include "dispatch.h"
#include "hooks.h"
#include "close.h"

/* Run by the loader once for each number that the pools of cells and pages are to hold. */
int fill_cells(void *ctx)
{
	u32 zero = 0, number;
	u32 *next = pool_next.lookup(&zero);

	if (!next)
		return 0;
	number = (*next)--;
	free_cells.push(&number, 0);
	return 0;
}

int fill_pages(void *ctx)
{
	u32 one = 1, number;
	u32 *next = pool_next.lookup(&one);

	if (!next)
		return 0;
	number = (*next)--;
	free_pages.push(&number, 0);
	return 0;
}
