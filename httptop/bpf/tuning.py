"""Change the settings of running programs: sampling, and the user's rules for paths."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from httptop.bpf.abi import (
    CONTROL,
    MAX_RULES,
    RULE,
    RULE_SHAPE,
    RULE_WORD,
    STRATEGIES,
)
from httptop.collect.source import Controls
from httptop.http.path_template import SEGMENTS, TEMPLATE_LEN
from httptop.linux import bpf_syscall

_S: Final = 1_000_000_000
#: FNV-1a, 64 bits.
HASH_START: Final = 0xCBF29CE484222325
HASH_FACTOR: Final = 0x100000001B3


@dataclass(frozen=True, slots=True)
class RuleTables:
    """The user's rules for paths as the kernel looks them up (bpf/c/path_template.h).

    A set of rules is an integer with bit i set for rule i.
    """

    rules: tuple[tuple[bytes, bool], ...]  # template, whether the path is kept unchanged
    of_length: tuple[int, ...]  # by number of segments: the rules that have so many
    any: tuple[int, ...]  # by segment: the rules that accept any word there
    words: dict[tuple[int, int], int]  # (hash, segment) -> rules that require this word there


def tables_of(templates: Sequence[str], keep: Sequence[str]) -> RuleTables:
    """Return the tables of at most 64 rules; the first rule that matches a path applies."""
    patterns = [(text, False) for text in templates] + [(text, True) for text in keep]
    of_length, any_word = [0] * (SEGMENTS + 1), [0] * (SEGMENTS + 1)
    words: dict[tuple[int, int], int] = {}
    rules = []
    for number, (pattern, kept) in enumerate(patterns[:MAX_RULES]):
        segments = pattern.split("/")
        shown = ["{id}" if segment == "*" else segment for segment in segments]
        rules.append(("/".join(shown).encode()[:TEMPLATE_LEN], kept))
        if len(segments) > SEGMENTS:
            continue
        of_length[len(segments)] |= 1 << number
        for at, segment in enumerate(segments):
            if segment == "*" or segment.startswith("{"):
                any_word[at] |= 1 << number
            else:
                key = (_hash(segment.encode()), at)
                words[key] = words.get(key, 0) | 1 << number
    return RuleTables(tuple(rules), tuple(of_length), tuple(any_word), words)


def _hash(word: bytes) -> int:
    value = HASH_START
    for byte in word:
        value = (value ^ byte) * HASH_FACTOR % 2**64
    return value


class ControlWriter:
    """Writes :class:`Controls` into the maps."""

    def __init__(self, maps: dict[str, int]) -> None:
        self._maps = maps
        self._rules: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._words: set[tuple[int, int]] = set()
        self._generation = 0

    def write(self, controls: Controls) -> None:
        """Apply these controls; invalidate endpoints cached under the old rules."""
        rules = (controls.templates, controls.keep)
        if rules != self._rules:
            self._put(controls, 0)  # no rule applies while the tables change
            self._write_rules(tables_of(*rules))
            self._rules = rules
            self._generation += 1  # endpoints cached under the old rules are not used any more
        self._put(controls, min(MAX_RULES, len(controls.templates) + len(controls.keep)))

    def _put(self, controls: Controls, rules: int) -> None:
        per_second = controls.per_second
        interval_ns = _S // per_second if per_second else 0
        value = CONTROL.pack(
            0,
            0,
            interval_ns,
            interval_ns * controls.burst,
            controls.slow_ns,
            round(controls.share * 2**32),
            STRATEGIES.index(controls.strategy),
            controls.parties,
            self._generation,
            rules,
        )
        bpf_syscall.map_update(self._maps["controls"], bytes(4), value)

    def _write_rules(self, tables: RuleTables) -> None:
        for number, (text, kept) in enumerate(tables.rules):
            value = RULE.pack(kept, 0, text)
            bpf_syscall.map_update(self._maps["rules"], struct.pack("<I", number), value)
        for at, shape in enumerate(zip(tables.of_length, tables.any, strict=True)):
            value = RULE_SHAPE.pack(*shape)
            bpf_syscall.map_update(self._maps["rule_shapes"], struct.pack("<I", at), value)
        for gone in self._words - tables.words.keys():
            bpf_syscall.map_delete(self._maps["rule_words"], RULE_WORD.pack(*gone))
        for word, bits in tables.words.items():
            value = struct.pack("<Q", bits)
            bpf_syscall.map_update(self._maps["rule_words"], RULE_WORD.pack(*word), value)
        self._words = set(tables.words)
