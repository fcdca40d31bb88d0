"""The grammar of HTTP/1 messages as servers and clients take it: lines in, what they say out.

RFC 9112, and every form at its edges that at least two of nginx, Apache, Node, Go and Python's
servers take: blanks and tabs in a request line, lengths with leading zeros, folded lines, bare LF,
blanks behind a chunk's size. What all of them refuse is refused here. Values are bytes of one line
without its end, fields are (name in lower case, value) pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

Fields = list[tuple[bytes, bytes]]

LONGEST_METHOD: Final = 31
_REQUEST_LINE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,31})[ \t]+([^\x00-\x20\x7f]+)[ \t]+"
    rb"HTTP/([0-9])\.([0-9]{1,2})[ \t]*"
)
#: HTTP/0.9 has no version and no header section; what some servers take has one.
_OLD_REQUEST_LINE: Final = re.compile(rb"(GET)[ \t]+(/[^\x00-\x20\x7f]*)[ \t]*")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([0-9]) {1,3}([1-9][0-9][0-9])(?: .*)?", re.S)
_LENGTH: Final = re.compile(rb"[0-9]+")
_MOST: Final = 1 << 63
#: Digits of a size, and what may stand behind them.
_CHUNK_SIZE: Final = re.compile(rb"0*([0-9A-Fa-f]{0,15})(?=[ \t;\r\n]|\Z)")
_ANY_DIGIT: Final = re.compile(rb"[0-9A-Fa-f]")
#: What uWSGI's protocol, FastCGI and SCGI begin with: no HTTP, but answered in its words.
_GATEWAYS: Final = re.compile(
    rb"...\0[\x01-\x40]\0[A-Z][A-Z_]|\x01\x01..\0\x08.\0|[1-9][0-9]{0,6}:CONTENT_", re.S
)
#: HTTP/2's connection preface begins like a request.
_PREFACE: Final = (b"PRI", b"*", b"2.0")


def begins_gateway(data: bytes) -> bool:
    """Return whether bytes begin a protocol between a web server and an application."""
    return _GATEWAYS.match(data) is not None


def is_text(data: bytes) -> bool:
    """Return whether bytes begin as text does."""
    return data[:1] in (b"\t", b"\n", b"\v", b"\f", b"\r") or b" " <= data[:1] <= b"~"


def request_line(line: bytes) -> tuple[str, bytes, str] | None:
    """Return (method, target, version) of a request line; None: it is none."""
    if found := _REQUEST_LINE.fullmatch(line):
        method, target, major, minor = found.groups()
        version = b"%d.%d" % (int(major), int(minor))
        if (method, target, version) == _PREFACE:
            return None
        return method.decode(), target, version.decode()
    if found := _OLD_REQUEST_LINE.fullmatch(line):
        return found[1].decode(), found[2], "0.9"
    return None


def status_line(line: bytes) -> tuple[int, int] | None:
    """Return (status, minor version) of a status line; None: it is none."""
    found = _STATUS_LINE.fullmatch(line)
    return (int(found[2]), int(found[1])) if found else None


def add_field(fields: Fields, line: bytes) -> None:
    """Add a line of a header section: a field, or the rest of the one before it."""
    if line[:1] in (b" ", b"\t"):
        if fields:
            name, value = fields.pop()
            fields.append((name, value + b" " + _trimmed(line)))
        return
    name, _, value = line.partition(b":")
    fields.append((name.lower(), _trimmed(value)))


def _trimmed(value: bytes) -> bytes:
    return value.rstrip(b"\r \t").lstrip(b" \t")


def _values(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [_trimmed(value) for field, value in fields if field == name]


def content_length(fields: Fields) -> int | None:
    """Return what all Content-Length fields say, -1 without one, None if they make no sense."""
    values = _values(fields, b"content-length")
    if not values:
        return -1
    lengths = {int(value) if _LENGTH.fullmatch(value) else None for value in values}
    (length, *others) = lengths
    return None if others or length is None or length >= _MOST else length


def is_chunked(fields: Fields) -> bool | None:
    """Return whether chunked is the last transfer coding; None: there is none at all."""
    values = _values(fields, b"transfer-encoding")
    if not values:
        return None
    return values[-1].rpartition(b",")[2].strip(b" \t").lower() == b"chunked"


def says_close(fields: Fields, minor: int) -> bool:
    """Return whether no further message follows on the connection, by its fields and version."""
    options = {
        option.strip(b" \t").lower()
        for value in _values(fields, b"connection")
        for option in value.split(b",")
    }
    return b"close" in options or (minor == 0 and b"keep-alive" not in options)


def chunk_size(line: bytes) -> int | None:
    """Return the size that a chunk's line says; None: it says none."""
    found = _CHUNK_SIZE.match(line)
    if found is None or not _ANY_DIGIT.match(line):
        return None
    return int(found[1] or b"0", 16)
