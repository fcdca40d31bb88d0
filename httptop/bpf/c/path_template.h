/* SPDX-License-Identifier: MIT */
/*
 * From a request target to its path template, one byte at a time. httptop/http/path_template.py has
 * the same rule in words and in Python; tests/vectors/paths.txt tests both.
 *
 * template_of() reads the target at data[at..limit) and s->method, and writes key.path and
 * key.marks; the members of struct scratch listed under its name are private to it. Called by
 * make_endpoint_key().
 *
 * The verifier follows every iteration of a loop with every combination of its branches. So state
 * is kept in the scratch map, whose contents it does not track, and decisions are arithmetic on 0
 * and 1: an iteration has few branches, and they merge again at its end.
 */
#pragma once

#include "abi.h"
#include "branchless.h"
#include "ids.h"
#include "maps.h"
#include "scratch.h"
#include "steps.h"

#define TARGET_LEN 256 /* bytes of a target that are read; a longer one is marked truncated */
#define BYTES_TOGETHER 16
#define LETTERS_TOGETHER 8
#ifdef LOOPS
#define PATH_TURNS (TARGET_LEN + 1)
#else
#define PATH_TURNS 24 /* the verifier looks at each: a path with more joints is truncated */
#endif

#define HASH_START 0xcbf29ce484222325ULL /* FNV-1a */
#define HASH_FACTOR 0x100000001b3ULL

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

/* Return the value of a hexadecimal digit; 16 or more: it is none. */
static __always_inline u64 nibble(u64 byte)
{
	u64 digit = (byte & 0xff) - '0', letter = ((byte & 0xff) | 0x20) - 'a', value;

	OPAQUE(digit);
	OPAQUE(letter);
	value = SELECT(digit >> 63 | AT_LEAST(digit, 10), 16, digit);
	OPAQUE(value);
	return SELECT(letter >> 63 | AT_LEAST(letter, 6), value, letter + 10);
}

/* Copy the character at s->end if it is one of a word, as it stands; otherwise leave it to copy_joint(). */
static __always_inline bool copy_letter(struct scratch *s)
{
	u64 from = s->end;
	struct byte_class *class;
	u32 sign;

	if (from >= s->limit)
		return false;
	sign = BYTE(s, from);
	class = classes.lookup(&sign);
	if (!class || !(class->bits & C_WORD))
		return false;
	s->hash = (s->hash ^ sign) * HASH_FACTOR;
	s->sum += class->add;
	s->score += (s64)(class->weights << s->last) >> 56;
	s->last = class->last;
	OUT(s, s->out) = sign;
	s->out++;
	s->end = from + 1;
	return true;
}

/*
 * Find what stands at data[from..), and whether it is escaped: set the members of struct scratch that are
 * said to be of the joint.
 */
static __always_inline void read_joint(struct scratch *s, u64 from)
{
	u64 word = WORD_AT(s, from), high = nibble(word >> 8), low = nibble(word >> 16), escaped;
	struct byte_class *class;
	u32 sign = word & 0xff;

	escaped = EQUAL(sign, '%') & AT_LEAST(15, high) & AT_LEAST(15, low);
	OPAQUE(escaped);
	escaped &= AT_LEAST(s->limit, from + 3);
	OPAQUE(escaped);
	sign = SELECT(escaped, 256 | high << 4 | low, sign);
	s->joint_width = 1 + 2 * escaped;
	s->joint_sign = sign & 0xff;
	class = classes.lookup(&sign);
	if (!class)
		return;
	s->joint = class->bits;
	s->joint_add = class->add;
	s->stop = NOT_ZERO(class->bits & C_END);
	word = WORD_AT(s, from);
	low = (s->hash ^ (word & 0xff)) * HASH_FACTOR;
	high = (low ^ (word >> 8 & 0xff)) * HASH_FACTOR;
	high = (high ^ (word >> 16 & 0xff)) * HASH_FACTOR;
	s->joint_hash = s->joint_width == 3 ? high : low;
	word >>= 8 * s->joint_width;
	s->joint_next = (word & 0xffff) * AT_LEAST(s->limit, from + s->joint_width + 2);
}

