/* SPDX-License-Identifier: MIT */
/*
 * A PROXY header of version 1: a line of text, such as "PROXY TCP4 192.0.2.1 198.51.100.1 56324 80".
 *
 * read_proxy_line() reads data[CARRY..line_end) into s->proxied; it knows nothing of connections.
 * Called by proxy_header.h. Only the client's address and port are read; the server's are not used.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "conn.h"
#include "kernel_structs.h"
#include "scratch.h"
#include "steps.h"

#define PROXY_TEXT CHARS('P', 'R', 'O', 'X', 'Y', ' ', 0, 0)
#define PROXY_TEXT_LEN 6
#define PROXY_LINE_MOST 107 /* with its end, as the protocol has it */
#define PROXY_FIELDS_AT (CARRY + 11) /* behind "PROXY TCP4 " */

/* The fields of the line, behind the protocol. */
enum proxy_field { CLIENT_ADDRESS = 0, SERVER_ADDRESS, CLIENT_PORT, SERVER_PORT };

/* Whether the window begins like a header of version 1. */
static __always_inline bool begins_proxy_line(struct scratch *s)
{
	return (WORD(&s->data[CARRY]) & MASK(PROXY_TEXT_LEN)) == PROXY_TEXT;
}

/* Return the value of a hexadecimal digit; 16: it is none. */
static __always_inline u32 hex_digit(u8 byte)
{
	u8 low = byte | 0x20;

	if (byte - '0' <= 9u)
		return byte - '0';
	return low - 'a' <= 5u ? low - 'a' + 10 : 16;
}

/* Put a byte of the address behind those that are known. */
static __always_inline void put_address(struct proxied *proxied, u8 byte)
{
	u32 at = proxied->length;

	if (at >= 16)
		proxied->bad = 1;
	OPAQUE(at);
	proxied->address[at & 15] = byte;
	proxied->length++;
}

/* A part of an address is over: an octet in decimal, or two of them in hexadecimal. */
static __always_inline void end_part(struct proxied *proxied, bool octet)
{
	if (!proxied->digits || proxied->digits > 4 ||
	    (octet && (proxied->digits > 3 || proxied->decimal > 255)))
		proxied->bad = 1;
	if (!octet)
		put_address(proxied, proxied->hexadecimal >> 8);
	put_address(proxied, octet ? proxied->decimal : proxied->hexadecimal);
	proxied->digits = 0;
	proxied->decimal = 0;
	proxied->hexadecimal = 0;
}

/* The client's address is over: where "::" stands, zeros are as many as it takes. */
static __always_inline void end_address(struct proxied *proxied)
{
	u32 behind = proxied->length - proxied->gap;

	if (proxied->digits || !proxied->gap_known || proxied->gap != proxied->length)
		end_part(proxied, proxied->dotted);
	behind = proxied->length - proxied->gap;
	if (!proxied->gap_known) {
		proxied->bad |= proxied->length != (proxied->family == FAMILY_INET6 ? 16 : 4);
		return;
	}
	if (proxied->length > 14 || behind > 14) {
		proxied->bad = 1;
		return;
	}
	/* Move what stands behind the gap to the end, its last byte first. */
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 16; i++) {
		u32 from = proxied->length - 1 - i, to = 15 - i;

		if (to < proxied->gap)
			break;
		OPAQUE(from);
		proxied->address[to] = i < behind ? proxied->address[from & 15] : 0;
	}
}

/* Take a byte of the client's address. */
static __always_inline void take_address_byte(struct proxied *proxied, u8 byte)
{
	u32 digit = hex_digit(byte);
	bool six = proxied->family == FAMILY_INET6;

	if (digit < (six ? 16 : 10) && !(proxied->dotted && digit > 9)) {
		proxied->hexadecimal = proxied->hexadecimal << 4 | digit;
		proxied->decimal = proxied->decimal * 10 + digit;
		proxied->digits++;
	} else if (byte == '.') {
		proxied->dotted = 1;
		end_part(proxied, true);
	} else if (byte == ':' && six && !proxied->dotted) {
		if (proxied->digits) {
			end_part(proxied, false);
		} else if (proxied->last == ':') {
			proxied->bad |= proxied->gap_known;
			proxied->gap_known = 1;
			proxied->gap = proxied->length;
		} else {
			proxied->bad |= proxied->last != ' ';
		}
	} else {
		proxied->bad = 1;
	}
}

/* Take a byte of the line; return whether the line is over, or makes no sense (s->proxied.bad). */
static __always_inline bool proxy_turn(struct scratch *s)
{
	struct proxied *proxied = &s->proxied;
	u8 byte = BYTE(s, s->cursor);

	if (s->cursor >= s->line_end || proxied->bad) {
		proxied->bad = 1;
		return true;
	}
	s->cursor++;
	if (byte == '\r') {
		proxied->bad |= proxied->field != SERVER_PORT || s->cursor != s->line_end - 1;
		return true;
	}
	if (byte == ' ') {
		if (proxied->field == CLIENT_ADDRESS)
			end_address(proxied);
		if (proxied->last == ' ' || proxied->field == SERVER_PORT)
			proxied->bad = 1;
		proxied->field++;
	} else if (proxied->field == CLIENT_ADDRESS) {
		take_address_byte(proxied, byte);
	} else if (proxied->field == CLIENT_PORT) {
		proxied->port = proxied->port * 10 + (u8)(byte - '0');
		proxied->bad |= byte - '0' > 9u || proxied->port > 65535;
	}
	proxied->last = byte;
	return false;
}

#ifdef LOOPS
int take_proxy_turn(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || proxy_turn(s);
}
#endif

/*
 * Read a header of version 1, the line data[CARRY..line_end), into s->proxied. False: it is none, or
 * makes no sense; a server closes the connection then. The family is 0 where the proxy does not know
 * the client.
 */
static __always_inline bool read_proxy_line(struct scratch *s)
{
	struct proxied *proxied = &s->proxied;
	u64 protocol = WORD(&s->data[CARRY + PROXY_TEXT_LEN]), tcp = protocol & MASK(5);

	__builtin_memset(proxied, 0, sizeof(*proxied));
	if (!begins_proxy_line(s) || s->cut || s->line_end - CARRY > PROXY_LINE_MOST)
		return false;
	if ((protocol & MASK(7)) == CHARS('U', 'N', 'K', 'N', 'O', 'W', 'N', 0))
		return (u8)(protocol >> 56) == ' ' || (u8)(protocol >> 56) == '\r';
	if (tcp == CHARS('T', 'C', 'P', '4', ' ', 0, 0, 0))
		proxied->family = FAMILY_INET;
	else if (tcp == CHARS('T', 'C', 'P', '6', ' ', 0, 0, 0))
		proxied->family = FAMILY_INET6;
	else
		return false;
	proxied->last = ' ';
	s->cursor = PROXY_FIELDS_AT;
	TAKE_TURNS(PROXY_LINE_MOST, proxy_turn, PROXY_TURN);
	return !proxied->bad && proxied->field == SERVER_PORT;
}
