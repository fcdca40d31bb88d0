/* SPDX-License-Identifier: MIT */
/*
 * The ids within a path's segments, as the path's characters pass. httptop/http/ids.py has the same rules in
 * words and in Python; tests/vectors/ids.txt tests both.
 *
 * path_template.h copies each character to template[], and counts those of words: letters, digits and
 * bytes beyond ASCII. Of each other it tells by joint_comes() and joint_was_copied().
 * Where a word, a span or a segment ends, what was copied of it may be an id: then {id} takes its place.
 * The members of struct scratch listed under its name are private to it.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "id_rules.h"
#include "scratch.h"

/* Where in template[] to write. */
#define OUT(s, at) ((s)->template[(inside(at))])
#define OUT_WORD(s, at) WORD(&OUT(s, at))

#define ID_TEXT 0x7d64697bULL /* "{id}" */

/* s->mode: how a segment's characters are taken. */
#define MODE_PLAIN 0
#define MODE_NAME 1   /* of a parameter: behind ; */
#define MODE_VALUE 2  /* of a parameter: behind its = */
#define MODE_QUOTED 3 /* behind (' */
#define MODE_RAW 4    /* no path */

/* s->seen: what a segment has had. */
#define SEEN_AT 1   /* an @ behind something, and no @2x */
#define SEEN_COLON 2   /* before an @ */
#define SEEN_FIRST_AT 4   /* it begins with @ */
#define SEEN_FIRST_MARK 8 /* it begins with !, and its first word is still to come */
#define SEEN_PERSON 16   /* it names somebody */

/* If `yes`, have {id} take the place of what was copied to template[at..). */
static __always_inline void put_id(struct scratch *s, u64 yes, u64 at)
{
	u64 end;

	OPAQUE(yes);
	s->id_at = SELECT(yes, at, s->out);
	/*
	 * From here on the verifier knows nothing of where it came from: otherwise it would follow each way of
	 * deciding on its own.
	 */
	asm volatile("" ::: "memory");
	OUT_WORD(s, s->id_at) = ID_TEXT; /* if not `yes`, behind what counts */
	end = s->id_at + 4;
	s->out = SELECT(yes, end, s->out);
	s->id_end = SELECT(yes, end, s->id_end);
}

static __always_inline void span_begins(struct scratch *s)
{
	s->span_at = s->out;
	s->first_at = 0;
	s->span_sum = 0;
	s->span_score = 0;
	s->found = 0;
	s->grouped = 0;
	s->extension = 0;
}

static __always_inline void word_begins(struct scratch *s, u64 bits)
{
	s->before = bits;
	s->word_at = s->out;
	s->sum = 0;
	s->score = 0;
	s->last = 0;
}

/* Whether a word of digits is an id, together with those that it is connected to. */
static __always_inline u64 is_number_word(struct scratch *s)
{
	u64 century = OUT_WORD(s, s->word_at) & 0xffff, yes;

	yes = EQUAL(century, 0x3931) | EQUAL(century, 0x3032); /* 19 and 20 */
	OPAQUE(yes);
	yes &= EQUAL(s->grouped, 0) & EQUAL(DIGITS(s->sum), 4);
	OPAQUE(yes);
	yes = (1 - yes) & AT_LEAST(s->grouped + DIGITS(s->sum), 3);
	OPAQUE(yes);
	return (yes | NOT_ZERO((s->before | s->joint) & C_FIRM)) & ID_NUMBER;
}

/* Whether a word begins like a version: v1. A longer one may be an id. */
static __always_inline u64 is_version(struct scratch *s)
{
	u64 begin = OUT_WORD(s, s->word_at), yes, digit = begin >> 8 & 0xff;

	OPAQUE(digit);
	yes = AT_LEAST(digit, '0') & AT_LEAST('9', digit);
	OPAQUE(yes);
	return yes & EQUAL(begin & 0xff, 'v') & AT_LEAST(15, LENGTH(s->sum) + OTHERS(s->sum));
}

