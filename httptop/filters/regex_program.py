"""Compile regular expressions, as Python writes them, into programs for regex.py.

A program is a list of instructions. One matches a character; the others match nothing: they go on
in two places, go on elsewhere, or hold only at some places of the text. Places are given relative
to the instruction, so that a part can be repeated by copying it.

What needs to know *how* a part was matched (references, lookarounds, atomic groups) cannot be done
so, and is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

#: The most instructions of an expression: what a character may cost.
MOST_INSTRUCTIONS: Final = 256
_DEEPEST: Final = 32
_REPEAT: Final = re.compile(r"[*+?]|\{(?:[0-9]+(?:,[0-9]*)?|,[0-9]*)\}")
_BOUNDS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
#: A set, or one character, as it is written.
_SET: Final = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*+\]", re.S)
_CHARACTER: Final = re.compile(
    r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|N\{[^}]*\}|0[0-7]{0,2}|.)|.", re.S
)
_GROUP: Final = re.compile(r"\((?:\?(?:P<\w+>|([imsu]*)(?:-([ims]+))?([:)])))?")
_FLAGS: Final = {"i": re.I, "m": re.M, "s": re.S, "u": re.U}
#: What cannot be matched without trying one way after the other, by how it begins.
_REFUSED: Final = (
    ("(?=", "looks ahead"),
    ("(?!", "looks ahead"),
    ("(?<", "looks behind"),
    ("(?>", "has an atomic group"),
    ("(?(", "has a condition"),
    ("(?P=", "refers to a group"),
)


@dataclass(frozen=True, slots=True)
class Char:
    """Matches a character of a kind (of ``Program.kinds``)."""

    kind: int


@dataclass(frozen=True, slots=True)
class Split:
    """Goes on with the next instruction, and in another place as well."""

    to: int


@dataclass(frozen=True, slots=True)
class Jump:
    """Goes on in another place."""

    to: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """Holds at an end of the text, or where words do or do not begin or end."""

    start: bool = False
    boundary: bool | None = None


Code = list[Char | Split | Jump | Assertion]

_ASSERTIONS: Final = {
    "^": Assertion(start=True),
    "\\A": Assertion(start=True),
    "$": Assertion(),
    "\\Z": Assertion(),
    "\\b": Assertion(boundary=True),
    "\\B": Assertion(boundary=False),
}


@dataclass(frozen=True, slots=True)
class Program:
    """Instructions, and the kinds of characters that they match."""

    code: Code
    kinds: tuple[re.Pattern[str], ...]


def program_of(text: str) -> Program:
    """Return the program of an expression; raise :class:`ValueError`."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    parser = _Parser(text)
    code = parser.alternatives(0, 0)
    return Program(code, tuple(parser.kinds))


class _Parser:
    """Recursive descent over an expression that is valid."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.kinds: dict[re.Pattern[str], int] = {}

    def alternatives(self, flags: int, depth: int) -> Code:
        """Read up to the end of a group."""
        if depth > _DEEPEST:
            raise ValueError(f"a regular expression has at most {_DEEPEST} groups in each other")
        branches: list[Code] = [[]]
        while self.at < len(self.text) and self.text[self.at] != ")":
            if self.text[self.at] == "|":
                self.at += 1
                branches.append([])
                continue
            group = self.text.startswith("(", self.at)
            if group:
                start = self.at
                mark = _GROUP.match(self.text, start)
                assert mark is not None
                self.at = mark.end()
                if self.text.startswith("(?", start) and mark.end() == start + 1:
                    self.refuse(start)
                switched = _switched(flags, mark[1] or "", mark[2] or "")
                if mark[3] == ")":  # flags for all of it
                    flags = switched
                    continue
                part = self.alternatives(switched, depth + 1)
                self.at += 1
            else:
                part = self.one(flags)
            branches[-1] += self.repeated(part)
            _check(sum(map(len, branches)))
        code = branches.pop()
        for branch in reversed(branches):
            code = [Split(len(branch) + 2), *branch, Jump(len(code) + 1), *code]
            _check(len(code))
        return code

    def refuse(self, at: int) -> NoReturn:
        for beginning, what in _REFUSED:
            if self.text.startswith(beginning, at):
                raise ValueError(_cannot(what))
        raise ValueError("comments and flags other than i, m, s and u are not known here")

    def one(self, flags: int) -> Code:
        """Read a character, a set of them, or an assertion."""
        pattern = _SET if self.text[self.at] == "[" else _CHARACTER
        found = pattern.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        assertion = _ASSERTIONS.get(found[0])
        if assertion is not None:
            return [assertion]
        if re.match(r"\\[1-9]", found[0]):
            raise ValueError(_cannot("refers to a group"))
        kind = re.compile(found[0], flags)
        return [Char(self.kinds.setdefault(kind, len(self.kinds)))]

    def repeated(self, part: Code) -> Code:
        """Read how often a part is repeated, and repeat it."""
        found = _REPEAT.match(self.text, self.at)
        if found is None:
            return part
        self.at = found.end()
        if self.text.startswith("+", self.at):
            raise ValueError(_cannot("has a possessive quantifier"))
        if self.text.startswith("?", self.at):  # as few as possible: the same texts match
            self.at += 1
        if found[0] in _BOUNDS:
            least, most = _BOUNDS[found[0]]
        else:
            low, comma, high = found[0][1:-1].partition(",")
            least = int(low or "0")
            most = (int(high) if high else None) if comma else least
        _check(least * max(len(part), 1) + ((most or least) - least) * (len(part) + 1))
        code = part * least
        if most is None:
            return [*code, Split(len(part) + 2), *part, Jump(-len(part) - 1)]
        return code + [Split(len(part) + 1), *part] * (most - least)


def _switched(flags: int, on: str, off: str) -> int:
    for name in on:
        flags |= _FLAGS[name]
    for name in off:
        flags &= ~_FLAGS[name]
    return flags


def _check(size: int) -> None:
    if size > MOST_INSTRUCTIONS:
        raise ValueError(
            f"this regular expression is too large: its parts, repeated as often as it says, are "
            f"more than {MOST_INSTRUCTIONS}"
        )


def _cannot(what: str) -> str:
    return f"refused: it {what}, which has no bound in time"