/* A segment ends: note what the user's rules know it by. */
static __always_inline void count_segment(struct scratch *s)
{
	s->hashes[s->segment_count < SEGMENTS ? s->segment_count : SEGMENTS] = s->hash;
	s->hash = HASH_START;
	if (++s->segment_count == SEGMENTS) {
		s->most_out = s->out;
		s->most_end = s->end;
	}
}

/* Copy the joint at s->end; return whether it ends the path. */
static __always_inline bool copy_joint(struct scratch *s)
{
	u64 from = s->end;

	s->joint = C_END;
	if (from < s->limit)
		read_joint(s, from);
	if (s->joint & C_WORD) {
		s->sum += s->joint_add; /* an escaped letter */
		s->last = 0;
	} else {
		joint_comes(s);
	}
	if (s->joint & (C_END | C_SLASH)) {
		count_segment(s);
		if (s->joint & C_END)
			return true;
	} else {
		s->hash = s->joint_hash;
	}
	OUT_WORD(s, s->out) = WORD_AT(s, from);
	s->out += s->joint_width;
	s->end = from + s->joint_width;
	if (!(s->joint & C_WORD))
		joint_was_copied(s);
	return false;
}

/* Go on with copy_path(); return whether it is over. */
static __always_inline bool copy_turn(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < LETTERS_TOGETHER; i++) {
		OPAQUE(s); /* no address within it is kept on the stack */
		if (!copy_letter(s)) {
			OPAQUE(s);
			return copy_joint(s);
		}
	}
	return false;
}

#ifdef LOOPS
int take_copy_turn(void *unused)
{
	struct scratch *s = scratch_here();

	return !s || copy_turn(s);
}
#endif

/* Copy the path at data[end..limit) to template[], with {id} in the place of ids. */
static __always_inline void copy_path(struct scratch *s, u64 mode)
{
	segment_begins(s, mode);
	word_begins(s, 0);
	TAKE_TURNS(PATH_TURNS, copy_turn, COPY_TURN);
}

/* Copy the path to template[] as it is. */
static __always_inline void copy_verbatim(struct scratch *s)
{
#pragma clang loop unroll(disable)
	for (u32 at = 0; at < TEMPLATE_LEN; at += 8)
		WORD(&s->template[at]) = WORD_AT(s, s->target + at);
	s->out = s->end - s->target;
	s->most_out = s->most_end - s->target;
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
		word.hash = s->hashes[at & (SEGMENTS - 1)];
		at = i;
		shape = rule_shapes.lookup(&at);
		same = rule_words.lookup(&word);
		s->alive &= (shape ? shape->any : 0) | (same ? *same : 0);
	}
	return s->alive ? lowest_bit(s->alive) + 1 : 0;
}

/*
 * Write the template of the user's rule that the path matches to key.path. False: no rule matches,
 * or the rule keeps the path as it is (template[] holds it then).
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
	if (rule->keep) {
		copy_verbatim(s);
		return false;
	}
	copy_words((u8 *)s->key.path, (u8 *)rule->text, TEMPLATE_LEN / 8);
	s->key.marks = 0;
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
	s->segment_count = 0;
	s->hash = HASH_START;
	s->out = 0;
	raw = EQUAL(s->method, METHOD_CONNECT) | EQUAL(BYTE(s, at), '*');
	OPAQUE(raw);
	if (!raw && BYTE(s, at) != '/')
		skip_authority(s);
	if (s->target < s->limit) {
		s->end = s->target;
		if (s->limit > s->target + TARGET_LEN)
			s->limit = s->target + TARGET_LEN;
		/* The authority and asterisk forms are not paths. */
		copy_path(s, raw * MODE_RAW);
	}
	if (!raw && has_rules() && apply_rule(s))
		return s->end;
	out = s->segment_count > SEGMENTS ? s->most_out : s->out;
	if (!out) {
		s->template[0] = '/'; /* an absolute form without a path */
		out = 1;
	}
	s->key.marks = out > TEMPLATE_LEN || !s->stop || s->segment_count > SEGMENTS;

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
