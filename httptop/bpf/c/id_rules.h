/* SPDX-License-Identifier: MIT */
/*
 * Whether a word or a span of a path's segment is an id, by its counts and its score: predicates without
 * state. httptop/http/ids.py has the rules in words. Called by ids.h.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "linked.h"

/* Counts of a word or a span, nine bits each, so that one addition updates all of them. */
#define DIGITS(sum) ((sum) & 0x1ff)
#define LETTERS(sum) ((sum) >> 9 & 0x1ff)
#define HEXES(sum) ((sum) >> 18 & 0x1ff)
#define UPPERS(sum) ((sum) >> 27 & 0x1ff)
#define HYPHENS(sum) ((sum) >> 36 & 0x1ff)
#define JOINTS(sum) ((sum) >> 45 & 0x1ff) /* inner ones, hyphens among them */
#define OTHERS(sum) ((sum) >> 54) /* beyond ASCII, or escaped letters and digits */

/* Which of the rules for ids apply (paths.id_rules): 0 or 1. */
#define ID_NUMBER LINKED(ID_NUMBER)
#define ID_HEX LINKED(ID_HEX)
#define ID_MIXED LINKED(ID_MIXED)

/* Scores are calculated with as sums that are never negative. */
#define SCORE_ZERO (1 << 20)

static __always_inline u64 at_least(s64 score, s64 threshold)
{
	u64 sum = SCORE_ZERO + score;

	OPAQUE(sum);
	return AT_LEAST(sum, (u64)(SCORE_ZERO + threshold));
}

/* Letters, digits and joints. */
#define LENGTH(sum) (DIGITS(sum) + LETTERS(sum) + JOINTS(sum))
/* Of words that are not only digits: no rule holds for shorter ones. */
#define SHORTEST_ID 6
/* Both lower and upper case. */
#define BOTH_CASES(sum) (NOT_ZERO(UPPERS(sum)) & NOT_ZERO(LETTERS(sum) - UPPERS(sum)))

/* ids.py has these rules in words. Each begins with counts that the compiler has not seen: it would keep
 * what they have in common, and the stack is small. */
static __always_inline u64 is_number(u64 sum)
{
	u64 yes, much;

	OPAQUE(sum);
	yes = EQUAL(JOINTS(sum), HYPHENS(sum)) | AT_LEAST(DIGITS(sum), 3);
	yes &= EQUAL(LETTERS(sum), 0);
	OPAQUE(yes);
	OPAQUE(sum);
	much = AT_LEAST(DIGITS(sum), 8) & AT_LEAST(DIGITS(sum), LETTERS(sum) * 4);
	OPAQUE(much);
	OPAQUE(sum);
	return (yes | much) & NOT_ZERO(DIGITS(sum)) & ID_NUMBER;
}

static __always_inline u64 is_hex(u64 sum)
{
	u64 yes;

	OPAQUE(sum);
	yes = AT_LEAST(DIGITS(sum), 2) & AT_LEAST(DIGITS(sum) + LETTERS(sum), 12);
	OPAQUE(yes);
	OPAQUE(sum);
	yes |= EQUAL(LENGTH(sum), 36) & EQUAL(HYPHENS(sum), 4) & EQUAL(JOINTS(sum), 4);
	OPAQUE(yes);
	OPAQUE(sum);
	yes |= AT_LEAST(LENGTH(sum), 7) & EQUAL(JOINTS(sum), 0);
	OPAQUE(yes);
	OPAQUE(sum);
	yes |= AT_LEAST(JOINTS(sum) - HYPHENS(sum), 2) & AT_LEAST(DIGITS(sum) + LETTERS(sum), 5);
	OPAQUE(yes);
	OPAQUE(sum);
	yes &= NOT_ZERO(DIGITS(sum)) & NOT_ZERO(LETTERS(sum));
	OPAQUE(yes);
	OPAQUE(sum);
	return yes & EQUAL(HEXES(sum), LETTERS(sum)) & ID_HEX;
}

static __always_inline u64 is_random(u64 sum, const s64 *score, const u64 *found)
{
	u64 least, yes;
	s64 threshold;

	OPAQUE(sum);
	threshold = SELECT(NOT_ZERO(UPPERS(sum)), 16, 24);
	OPAQUE(threshold);
	OPAQUE(sum);
	threshold = SELECT(AT_LEAST(LENGTH(sum), 16), 8, threshold);
	OPAQUE(threshold);
	OPAQUE(sum);
	least = SELECT(NOT_ZERO(JOINTS(sum)), 32, 20);
	OPAQUE(least);
	OPAQUE(sum);
	threshold = SELECT(AT_LEAST(LENGTH(sum), least), (u64)-8, threshold);
	OPAQUE(threshold);
	OPAQUE(sum);
	yes = at_least(*score, threshold);
	OPAQUE(yes);
	OPAQUE(sum);
	least = SELECT(NOT_ZERO(JOINTS(sum)) & *found, 16, 8);
	OPAQUE(least);
	OPAQUE(sum);
	yes &= AT_LEAST(LENGTH(sum), least);
	OPAQUE(yes);
	OPAQUE(sum);
	yes |= AT_LEAST(DIGITS(sum), 5) & EQUAL(JOINTS(sum), 0);
	OPAQUE(yes);
	OPAQUE(sum);
	yes &= NOT_ZERO(LETTERS(sum)) & (NOT_ZERO(DIGITS(sum)) | BOTH_CASES(sum));
	OPAQUE(yes);
	return yes & ID_MIXED;
}

/*
 * Whether a word or a span with these counts and this score is an id; 0 or 1. `found`: some of its
 * words are. Both are read when they are needed.
 */
static __always_inline u64 is_id(u64 sum, const s64 *score, const u64 *found)
{
	u64 yes = is_number(sum);

	OPAQUE(yes);
	yes |= is_hex(sum);
	asm volatile("" : "+r"(yes) : : "memory");
	yes |= is_random(sum, score, found);
	OPAQUE(yes);
	return yes & EQUAL(OTHERS(sum), 0);
}
