"""Globs as the kernel matches them: a set of states in one word, moved on by each byte.

All patterns of a matcher run side by side. Bit i of ``step[byte]`` says that the state i goes on to
i + 1 with that byte, bit i of ``stay`` that it may also remain (a ``*`` stands there).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: Of a matcher: a glob takes one more than it has characters.
STATES: Final = 64
_ANY: Final = frozenset(range(256))


@dataclass(frozen=True, slots=True)
class Matcher:
    """Patterns of which any may match; at most 64 states."""

    start: int
    stay: int
    accept: int
    step: tuple[int, ...]  # by byte

    def matches(self, text: bytes) -> bool:
        """Return what the kernel would: whether all of ``text`` matches."""
        states = self.start
        for byte in text:
            states = (states & self.step[byte]) << 1 | states & self.stay
        return bool(states & self.accept)


def matchers_of(patterns: Iterable[str], *, fold_case: bool = False) -> list[Matcher]:
    """Return matchers of which one matches where one of the globs does.

    ``fold_case``: texts come in lower case. Raises :class:`ValueError` where a glob is too long.
    """
    found: list[Matcher] = []
    group: list[tuple[list[frozenset[int]], set[int]]] = []
    used = 0
    for pattern in patterns:
        sets, stars = _elements(pattern.lower() if fold_case else pattern)
        if len(sets) + 1 > STATES:
            raise ValueError(f"a glob has at most {STATES - 1} characters here")
        if used + len(sets) + 1 > STATES:
            found.append(_joined(group))
            group, used = [], 0
        group.append((sets, stars))
        used += len(sets) + 1
    if group:
        found.append(_joined(group))
    return found


def _joined(group: list[tuple[list[frozenset[int]], set[int]]]) -> Matcher:
    start = stay = accept = first = 0
    step = [0] * 256
    for sets, stars in group:
        start |= 1 << first
        for at, allowed in enumerate(sets):
            for byte in allowed:
                step[byte] |= 1 << first + at
        for star in stars:
            stay |= 1 << first + star
        accept |= 1 << first + len(sets)
        first += len(sets) + 1
    return Matcher(start, stay, accept, tuple(step))


def _elements(pattern: str) -> tuple[list[frozenset[int]], set[int]]:
    """Return the bytes that each element takes, and the states at which a star stands."""
    sets: list[frozenset[int]] = []
    stars: set[int] = set()
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            stars.add(len(sets))
        elif character == "?":
            sets.append(_ANY)
        elif (
            character == "[" and (end := pattern.find("]", at + 1 + (pattern[at:][:1] == "!"))) > 0
        ):
            sets.append(_class(pattern[at:end]))
            at = end + 1
        else:
            sets += (frozenset((byte,)) for byte in character.encode("utf-8", "surrogateescape"))
    return sets, stars


def _class(text: str) -> frozenset[int]:
    """Return the bytes of ``abc``, ``a-z``, ``!abc``."""
    negated = text.startswith("!")
    members = text[negated:].encode("utf-8", "surrogateescape")
    found: set[int] = set()
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == b"-" and at + 2 < len(members):
            found.update(range(members[at], members[at + 2] + 1))
            at += 3
        else:
            found.add(members[at])
            at += 1
    return _ANY - found if negated else frozenset(found)
