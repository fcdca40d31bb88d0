"""Complete a filter that is being typed: fields, operators, values, words.

The text before the cursor is parsed tolerantly: there are no errors, only what is expected next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from httptop.filters.on_screen import SCREEN_FIELDS
from httptop.filters.values import FIELDS, Value
from httptop.model import STATUS_UNKNOWN, Side, Snapshot

#: The observed values of each field, the likeliest first.
Seen = Mapping[str, Sequence[str]]

_MOST: Final = 64
_OPERATOR: Final = re.compile(r"[=!<>~]{1,2}")
_WORD: Final = re.compile(r"[^\s(),\"'=!<>~]+")
_VALUE: Final = re.compile(r"[^\s(),]+")
_QUOTED: Final = re.compile(r"""(["'])((?:\\.|(?!\1).)*)(\1?)""")
_MEANINGS: Final = {
    "=": "is",
    "!=": "is not",
    "~": "matches a glob or /regex/",
    "!~": "does not match",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
}
_JOINERS: Final = {"and": "both must hold", "or": "one must hold"}
_OPENERS: Final = {"not": "the opposite of what follows", "(": "what belongs together"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that can be inserted, and a note that explains it."""

    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """Candidates that replace the characters from ``start`` to ``end`` of the text."""

    start: int
    end: int
    candidates: tuple[Candidate, ...] = ()
    #: Whether a single word precedes the cursor: it may still become the name of a field.
    unsettled: bool = False

    def applied(self, text: str, chosen: int) -> tuple[str, int]:
        """Return the text with a candidate inserted, and the cursor's new position."""
        new = self.candidates[chosen].text
        rest = text[self.end :]
        if new.endswith(" ") and rest.startswith(" "):
            rest = rest[1:]
        return text[: self.start] + new + rest, self.start + len(new)


@dataclass(frozen=True, slots=True)
class _Place:
    """What is expected at the cursor, and how much of it has been typed."""

    expects: Literal["operand", "operator", "value", "joiner", "nothing"]
    start: int
    typed: str = ""
    field: str = ""
    operator: str = ""
    taken: frozenset[str] = frozenset()  # values of the list so far
    alone: bool = False  # whether a word without an operator precedes it


def complete(text: str, cursor: int, seen: Seen) -> Completion:
    """Return the candidates at the cursor, the best first."""
    place = _place(text[:cursor])
    rest = (_VALUE if place.expects == "value" else _WORD).match(text, cursor)
    end = rest.end() if rest is not None and place.typed else cursor
    found = _matching(place.typed, _offered(place, seen))
    return Completion(place.start, end, tuple(found[:_MOST]), place.alone)


def _offered(place: _Place, seen: Seen) -> Iterable[Candidate]:
    match place.expects:
        case "operand":
            for name in FIELDS:
                if name in SCREEN_FIELDS and (name != "host" or name in seen):
                    yield Candidate(f"{name} ", FIELDS[name].values)
            for word, note in _OPENERS.items():
                yield Candidate(f"{word} " if word.isalpha() else word, note)
        case "operator":
            for operator in FIELDS[place.field].operators:
                yield Candidate(f"{operator} ", _MEANINGS[operator])
        case "value":
            choices = FIELDS[place.field].choices or seen.get(place.field, ())
            for value in choices:
                if value not in place.taken:
                    yield Candidate(_written(value, place.operator))
        case "joiner":
            for word, note in _JOINERS.items():
                yield Candidate(f"{word} ", note)


def _written(value: str, operator: str) -> str:
    """Return a value escaped for the operator, so that it matches only itself."""
    if operator in ("~", "!~"):
        value = re.sub(r"([*?\[])", r"[\1]", value)
    return str(Value(value, "literal"))


def _matching(typed: str, offered: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates that begin with what was typed, then those that contain it."""
    sought = typed.casefold()
    begin: list[Candidate] = []
    contain: list[Candidate] = []
    for candidate in offered:
        bare = candidate.text.strip().strip('"').casefold()
        if sought and bare == sought and not candidate.text.endswith(" "):
            continue
        if bare.startswith(sought):
            begin.append(candidate)
        elif sought in bare:
            contain.append(candidate)
    return begin + contain


def _place(text: str) -> _Place:
    """Return what is expected after a text that ends at the cursor."""
    expects: Literal["operand", "joiner"] = "operand"
    at = 0
    alone = False
    while (at := _skipped(text, at)) < len(text):
        word = _WORD.match(text, at)
        if expects == "joiner":
            if word is not None and word.end() == len(text):
                return _Place("joiner", at, word[0], alone=alone)
            if text[at] == ")":
                at += 1
                continue
            expects = "operand"
            if word is not None and word[0].lower() in _JOINERS:
                at = word.end()
        elif text[at] in "()":
            expects = "joiner" if text[at] == ")" else "operand"
            at += 1
        elif (quoted := _QUOTED.match(text, at)) is not None:
            if not quoted[3]:
                return _Place("nothing", at)
            at, expects = quoted.end(), "joiner"
        elif word is None:
            return _Place("nothing", at)
        elif word.end() == len(text):
            return _Place("operand", at, word[0], alone=True)
        else:
            at = _skipped(text, word.end())
            name = word[0].lower()
            operator = _OPERATOR.match(text, at)
            if name in FIELDS and operator is not None:
                read = _values(text, name, operator)
                if isinstance(read, _Place):
                    return read
                at = read
            elif name in FIELDS and at == len(text):
                return _Place("operator", at, "", name, alone=True)
            elif operator is not None:
                return _Place("nothing", at)
            alone = operator is None
            expects = "operand" if name == "not" and operator is None else "joiner"
    if expects == "joiner" and not text[-1].isspace():
        return _Place("nothing", at, alone=alone)
    return _Place(expects, at, alone=alone and expects == "joiner")


def _values(text: str, name: str, operator: re.Match[str]) -> _Place | int:
    """Read a list of values; return its end, or the place if the cursor is in the list."""
    if operator[0] == "!":
        return _Place("operator", operator.start(), "!", name)
    taken: set[str] = set()
    at = _skipped(text, operator.end())
    while True:
        start, typed = at, ""
        if (quoted := _QUOTED.match(text, at)) is not None:
            typed, at = quoted[2], quoted.end()
            done = bool(quoted[3])
        else:
            value = _VALUE.match(text, at)
            if value is not None:
                typed, at = value[0], value.end()
            done = value is not None and at < len(text)
        if not done:
            return _Place("value", start, typed, name, operator[0], frozenset(taken))
        taken.add(typed)
        at = _skipped(text, at)
        if text[at : at + 1] != ",":
            return at
        at = _skipped(text, at + 1)


def _skipped(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def seen_in(snapshot: Snapshot | None, side: Side) -> Seen:
    """Return the values in a snapshot, those of the shown side and of busy rows first."""
    if snapshot is None:
        return {}
    rows = sorted(snapshot.endpoints, key=lambda row: (row.key.side != side, -row.requests))
    codes = sorted({code for row in rows for code in row.status} - {STATUS_UNKNOWN})
    classes = dict.fromkeys(f"{code // 100}xx" for code in codes)
    statuses = [*classes, *map(str, codes)]
    if any(row.unanswered or row.status.get(STATUS_UNKNOWN) for row in rows):
        statuses.append("unknown")
    peers = [
        sample.peer.rpartition(":")[0] for sample in snapshot.recent if sample.peer is not None
    ]
    hosts = _once(row.key.host for row in rows if row.key.host)
    return ({"host": hosts} if hosts else {}) | {
        "comm": _once(row.key.process for row in rows),
        "method": _once(row.key.method for row in rows),
        "path": _once(row.key.path for row in rows),
        "proto": _once(row.key.protocol for row in rows),
        "tls": ("yes", "no"),
        "status": statuses,
        "pid": _once(str(pid) for row in rows for pid in row.pids),
        "peer": _once(host.strip("[]") for host in peers),
        "port": _once(str(row.key.port) for row in rows if row.key.port),
        "user": _once(row.key.user for row in rows if row.key.user),
        "container": _once(name for row in rows for name in row.containers),
    }


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
