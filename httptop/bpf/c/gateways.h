/* SPDX-License-Identifier: MIT */
/*
 * Protocols that are no HTTP and whose servers answer in its words: those between a web server and an
 * application. Their answers are no responses to bad requests, and no orphans. Called for the first
 * bytes of calls on sockets that are not tracked; nothing is written.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "kernel_structs.h"

#define LONGEST_NAME 64 /* of a CGI variable */

/* Whether two bytes are of the name of a CGI variable. */
static __always_inline bool begins_name(u8 first, u8 second)
{
	return first - 'A' < 26u && (second - 'A' < 26u || second == '_');
}

/* uwsgi: a header of four bytes, then variables: the length of each name in two bytes, the name. */
static __always_inline bool is_uwsgi(u64 word)
{
	u32 length = (word >> 32) & 0xffff, alone = word & 0xffff;

	if (length && length <= LONGEST_NAME && begins_name(word >> 48, word >> 56))
		return true;
	/* The header may have been read by itself. */
	return alone && alone <= LONGEST_NAME && begins_name(word >> 16, word >> 24);
}

/* FastCGI: a record of version 1 that begins a request, with eight bytes of content. */
static __always_inline bool is_fastcgi(u64 word)
{
	return (word & 0x0000ffff0000ffffULL) == 0x0000080000000101ULL;
}

/* Whether the eight bytes at a user address begin uwsgi or FastCGI. */
static __always_inline bool is_binary_gateway(void *at)
{
	u64 word = 0;

	return !read_user(&word, sizeof(word), at) && (is_uwsgi(word) || is_fastcgi(word));
}

/* SCGI: the length of the variables in decimal, a colon, and CONTENT_LENGTH as the first of them. */
static __always_inline bool is_scgi(u64 first, u64 second)
{
	u64 colons = first ^ (EACH * ':');
	u32 behind;

	if ((u8)first - '1' > 8u)
		return false;
	colons = (colons - EACH) & ~colons & (EACH << 7);
	if (!colons)
		return false;
	behind = (lowest_bit(colons) & ~7U) + 8;
	OPAQUE(behind);
	behind &= 63;
	if (!behind)
		return second == CHARS('C', 'O', 'N', 'T', 'E', 'N', 'T', '_');
	return (first >> behind | second << (64 - behind)) ==
	       CHARS('C', 'O', 'N', 'T', 'E', 'N', 'T', '_');
}
