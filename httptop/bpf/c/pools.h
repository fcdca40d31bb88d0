/* SPDX-License-Identifier: MIT */
/*
 * The pools of free cells, pages, shares and parties, filled once before anything is attached: the loader runs each
 * program once per number; pool_next holds the next number, counting down.
 */
#pragma once

#include "maps.h"

/* Return the next number for a pool; 0: there is none, which the verifier asks for. */
static __always_inline u32 next_number(u32 pool)
{
	u32 *next = pool_next.lookup(&pool);

	return next ? (*next)-- : 0;
}

int fill_cells(void *ctx)
{
	u32 number = next_number(0);

	free_cells.push(&number, 0);
	return 0;
}

int fill_pages(void *ctx)
{
	u32 number = next_number(1);

	free_pages.push(&number, 0);
	return 0;
}

int fill_shares(void *ctx)
{
	u32 number = next_number(2);

	free_shares.push(&number, 0);
	return 0;
}

int fill_parties(void *ctx)
{
	u32 number = next_number(3);

	free_parties.push(&number, 0);
	return 0;
}
