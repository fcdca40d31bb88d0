/* SPDX-License-Identifier: MIT */
/*
 * The pools of free cells and pages, filled once before anything is attached: the loader runs each
 * program once per number; pool_next holds the next number, counting down.
 */
#pragma once

#include "maps.h"

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
