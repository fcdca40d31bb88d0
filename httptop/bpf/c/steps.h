/* SPDX-License-Identifier: MIT */
/*
 * How a call is worked through: in steps, each of which does one thing (reads a window of bytes,
 * places a request, abandons some requests) and says which step is next. All that a step
 * needs stands in the scratch, so the verifier looks at each step once, from a clean start.
 *
 * From Linux 5.17 on the helper bpf_loop takes the steps, as many as the call needs (LOOPS). It does so
 * in a program of its own, to which those that see bytes hand the call on by tail call (STEPS_APART):
 * so the kernel's verifier looks at the steps once. Where programs can be preempted, they turn that off
 * and may make no tail calls meanwhile; there the loop is part of each. Kernels before 5.17 have no
 * such loop: there each step is a program, and programs hand the call on at most 33 times.
 *
 * Where bpf_loop is, it also takes the turns of long loops within a step: then the verifier looks at
 * one turn, not at each.
 *
 * Callbacks are functions of their own, which the loader links into the programs that name them
 * (bpf/build/linker.py).
 */
#pragma once

#include "scratch.h"

/* The loader gives the numbers, and those of the callbacks and programs (bpf/build/variants.py). */
#define STEP_DONE 0 /* nothing is left to be done for the call */
#define GO_ON (~0U) /* within a step: it is not over */

#if !defined(LOOPS) || defined(STEPS_APART)
BPF_PROG_ARRAY(next_program, 16);
#endif

#ifdef LOOPS
#define MOST_STEPS (1 << 14) /* of a call; then the rest of its bytes is not parsed */

/* bpf_loop: call a function `turns` times, or until it returns 1. */
static long (*loop)(u32 turns, void *callback, void *context, u64 flags) = (void *)181;

/* The loader puts in the address of a function where it finds this number. */
#define CALLBACK(number) ((void *)(CALLBACK_MARK + (number)))

/* Take the steps of a call from s->next on. It is STEP_DONE then if there were not too many. */
static __always_inline void loop_over_steps(void)
{
	loop(MOST_STEPS, CALLBACK(CALLBACK_STEP), 0, 0);
}

/* Take the steps of a call, from this one on; it may not return. */
static __always_inline void take_steps(u64 *ctx, struct scratch *s, u32 first)
{
	s->next = first;
#ifdef STEPS_APART
	next_program.call(ctx, ALL_STEPS);
#else
	loop_over_steps();
#endif
}

/* Take turns, each of which may end the loop by returning true. */
#define TAKE_TURNS(most, turn, TURN) loop(most, CALLBACK(CALLBACK_##TURN), 0, 0)
#else
#define MOST_STEPS 30 /* a few less than the kernel has tail calls */

static __always_inline void take_steps(u64 *ctx, struct scratch *s, u32 first)
{
	s->next = first;
	s->steps = 0;
	next_program.call(ctx, first);
}

#define TAKE_TURNS(most, turn, TURN)                                                               \
	_Pragma("clang loop unroll(disable)") for (u32 i = 0; i < (most); i++)                     \
	{                                                                                          \
		if (turn(s))                                                                       \
			break;                                                                     \
	}
#endif
