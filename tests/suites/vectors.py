"""The requests and responses in the parsers' test suites, as bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tests.suites import literals

Kind = Literal["request", "response"]

_LONGEST: Final = 20_000

#: A first line as somebody's request may have it; what has none tests no parser of HTTP.
_REQUEST: Final = re.compile(rb"[\r\n]*[^\s\x80-\xff]{1,40}[ \t]+[^\r\n]*(?:HTTP|http)/[0-9]")
_OLD_REQUEST: Final = re.compile(rb"[\r\n]*(?:GET|HEAD|POST) +/\S*\r?\n")
_RESPONSE: Final = re.compile(rb"[\r\n]*(?:HTTP|http)/[0-9]")
_HEAD_OVER: Final = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True)
class Vector:
    """One request or response of a suite."""

    suite: str
    name: str  # the file, and a number
    kind: Kind
    data: bytes


Reader = Callable[[bytes], Iterator[bytes]]


def of_python(data: bytes) -> Iterator[bytes]:
    """Read a Python file."""
    return _heads(literals.of_python(data.decode(errors="surrogateescape")))


def of_source(data: bytes) -> Iterator[bytes]:
    """Read a file in C, Go, Java, Ruby or Rust."""
    return _heads(literals.of_source(data.decode(errors="surrogateescape")))


def _heads(found: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out fragments: what has no end of a header section is glued to more when it is run."""
    for data in found:
        if _HEAD_OVER.search(data) or _OLD_REQUEST.fullmatch(data):
            yield data


def of_markdown(data: bytes) -> Iterator[bytes]:
    """Read llhttp's notation: fenced blocks, line ends are CR LF, backslashes escape."""
    for block in re.findall(rb"```http\n(.*?)\n```", data, re.S):
        text = re.sub(rb"\\\n", b"", block).replace(b"\n", b"\r\n")
        for escape, value in ((b"\\r", b"\r"), (b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\f", b"\f")):
            text = text.replace(escape, value)
        yield re.sub(rb"\\x([0-9a-fA-F]{2})", lambda two: bytes([int(two[1], 16)]), text)


def of_treq(data: bytes) -> Iterator[bytes]:
    """Read gunicorn's notation: line ends of the file mean nothing, ``\\r\\n`` is written out."""
    text = data.replace(b"\n", b"").replace(b"\\r\\n", b"\r\n")
    text = text.replace(b"\\0", b"\0").replace(b"\\n", b"\n").replace(b"\\t", b"\t")
    yield re.sub(rb"\\x([0-9a-fA-F]{2})", lambda two: bytes([int(two[1], 16)]), text)


def of_heredocs(data: bytes) -> Iterator[bytes]:
    """Read lighttpd's notation: here-documents of Perl, an empty line follows each."""
    for block in re.findall(rb"<<EOF\n(.*?)^EOF$", data, re.S | re.M):
        yield block.replace(b"\n", b"\r\n") + b"\r\n"


def kind_of(data: bytes) -> Kind | None:
    """Return what bytes are meant for; None: for neither side."""
    if _RESPONSE.match(data):
        return "response"
    if _REQUEST.match(data) or _OLD_REQUEST.match(data):
        return "request"
    return None


def of_file(suite: str, name: str, data: bytes, reader: Reader, kind: Kind | None) -> list[Vector]:
    """Return the vectors of a file; ``kind`` where the suite says it, by the bytes otherwise."""
    found: dict[bytes, Kind] = {}
    for one in reader(data):
        meant = kind or kind_of(one)
        if meant and one and len(one) <= _LONGEST:
            found.setdefault(one, meant)
    return [
        Vector(suite, f"{name}#{number}", meant, one)
        for number, (one, meant) in enumerate(found.items())
    ]
