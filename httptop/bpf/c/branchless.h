/* Arithmetic on which the verifier has nothing to follow: no branches, 0 and 1 for truth. */
#pragma once

#define NOT_ZERO(a) ((0 - (u64)(a)) >> 63) /* all for values below 2^62 */
#define AT_LEAST(a, b) (((u64)(b) - 1 - (u64)(a)) >> 63)
#define EQUAL(a, b) ((((u64)(a) ^ (u64)(b)) - 1) >> 63)
#define SELECT(yes, a, b) ((b) ^ (((a) ^ (b)) & (0 - (u64)(yes))))

static __always_inline u32 log2_of(u64 v)
{
	u32 r = 0, w = v >> 32;

	if (w)
		r = 32;
	else
		w = v;
	if (w >> 16) {
		r += 16;
		w >>= 16;
	}
	if (w >> 8) {
		r += 8;
		w >>= 8;
	}
	if (w >> 4) {
		r += 4;
		w >>= 4;
	}
	if (w >> 2) {
		r += 2;
		w >>= 2;
	}
	return r + (w >> 1);
}

/* Number of the lowest bit that is set. */
static __always_inline u32 lowest_bit(u64 bits)
{
	return log2_of(bits & (0 - bits));
}
