/* SPDX-License-Identifier: MIT */
/*
 * From a request target to its path template, one byte at a time. httptop/http/path_template.py has
 * the same rule in words and in Python; tests/vectors/paths.txt tests both.
 *
 * template_of() reads the target at data[at..limit) and s->method, and writes key.path and
 * key.truncated; the members of struct scratch listed under its name are private to it. Called by
 * make_endpoint_key().
 *
 * The verifier follows every iteration of a loop with every combination of its branches. So state
 * is kept in the scratch map, whose contents it does not track, and decisions are arithmetic on 0
 * and 1: an iteration has few branches, and they merge again at its end.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "maps.h"
#include "scratch.h"
#include "steps.h"

#define TARGET_LEN 256 /* bytes of a target that are read; a longer one is marked truncated */
#define BYTES_TOGETHER 16

#define OUT(s, at) ((s)->template[(inside(at))])
#define OUT_WORD(s, at) WORD(&OUT(s, at))

/* A segment's counts, twelve bits each, so that one addition per byte updates all of them. */
#define DIGITS(sum) ((sum) & 0xfff)
#define LETTERS(sum) ((sum) >> 12 & 0xfff)
#define HEXES(sum) ((sum) >> 24 & 0xfff)
#define HYPHENS(sum) ((sum) >> 36 & 0xfff)
#define OTHERS(sum) ((sum) >> 48 & 0xfff)

/* Which of the rules for ids apply (paths.id_rules). */
#ifndef ID_NUMBER
#define ID_NUMBER 1
#define ID_HEX 1
#define ID_MIXED 1
#endif

#define HASH_START 0xcbf29ce484222325ULL /* FNV-1a */
#define HASH_FACTOR 0x100000001b3ULL

#define ID_TEXT 0x7d64697bULL /* "{id}" */

/*
 * Whether a segment of `length` bytes, with these counts and changes between kinds of characters,
 * is an id; 0 or 1. OPAQUE keeps the compiler from turning the arithmetic back into branches.
 */
static __always_inline u64 is_id(u64 sum, u64 length, u64 switches)
{
	u64 digits = DIGITS(sum), letters = LETTERS(sum), hyphens = HYPHENS(sum);
	u64 some, hexadecimal, number, mixed, yes;

	OPAQUE(digits);
	OPAQUE(letters);
	OPAQUE(hyphens);
	OPAQUE(length);
	some = NOT_ZERO(digits);
	OPAQUE(some);
	hexadecimal = some & EQUAL(digits + HEXES(sum) + hyphens, length);
	OPAQUE(hexadecimal);
	number = EQUAL(digits + hyphens, length);
	OPAQUE(number);
	yes = (EQUAL(length, 36) & EQUAL(hyphens, 4)) | (AT_LEAST(length, 8) & EQUAL(hyphens, 0));
	OPAQUE(yes);
	yes = SELECT(number, ID_NUMBER, yes & ID_HEX);
	OPAQUE(yes);
	yes &= hexadecimal;
	mixed = some &
		(AT_LEAST(switches, 4) | (AT_LEAST(length, 20) & EQUAL(digits + letters, length)));
	OPAQUE(mixed);
	mixed |= AT_LEAST(switches * 5, length * 2);
	OPAQUE(mixed);
	mixed &= AT_LEAST(length, 16) & NOT_ZERO(letters) & ID_MIXED;
	OPAQUE(mixed);
	yes = (yes | mixed) & EQUAL(OTHERS(sum), 0);
	OPAQUE(yes);
	return yes;
}

/* Look for the third slash at data[target..limit); return whether the search is over. */
static __always_inline bool authority_turns(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < BYTES_TOGETHER; i++) {
		u8 byte = BYTE(s, s->target);

		if (s->target >= s->limit)
			return true;
		if (byte <= ' ' || byte == '?' || byte == '#' || byte == 0x7f) {
			s->stop = 1;
			s->end = s->target;
			return true;
		}
		if (byte == '/' && ++s->number == 3) {
			s->cursor = s->target;
			return true;
		}
		s->target++;
	}
	return false;
}

#ifdef LOOPS
int take_authority_turns(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || authority_turns(s);
}
#endif

