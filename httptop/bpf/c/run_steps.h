/* SPDX-License-Identifier: MIT */
/*
 * Every step of a call, as what takes it: the callback of the loop over them or, without a loop, a
 * program for each step (steps.h says why). The steps themselves are in the headers below.
 */
#pragma once

#include "classify.h"
#include "close.h"
#include "connections.h"
#include "heads.h"
#include "message.h"
#include "proxy_header.h"
#include "responses.h"
#include "scratch.h"
#include "steps.h"

#ifdef LOOPS
/* Take the step that s->next says; stop at the last. */
int take_step(void *unused)
{
	struct scratch *s = scratch_here();
	u32 next = STEP_DONE;

	if (!s)
		return 1;
	if (s->next == STEP_READ_MESSAGE)
		next = read_message(s);
	else if (s->next == STEP_PLACE_REQUEST)
		next = place_request(s);
	else if (s->next == STEP_FIRST_BYTES)
		next = first_bytes(s);
	else if (s->next == STEP_SAMPLE_RESPONSE)
		next = sample_response(s);
	else if (s->next == STEP_ABANDON_REQUESTS)
		next = abandon_requests(s);
	else if (s->next == STEP_CHANGE_OWNER)
		next = change_owner(s);
	else if (s->next == STEP_CATCH_UP)
		next = catch_up(s);
	else if (s->next == STEP_REGAIN_SYNC)
		next = regain_sync(s);
	else if (s->next == STEP_PROXY_HEADER)
		next = proxy_header(s);
	else if (s->next == STEP_KEEP_HEAD)
		next = keep_head(s);
	s->next = next;
	return next == STEP_DONE;
}

#ifdef STEPS_APART
/* The program that takes all steps of a call. */
int all_steps(void *ctx)
{
	struct scratch *s = scratch_here();

	loop_over_steps();
	if (s && s->next != STEP_DONE)
		leave_rest(s);
	return 0;
}
#endif
#else
/* Go on with the next step's program; that returns only when there have been too many. */
static __always_inline int hand_on(u64 *ctx, struct scratch *s, u32 next)
{
	s->next = next;
	if (next == STEP_DONE)
		return 0;
	if (++s->steps < MOST_STEPS)
		next_program.call(ctx, next);
	leave_rest(s);
	return 0;
}

int read_message_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, read_message(s)) : 0;
}

int place_request_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, place_request(s)) : 0;
}

int first_bytes_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, first_bytes(s)) : 0;
}

int sample_response_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, sample_response(s)) : 0;
}

int abandon_requests_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, abandon_requests(s)) : 0;
}

int change_owner_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, change_owner(s)) : 0;
}

int catch_up_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, catch_up(s)) : 0;
}

int regain_sync_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, regain_sync(s)) : 0;
}

int proxy_header_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, proxy_header(s)) : 0;
}

int keep_head_program(u64 *ctx)
{
	struct scratch *s = scratch_here();

	return s ? hand_on(ctx, s, keep_head(s)) : 0;
}
#endif
