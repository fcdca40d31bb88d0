"""Vectors that hold the kernel's code and Python's to the same rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HERE = Path(__file__).parent
_REPEATED = re.compile(rb"\{(\d+)\*((?:[^{}]|\{id\})*)\}")
_BYTE = re.compile(rb"\\x([0-9a-f]{2})|\\([rnt\\])")
_SHORT = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}


def expand(text: bytes) -> bytes:
    """Return the bytes that a vector's text stands for."""
    text = _REPEATED.sub(lambda found: found[2] * int(found[1]), text)
    return _BYTE.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else _SHORT[found[2]], text
    )


def _rows(name: str) -> Iterator[tuple[int, list[bytes]]]:
    for number, line in enumerate((_HERE / name).read_bytes().split(b"\n"), 1):
        if line and not line.startswith(b"# ") and line != b"#":
            yield number, line.split(b"\t")


class PathVector(NamedTuple):
    """A target and its template."""

    line: int
    target: bytes
    template: bytes
    truncated: bool
    connect: bool


def paths() -> list[PathVector]:
    """Return the vectors of paths.txt and ids.txt."""
    return [
        PathVector(
            number, expand(row[0]), expand(row[1]), row[2] == b"yes", row[3:] == [b"connect"]
        )
        for name in ("paths.txt", "ids.txt")
        for number, row in _rows(name)
    ]


def names() -> list[bytes]:
    """Return the segments of names.txt, none of which is an id."""
    return [row[0] for _, row in _rows("names.txt")]


class HeadVector(NamedTuple):
    """The first bytes of a request, and what they are."""

    line: int
    data: bytes
    expected: tuple[object, ...]


def heads() -> list[HeadVector]:
    """Return the vectors of heads.txt; ``expected`` equals a tests.live.reference.Head."""
    found = []
    for number, (text, *rest) in _rows("heads.txt"):
        data = expand(text)
        if len(rest) == 1:
            expected: tuple[object, ...] = (rest[0].decode(), "", 0, b"", False, 0, 0, False)
        else:
            method, minor, path, length, body = (field.decode("latin-1") for field in rest)
            whole = {"whole": len(data), "open": 0}
            expected = (
                "request",
                method,
                int(minor),
                expand(path.removesuffix("~").encode("latin-1")),
                path.endswith("~"),
                whole[length] if length in whole else int(length),
                {"chunked": 0, "bad": None}[body] if body in ("chunked", "bad") else int(body),
                body == "chunked",
            )
        found.append(HeadVector(number, data, expected))
    return found
