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
#include "outcome.h"
#include "paths.h"
#include "head.h"
#include "calls.h"
#include "ready.h"
#include "connections.h"
#include "lines.h"
#include "requests.h"
#include "answers.h"
#include "deferred.h"
#include "first.h"
#include "bytes.h"
#include "fronts.h"
#include "ends.h"

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
