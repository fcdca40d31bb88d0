"""What servers answered, read from the bytes that came back and from how the connection ended.

Servers' own responses are well formed, so this needs no leniency; what it does not know is whether
a request was a HEAD, and there the bytes tell: another response follows at once, or nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_FIRST: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})[^\n]*\n")
_LENGTH: Final = re.compile(rb"^content-length:[ \t]*([0-9]+)", re.I | re.M)
_CHUNKED: Final = re.compile(rb"^transfer-encoding:.*chunked", re.I | re.M)
_CONNECTION: Final = re.compile(rb"^connection:([^\r\n]*)", re.I | re.M)
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]+)[^\n]*\n")
_SWITCHING: Final = 101


@dataclass(frozen=True, slots=True)
class Answers:
    """The final responses on a connection."""

    statuses: tuple[int, ...] = ()
    #: The last one says that none follows, in one of the ways there are.
    closing: bool = False
    #: Bytes that are no response: what a server sends to a request without a version.
    bare: int = 0


def answers(data: bytes) -> Answers:
    """Return what a server sent on a connection that is over."""
    statuses: list[int] = []
    closing = False
    while data:
        first = _FIRST.match(data)
        if first is None:
            return Answers(tuple(statuses), closing, len(data))
        head, end, rest = data[first.end() :].partition(b"\r\n\r\n")
        if data[first.end() :].startswith(b"\r\n"):
            head, rest = b"", data[first.end() + 2 :]
        elif not end:
            rest = b""
        status = int(first[2])
        if status == _SWITCHING or status >= 200:
            statuses.append(status)
            said = (_CONNECTION.search(head) or ("", b""))[1].strip().lower()
            closing = b"close" in said or (first[1] == b"0" and b"keep-alive" not in said)
        if status == _SWITCHING:
            break
        if status < 200:
            data = rest
            continue
        data, open_ended = _behind_body(head, status, rest)
        closing = closing or open_ended
    return Answers(tuple(statuses), closing)


def _behind_body(head: bytes, status: int, rest: bytes) -> tuple[bytes, bool]:
    """Return what follows the body, and whether it ended with the connection."""
    if status in (204, 304) or rest.startswith(b"HTTP/1."):
        return rest, False
    if _CHUNKED.search(head):
        while (chunk := _CHUNK.match(rest)) and (size := int(chunk[1], 16)):
            rest = rest[chunk.end() + size + 2 :]
        return (rest.partition(b"\r\n\r\n")[2] if chunk else b""), False
    length = _LENGTH.search(head)
    if length:
        return rest[int(length[1]) :], False
    return b"", True