/* Judge a word that may be an id by its counts. */
static __always_inline void judge_word(struct scratch *s)
{
	u64 number = EQUAL(s->sum, DIGITS(s->sum)), yes;

	OPAQUE(number);
	if (number) {
		yes = is_number_word(s);
	} else {
		s->score *= 1 - is_version(s);
		yes = 0;
		if (LENGTH(s->sum) >= SHORTEST_ID)
			yes = is_id(s->sum, &s->score, &s->found);
	}
	OPAQUE(yes);
	s->group_at = SELECT(NOT_ZERO(s->grouped), s->group_at, s->word_at);
	s->grouped += DIGITS(s->sum);
	s->grouped *= number | yes;
	yes |= NOT_ZERO(s->seen & SEEN_FIRST_MARK);
	s->grouped += yes * 3;
	s->found |= yes;
	put_id(s, yes, s->group_at);
}

/* A word ends. */
static __always_inline void word_ends(struct scratch *s)
{
	u64 sum = s->sum, yes;

	s->first_at = SELECT(NOT_ZERO(s->first_at), s->first_at, s->word_at);
	if (DIGITS(sum) | (s->seen & SEEN_FIRST_MARK) | BOTH_CASES(sum))
		judge_word(s);
	else
		s->grouped = 0;
	s->seen &= ~(u64)SEEN_FIRST_MARK;
	OPAQUE(sum);
	s->span_sum += sum;
	/* One with characters of one kind lowers the score of its span, or nothing. */
	yes = NOT_ZERO(DIGITS(sum)) & NOT_ZERO(LETTERS(sum));
	OPAQUE(yes);
	yes |= BOTH_CASES(sum) | (1 - at_least(s->score, 0));
	OPAQUE(yes);
	s->span_score += s->score * yes;
	yes = NOT_ZERO(s->before & C_DOT) & NOT_ZERO(LETTERS(sum));
	OPAQUE(yes);
	yes &= EQUAL(DIGITS(sum) + OTHERS(sum), 0);
	OPAQUE(yes);
	s->extension = yes & AT_LEAST(5, LETTERS(sum));
	yes &= AT_LEAST(LETTERS(sum), 2) & NOT_ZERO(s->seen & SEEN_AT) & EQUAL(s->mode, MODE_PLAIN);
	OPAQUE(yes);
	s->seen |= yes * SEEN_PERSON;
}

/* A span ends at s->end, and with it its last word. */
static __always_inline void span_ends(struct scratch *s)
{
	u64 found = s->found, stem = 0, yes, length;

	OPAQUE(found);
	if (s->extension)
		stem = is_id(s->stem_sum, &s->stem_score, &s->found);
	s->number = stem;
	yes = found & NOT_ZERO(s->grouped) & EQUAL(s->group_at, s->first_at); /* all words */
	OPAQUE(yes);
	if (!(yes | (found & s->extension)))
		yes = is_id(s->span_sum, &s->span_score, &s->found);
	stem = s->number;
	put_id(s, yes | stem, s->span_at);
	OUT_WORD(s, s->out) = WORD_AT(s, s->dot_at);
	length = s->end - s->dot_at;
	OPAQUE(length);
	s->out += length * stem;
}

/* A value ends, if there is one: whatever it is, it may be a secret. */
static __always_inline void value_ends(struct scratch *s, u64 yes)
{
	put_id(s, yes & AT_LEAST(s->out, s->value_at + 1), s->value_at);
	s->mode = SELECT(yes, MODE_PLAIN, s->mode);
}

/* A segment ends, and its last span has ended. */
static __always_inline void segment_ends(struct scratch *s)
{
	u64 length = s->out - s->id_end, yes;

	yes = EQUAL(OUT(s, s->id_end), '=') & EQUAL(OUT(s, s->out - 1), '=');
	OPAQUE(yes);
	yes &= AT_LEAST(2, length) & AT_LEAST(s->id_end, s->segment_at + 1);
	OPAQUE(yes);
	yes &= EQUAL(s->mode, MODE_PLAIN);
	OPAQUE(yes);
	s->out = SELECT(yes, s->id_end, s->out); /* padding of base64 */
	value_ends(s, NOT_ZERO(s->mode));
	put_id(s, NOT_ZERO(s->seen & SEEN_PERSON), s->segment_at);
}

