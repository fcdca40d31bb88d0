"""Read the cases: the bytes sent on a connection, step by step, and the counts they must produce.

docs/conformance.md describes the format. Texts are converted to bytes here: ``$`` is a path that is
unique to each run of a case, ``{name}`` another text, ``{3*name}`` three copies of it, ``{#name}``
and ``{%name}`` its length in decimal and in hexadecimal; ``{100*'x'}`` repeats a literal text.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from httptop.errors import UsageError
from httptop.model import SIDES, Side

DIRECTORY: Final = Path(__file__).with_name("cases")
_COMMON: Final = "texts.toml"

Do = Literal["send", "close", "half-close", "reset"]
ENDINGS: Final[dict[str, Do]] = {
    "close": "close",
    "half-close": "half-close",
    "reset": "reset",
}

_TEXT: Final = re.compile(r"\{([#%]?)(?:(\d+)\*)?([a-z][a-z0-9-]*|'[^']*')\}")
_ROW: Final = re.compile(
    r"(?:(?P<side>server|client): )?(?P<method>[A-Z]+) (?P<path>~bad request|\S+)"
    r" HTTP/(?P<version>\d\.\d+) -> (?P<outcomes>.+)"
)
_OUTCOME: Final = re.compile(r"(\d{3}|unanswered|in flight|truncated)(?: x(\d+))?")


@dataclass(frozen=True, slots=True)
class Manner:
    """How bytes are moved."""

    send: str = "send"  # a name in sockets.SEND
    take: str = "recv"  # a name in sockets.TAKE
    split: int = 0  # bytes of each write; 0: all
    take_size: int = 65536  # most bytes of each read
    iovecs: tuple[int, ...] = ()  # offsets at which a vectored write is divided
    peek: bool = False  # read with MSG_PEEK first
    read: str = "each"  # after "each" write, only "after" all of them, or "never"


@dataclass(frozen=True, slots=True)
class Step:
    """An action of one end."""

    who: Side
    do: Do
    pieces: tuple[str, ...] = ()  # one write each
    manner: Manner = Manner()


@dataclass(frozen=True, slots=True)
class Row:
    """The expected counts of an endpoint, on one side."""

    side: Side
    method: str
    path: str
    protocol: str
    status: Mapping[int, int]
    unanswered: int = 0
    in_flight: int = 0
    truncated: int = 0  # of the responses in ``status``


@dataclass(frozen=True, slots=True)
class Case:
    """The steps on a connection, and the expected counts."""

    name: str
    group: str
    steps: tuple[Step, ...]
    rows: tuple[Row, ...]
    sockets: tuple[str, ...] = ("tcp", "unix")
    loose: tuple[int, int] = (0, 0)  # bytes of requests and of responses that belong to no message
    client: str = ""  # whom a PROXY header names; empty: none does
    known: str = ""  # the reason why httptop fails this case; empty: it does not

    def played(self, step: Step, path: str) -> list[bytes]:
        """Return the writes of a step, with ``path`` for ``$``."""
        pieces = [to_bytes(piece, path) for piece in step.pieces]
        size = step.manner.split
        if not size:
            return pieces
        whole = b"".join(pieces)
        return [whole[at : at + size] for at in range(0, len(whole), size)]


def to_bytes(text: str, path: str) -> bytes:
    """Return the bytes of a text; characters up to U+00FF are a byte each, ``$$`` is a ``$``."""
    return "$".join(part.replace("$", path) for part in text.split("$$")).encode("latin-1")


def load_cases(directory: Path = DIRECTORY) -> list[Case]:
    """Return all cases, each variant as a separate case; raise :class:`UsageError`."""
    common = _read(directory / _COMMON).get("text", {})
    found: list[Case] = []
    for file in sorted(directory.glob("*.toml")):
        if file.name != _COMMON:
            table = _read(file)
            texts = {**common, **table.get("text", {})}
            for case in table.get("case", ()):
                try:
                    found.extend(_variants(case, file.stem, texts))
                except (KeyError, TypeError, ValueError) as error:
                    raise UsageError(f"{file.name}: {case.get('name')}: {error}") from None
    twice = [name for name, count in Counter(case.name for case in found).items() if count > 1]
    if twice:
        raise UsageError(f"cases of the same name: {', '.join(sorted(twice))}")
    return found


def _read(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        return tomllib.load(opened)


def _variants(table: dict[str, Any], group: str, texts: Mapping[str, str]) -> Iterator[Case]:
    """Yield a case for each combination of its variants: of manners, and of texts of its own."""
    vary: dict[str, list[Any]] = table.get("vary", {})
    for chosen in itertools.product(*(enumerate(values, 1) for values in vary.values())):
        values = {key: value for key, (_, value) in zip(vary, chosen, strict=True)}
        own = {key: value for key, value in values.items() if key not in _MANNERS}
        parts = [
            f"{key} {number if key in own else values[key]}"
            for key, (number, _) in zip(vary, chosen, strict=True)
        ]
        manners = {key: value for key, value in values.items() if key in _MANNERS}
        name = ", ".join([table["name"], *parts])
        yield _case({**table, **manners, "name": name}, group, {**texts, **own})


_MANNERS: Final = frozenset(field.name for field in fields(Manner))
_KEYS: Final = _MANNERS | {
    "name", "steps", "expect", "sockets", "loose_request", "loose_response", "client", "known",
    "vary",
}  # fmt: skip


def _case(table: dict[str, Any], group: str, texts: Mapping[str, str]) -> Case:
    if unknown := table.keys() - _KEYS:
        raise ValueError(f"unknown key {sorted(unknown)[0]}")
    manner = _manner(Manner(), table)
    return Case(
        name=table["name"],
        group=group,
        steps=tuple(_step(step, manner, texts) for step in table["steps"]),
        rows=tuple(row for line in table["expect"] for row in _rows(line)),
        sockets=tuple(table.get("sockets", ("tcp", "unix"))),
        loose=(_loose(table, "request", texts), _loose(table, "response", texts)),
        client=table.get("client", ""),
        known=table.get("known", ""),
    )


def _loose(table: dict[str, Any], which: str, texts: Mapping[str, str]) -> int:
    value = table.get(f"loose_{which}", 0)
    return int(_expanded(value, texts)) if isinstance(value, str) else int(value)


def _manner(base: Manner, table: dict[str, Any]) -> Manner:
    found = {key: value for key, value in table.items() if key in _MANNERS}
    if "iovecs" in found:
        found["iovecs"] = tuple(found["iovecs"])
    return replace(base, **found)


def _step(table: dict[str, Any], manner: Manner, texts: Mapping[str, str]) -> Step:
    for who in SIDES:
        if who in table:
            if unknown := table.keys() - _MANNERS - {who}:
                raise ValueError(f"unknown key {sorted(unknown)[0]} in a step")
            pieces = table[who] if isinstance(table[who], list) else [table[who]]
            texts_of = tuple(_expanded(piece, texts) for piece in pieces)
            return Step(who, "send", texts_of, _manner(manner, table))
    ((do, who),) = table.items()
    if do not in ENDINGS or who not in SIDES:
        raise ValueError(f"no such step: {table}")
    return Step(who, ENDINGS[do])


def _expanded(text: str, texts: Mapping[str, str]) -> str:
    def expand(found: re.Match[str]) -> str:
        measure, times, name = found.groups()
        one = name[1:-1] if name.startswith("'") else _expanded(texts[name], texts)
        whole = one * int(times or 1)
        if not measure:
            return whole
        size = len(to_bytes(whole, PATH))
        return f"{size:x}" if measure == "%" else str(size)

    return _TEXT.sub(expand, text)


def _rows(line: str) -> Iterator[Row]:
    found = _ROW.fullmatch(line)
    if found is None:
        raise ValueError(f"this is no row: {line}")
    status: dict[int, int] = {}
    others = {"unanswered": 0, "in flight": 0, "truncated": 0}
    for text in found["outcomes"].split(", "):
        outcome = _OUTCOME.fullmatch(text)
        if outcome is None:
            raise ValueError(f"this is no outcome: {text}")
        count = int(outcome[2] or 1)
        if outcome[1] in others:
            others[outcome[1]] += count
        else:
            status[int(outcome[1])] = count
    for side in SIDES:
        if found["side"] in (None, side):
            yield Row(
                side, found["method"], found["path"], f"HTTP/{found['version']}", status,
                others["unanswered"], others["in flight"], others["truncated"],
            )  # fmt: skip


def path_of(number: int) -> str:
    """Return the path of a run: of constant length, with nothing that looks like an id."""
    return "/selftest-" + "abcdefgh"[number]


PATH: Final = path_of(0)