/*
 * Have target be where the path begins in a target in absolute form, data[target..limit); limit if
 * it has none.
 */
static __always_inline void skip_authority(struct scratch *s)
{
	s->number = 0;
	s->cursor = s->limit;
	TAKE_TURNS(TARGET_LEN / BYTES_TOGETHER, authority_turns, AUTHORITY_TURNS);
	s->target = s->cursor;
}

/* The current segment ends before data[end]: store what it is classified by, and begin the next. */
static __always_inline void segment_ends(struct scratch *s, u32 end)
{
	struct segment *segment =
		&s->segments[s->segment_count < SEGMENTS ? s->segment_count : SEGMENTS];

	segment->sum = s->sum;
	segment->stem_sum = s->stem_sum;
	segment->switches = s->switches;
	segment->stem_switches = s->stem_switches;
	segment->at = s->segment_at;
	segment->length = end - s->segment_at;
	segment->stem = s->stem_at - s->segment_at;
	segment->has_stem = s->stem_at != 0;
	segment->hash = s->hash;
	s->hash = HASH_START;
	s->segment_count++;
	s->sum = 0;
	s->switches = 0;
	s->last_kind = 0;
	s->stem_at = 0;
	s->stem_sum = 0;
	s->stem_switches = 0;
	s->segment_at = end + 1;
}

/* Go on with cut_path(); return whether it is over. */
static __always_inline bool cut_turns(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < BYTES_TOGETHER; i++) {
		u64 from = s->end, kind, last, different;
		struct byte_class *class;
		u32 byte;

		if (from >= s->limit)
			return true;
		byte = BYTE(s, from);
		class = classes.lookup(&byte);
		if (!class)
			return true;
		if (class->bits & C_END) {
			s->stop = 1;
			return true;
		}
		s->end = from + 1;
		if (class->bits & C_SLASH) {
			segment_ends(s, from);
			continue;
		}
		if (byte == '.') {
			s->stem_at = from;
			s->stem_sum = s->sum;
			s->stem_switches = s->switches;
		}
		s->sum += class->add;
		s->hash = (s->hash ^ byte) * HASH_FACTOR;
		kind = class->bits & C_KIND;
		last = s->last_kind;
		different = NOT_ZERO(kind) & NOT_ZERO(last) & NOT_ZERO(kind ^ last);
		OPAQUE(different);
		s->switches += different;
		s->last_kind = kind;
	}
	return false;
}

#ifdef LOOPS
int take_cut_turns(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || cut_turns(s);
}
#endif

/* First pass: cut the path into segments and count the kinds of characters in each. */
static __always_inline void cut_path(struct scratch *s)
{
	TAKE_TURNS(TARGET_LEN / BYTES_TOGETHER, cut_turns, CUT_TURNS);
	segment_ends(s, s->end);
}

/* Write the next segment to template[]; return whether it was the last. */
static __always_inline bool write_turn(struct scratch *s)
{
	u64 number = s->written, id, stem, from, length, extension;
	struct segment *segment;

	if (number >= SEGMENTS || number >= s->segment_count)
		return true;
	segment = &s->segments[number];
	if (number) {
		OUT(s, s->out) = '/';
		s->out++;
	}
	s->written++;
	from = segment->at;
	length = segment->length;
	id = is_id(segment->sum, length, segment->switches);
	extension = length - segment->stem;
	stem = segment->has_stem & AT_LEAST(extension, 2) & AT_LEAST(6, extension) &
	       EQUAL(LETTERS(segment->sum) - LETTERS(segment->stem_sum) + 1, extension) &
	       is_id(segment->stem_sum, segment->stem, segment->stem_switches);
	OPAQUE(stem);
	if ((id | stem) & ~s->verbatim) {
		OUT_WORD(s, s->out) = ID_TEXT;
		s->out += 4;
		if (!stem)
			return false;
		from += segment->stem;
		length = extension;
	}
	s->copy_from = from;
	s->copy_to = s->out;
	s->copy_end = s->out + length;
#pragma clang loop unroll(disable)
	for (u32 word = 0; word < TEMPLATE_LEN / 8; word++) {
		if (s->copy_to >= s->copy_end)
			break;
		OUT_WORD(s, s->copy_to) = WORD_AT(s, s->copy_from);
		s->copy_from += 8;
		s->copy_to += 8;
	}
	s->out = s->copy_end;
	return false;
}