/* What an @, a colon or a ! says of its segment. */
static __always_inline void sign_comes(struct scratch *s)
{
	u64 sign = s->joint_sign, first, yes, next;

	first = EQUAL(s->out, s->segment_at);
	OPAQUE(first);
	next = s->joint_next & 0xff;
	OPAQUE(next);
	yes = AT_LEAST(next, '0') & AT_LEAST('9', next) & EQUAL(s->joint_next >> 8, 'x');
	OPAQUE(yes);
	yes = (1 - yes) & EQUAL(sign, '@') & (1 - first);
	OPAQUE(yes);
	s->seen |= yes << (s->seen & SEEN_COLON ? 4 : 0); /* SEEN_PERSON, SEEN_AT */
	yes = EQUAL(sign, ':');
	OPAQUE(yes);
	s->seen |= yes << (s->seen & SEEN_FIRST_AT ? 4 : 1); /* SEEN_PERSON, SEEN_COLON */
	yes = first & EQUAL(sign, '@');
	OPAQUE(yes);
	s->seen |= yes * SEEN_FIRST_AT;
	yes = first & EQUAL(sign, '!');
	OPAQUE(yes);
	s->seen |= yes * SEEN_FIRST_MARK;
}

/* What a firm joint within a segment means for what follows it. */
static __always_inline void take_mode(struct scratch *s, u64 opened)
{
	u64 sign = s->joint_sign, plain = EQUAL(s->mode, MODE_PLAIN), yes, equals, quote;

	OPAQUE(plain);
	quote = EQUAL(sign, '\'') & plain & opened;
	OPAQUE(quote);
	equals = EQUAL(sign, '=') & EQUAL(s->mode, MODE_NAME);
	OPAQUE(equals);
	yes = NOT_ZERO(s->joint & C_PARAMETER);
	OPAQUE(yes);
	value_ends(s, (yes & (1 - plain)) | (EQUAL(sign, ')') & EQUAL(s->mode, MODE_QUOTED)));
	s->mode = SELECT(yes, MODE_NAME, s->mode);
	s->mode = SELECT(equals, MODE_VALUE, s->mode);
	s->mode = SELECT(quote, MODE_QUOTED, s->mode);
	yes |= equals;
	s->value_at = SELECT(yes | quote, s->out + yes * s->joint_width, s->value_at);
}

/*
 * The character at s->end is none of a word, or the path ends there: a slash and an end end a segment.
 * It is copied afterwards.
 */
static __always_inline void joint_comes(struct scratch *s)
{
	u64 opened = EQUAL(s->sum, 0) & NOT_ZERO(s->before & C_OPENING);

	OPAQUE(opened);
	if (s->mode == MODE_RAW)
		return;
	if (s->mode <= MODE_NAME) {
		if (s->sum)
			word_ends(s);
		if (s->joint & C_JOINT) {
			u64 dot = NOT_ZERO(s->joint & C_DOT);

			OPAQUE(dot);
			s->dot_at = SELECT(dot, s->end, s->dot_at);
			s->stem_sum = SELECT(dot, s->span_sum, s->stem_sum);
			s->stem_score = SELECT(dot, s->span_score, s->stem_score);
			s->span_sum += s->joint_add;
			s->extension = 0;
		} else if (DIGITS(s->span_sum) | s->found | NOT_ZERO(UPPERS(s->span_sum))) {
			span_ends(s);
		}
	}
	if (s->joint & (C_END | C_SLASH)) {
		segment_ends(s);
	} else if (s->joint & C_FIRM) {
		if (s->mode == MODE_PLAIN)
			sign_comes(s);
		take_mode(s, opened);
	}
}

static __always_inline void segment_begins(struct scratch *s, u64 mode)
{
	s->segment_at = s->out;
	s->mode = mode;
	s->seen = 0;
	s->id_end = s->out;
	span_begins(s);
}

/* What follows the joint begins anew; it has been copied. */
static __always_inline void joint_was_copied(struct scratch *s)
{
	if (s->joint & C_SLASH)
		segment_begins(s, MODE_PLAIN);
	else if (!(s->joint & C_JOINT))
		span_begins(s);
	word_begins(s, s->joint & ~(u64)C_SLASH);
}
