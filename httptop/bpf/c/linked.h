/* SPDX-License-Identifier: MIT */
/*
 * What the linker puts into compiled programs (bpf/build/linker.py): numbers, and functions that are
 * made for a run. So other sizes of tables, other settings and other filters take no compiler. The
 * kernel's verifier knows the numbers, and takes out what they exclude.
 */
#pragma once

#include "branchless.h"

/* A number of the run; bpf/build/placeholders.py has the names. A load of 64 bits, wherever it stands. */
#define LINKED(name)                                                                               \
	({                                                                                         \
		u64 linked = CONSTANT_MARK + CONSTANT_##name;                                      \
		OPAQUE(linked);                                                                    \
		linked;                                                                            \
	})

/*
 * The address of a function, to be called only: one of the run, or a compiled one that is needed in many
 * places. The code of that is in a program once; where the kernel allows it, the verifier looks at it once,
 * too, by itself: so it must do with any argument, 0 as well.
 */
#define FUNCTION(name) ((void *)(FUNCTION_MARK + FUNCTION_##name))

/* In place of a map's size, which the loader decides (bpf/build/sizes.py). */
#define SIZED 1