#ifdef LOOPS
int take_write_turn(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || write_turn(s);
}
#endif

/* Second pass: write each segment, or "{id}" in its place, to template[]. */
static __always_inline void write_path(struct scratch *s)
{
	s->written = 0;
	TAKE_TURNS(SEGMENTS, write_turn, WRITE_TURN);
}

/* Whether the user has configured path rules. */
static __always_inline bool has_rules(void)
{
	struct control *control = control_here();

	return control && control->rules;
}

/* Return the number of the user's rule that the path matches, counted from 1; 0: none. */
static __always_inline u32 rule_of(struct scratch *s)
{
	u32 count = s->segment_count;
	struct rule_shape *shape = rule_shapes.lookup(&count);

	if (!shape || !s->stop)
		return 0;
	s->alive = shape->of_length;
#pragma clang loop unroll(disable)
	for (u32 i = 1; i < SEGMENTS; i++) {
		struct rule_word word = {.at = i};
		u32 at = i;
		u64 *same;

		if (i >= s->segment_count || !s->alive)
			break;
		OPAQUE(at);
		word.hash = s->segments[at & (SEGMENTS - 1)].hash;
		at = i;
		shape = rule_shapes.lookup(&at);
		same = rule_words.lookup(&word);
		s->alive &= (shape ? shape->any : 0) | (same ? *same : 0);
	}
	return s->alive ? lowest_bit(s->alive) + 1 : 0;
}

/*
 * Write the template of the user's rule that the path matches to key.path. False: no rule matches,
 * or the rule keeps the path as it is (verbatim).
 */
static __always_inline bool apply_rule(struct scratch *s)
{
	u32 number = rule_of(s);
	struct rule *rule;

	if (!number--)
		return false;
	rule = rules.lookup(&number);
	if (!rule)
		return false;
	s->verbatim = rule->keep;
	if (rule->keep)
		return false;
	copy_words((u8 *)s->key.path, (u8 *)rule->text, TEMPLATE_LEN / 8);
	s->key.truncated = 0;
	return true;
}

/*
 * Write the template of the target at data[at..limit) to key.path; return the offset just after the
 * target's path.
 */
static __always_inline u32 template_of(struct scratch *s, u32 at)
{
	u64 out, raw;

	s->stop = 0;
	s->target = at;
	s->end = at;
	s->sum = s->stem_sum = s->switches = s->stem_switches = s->last_kind = 0;
	s->stem_at = 0;
	s->segment_count = 0;
	s->verbatim = 0;
	s->hash = HASH_START;
	s->out = 0;
	raw = EQUAL(s->method, METHOD_CONNECT) | EQUAL(BYTE(s, at), '*');
	OPAQUE(raw);
	if (!raw && BYTE(s, at) != '/')
		skip_authority(s);
	if (s->target < s->limit) {
		s->end = s->segment_at = s->target;
		cut_path(s);
	}
	/*
	 * The authority and asterisk forms are not paths: a count that no id can have keeps them as
	 * they are.
	 */
	s->segments[0].sum += raw << 48;
	s->segments[0].has_stem &= 1 - raw;
	if (!raw && has_rules() && apply_rule(s))
		return s->end;
	write_path(s);
	out = s->out;
	if (!out) {
		s->template[0] = '/'; /* an absolute form without a path */
		out = 1;
	}
	s->key.truncated = out > TEMPLATE_LEN || !s->stop || s->segment_count > SEGMENTS;

	/* Clear the bytes after the template: map keys are compared as a whole. */
#pragma clang loop unroll(disable)
	for (u32 at = 0; at < TEMPLATE_LEN; at += 8) {
		u64 keep = ~0ULL;

		if (out <= at)
			keep = 0;
		else if (out - at < 8)
			keep = (1ULL << ((out - at) * 8)) - 1;
		WORD(&s->key.path[at]) = WORD(&s->template[at]) & keep;
	}
	return s->end;
}
