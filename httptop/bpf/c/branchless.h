/* SPDX-License-Identifier: MIT */
/*
 * Branch-free helpers: no extra paths for the verifier. Truth values are 0 or 1. They have no side
 * effects beyond their arguments.
 *
 * OPAQUE() is needed where the compiler would turn arithmetic back into branches, or drop a bound.
 */
#pragma once

/* From here on the compiler knows nothing about a value. */
#define OPAQUE(v) asm volatile("" : "+r"(v))

#define NOT_ZERO(a) ((0 - (u64)(a)) >> 63) /* this and the next two: for values below 2^62 */
#define AT_LEAST(a, b) (((u64)(b) - 1 - (u64)(a)) >> 63)
#define EQUAL(a, b) ((((u64)(a) ^ (u64)(b)) - 1) >> 63)
#define SELECT(yes, a, b) ((b) ^ (((a) ^ (b)) & (0 - (u64)(yes))))

/* Return the number of the highest bit that is set; 0 if none is. */
static __always_inline u64 log2_of(u64 v)
{
	u64 sum = 0;

#pragma clang loop unroll(full)
	for (u64 step = 32; step; step >>= 1) {
		u64 part = v >> step, more;

		more = NOT_ZERO(part);
		OPAQUE(more);
		more *= step;
		v >>= more;
		sum += more;
	}
	return sum;
}

/* Return the number of the lowest bit that is set. */
static __always_inline u32 lowest_bit(u64 bits)
{
	return log2_of(bits & (0 - bits));
}

/* ---- eight bytes at a time ----------------------------------------------------------------- */

#define EACH 0x0101010101010101ULL /* a byte times this repeats the byte eight times */
#define MASK(n) ((n) >= 8 ? ~0ULL : (1ULL << ((n) * 8)) - 1) /* the first n bytes */

/* Eight characters as the word they are in memory (little endian). */
#define CHARS(a, b, c, d, e, f, g, h)                                                              \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 |             \
	 (u64)(f) << 40 | (u64)(g) << 48 | (u64)(h) << 56)

/* ORed to a word, lowers the letters in its bytes [from, to); changes other bytes to wrong ones. */
#define LOWER_CASE(from, to) ((0x2020202020202020ULL << 8 * (from)) & MASK(to))

/* A word at any address. The function hides the type: the compiler would load bytes one by one. */
static __always_inline u64 *word_of(void *at)
{
	return at;
}
#define WORD(p) (*word_of(p))

/* Eight bytes of whatever type. */
typedef u64 __attribute__((may_alias)) any_u64;

/* Copy a constant number of words. */
static __always_inline void copy_words(u8 *to, const u8 *from, u32 words)
{
#pragma clang loop unroll(full)
	for (u32 i = 0; i < words; i++)
		((any_u64 *)to)[i] = ((const any_u64 *)from)[i];
}

/* Bound an index for the verifier, which the compiler must not optimise away; `most`: 2^n. */
static __always_inline u64 bounded(u64 index, u64 most)
{
	OPAQUE(index);
	return index & (most - 1);
}

/* Return the highest bit, in a way that the compiler does not turn into a branch. */
static __always_inline u64 sign_of(u64 number)
{
	OPAQUE(number);
	number >>= 63;
	OPAQUE(number);
	return number;
}

/* 1 or 0; of numbers below 2^62. */
#define IS_SOME(number) sign_of(0 - (u64)(number))
#define IS_AT_LEAST(a, b) (1 - sign_of((u64)(a) - (u64)(b)))
