"""Watch both directions of an HTTP/1 connection: bytes in, exchanges out, no I/O.

This is the reference: slow and simple. It follows RFC 9112 closely, but is lenient where servers
are (a bare LF ends a line, a malformed header is ignored). No library fits: h11 and llhttp reject
input that a passive observer must follow, and none tells which bytes belong to which message.

Each direction is a state machine that consumes lines and bytes from its buffer:

    START -> HEAD -> LENGTH | CHUNK_SIZE -> CHUNK -> CHUNK_SIZE ... TRAILERS | TO_CLOSE -> START
    either may end in TUNNEL (101, CONNECT with 2xx) or LOST (bytes that are not HTTP/1)

The bytes of an exchange are those of its request and of its final response, framing included. Empty
lines before a request, interim responses, bytes in a tunnel and responses without a request belong
to no exchange.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import Final

_REQUEST_LINE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,23}) ([^\x00-\x20\x7f]+) HTTP/1\.([0-9])"
)
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9][0-9])(?: .*)?", re.S)
_LENGTH: Final = re.compile(rb"[0-9]{1,19}")
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}")


class State(enum.Enum):
    """The position of a direction within a message."""

    START = enum.auto()
    HEAD = enum.auto()
    LENGTH = enum.auto()  # a known number of bytes remains of the body
    CHUNK_SIZE = enum.auto()
    CHUNK = enum.auto()  # a known number of bytes remains of the chunk and its line end
    TRAILERS = enum.auto()
    TO_CLOSE = enum.auto()
    TUNNEL = enum.auto()
    LOST = enum.auto()


@dataclass(slots=True)
class Exchange:
    """A request and its outcome."""

    method: str
    target: bytes
    minor: int
    status: int = 0  # 0: no final response yet
    unanswered: bool = False
    request_bytes: int = 0
    response_bytes: int = 0
    head: bytes = b""
    response_line: bytes = b""
    length: int | None = 0  # of the body by the request's header section; None: it is invalid
    chunked: bool = False


@dataclass(slots=True)
class _Direction:
    state: State = State.START
    buffer: bytes = b""
    left: int = 0
    length: int | None = None  # the Content-Length of the header section
    said: bool = False  # whether there is one
    chunked: bool = False
    counted: int = 0  # bytes of the buffer that were counted already

    def begin(self) -> None:
        self.state, self.length, self.said, self.chunked = State.HEAD, None, False, False

    def line(self) -> bytes | None:
        """Remove a line, with its end, from the buffer and return it; None: it is incomplete."""
        at = self.buffer.find(b"\n") + 1
        if not at:
            return None
        line, self.buffer = self.buffer[:at], self.buffer[at:]
        return line

    def note(self, line: bytes) -> None:
        """Record what a header says about the body."""
        name, _, value = line.partition(b":")
        value = value.strip(b" \t\r\n")
        if name.lower() == b"content-length":
            self.said = True
            self.length = int(value) if _LENGTH.fullmatch(value) else None
        elif name.lower() == b"transfer-encoding":
            last = value.rpartition(b",")[2].strip(b" \t")
            self.chunked = last.lower() == b"chunked"

    def take(self) -> int:
        """Remove the available ones of the remaining bytes from the buffer; return their number."""
        size = min(self.left, len(self.buffer))
        self.buffer = self.buffer[size:]
        self.left -= size
        return size


@dataclass(slots=True)
class Observer:
    """A connection as one of its ends sees it."""

    exchanges: list[Exchange] = field(default_factory=list)
    _pending: list[Exchange] = field(default_factory=list)
    _request: _Direction = field(default_factory=_Direction)
    _response: _Direction = field(default_factory=_Direction)
    _asking: Exchange | None = None  # the latest request
    _answered: Exchange | None = None  # the request of the latest final response
    _interim: bool = False

    def request(self, data: bytes) -> None:
        """Process bytes from the client to the server."""
        way = self._request
        way.buffer += data
        while way.buffer and self._request_step(way):
            pass

    def response(self, data: bytes) -> None:
        """Process bytes from the server to the client."""
        way = self._response
        way.buffer += data
        while way.buffer and self._response_step(way):
            pass

    def close(self) -> None:
        """Process the end of the connection."""
        for exchange in self._pending:
            exchange.unanswered = True
        self._pending.clear()
        self._request.state = self._response.state = State.LOST

    def _request_step(self, way: _Direction) -> bool:
        """Take a step; return whether there may be another."""
        if way.state in (State.TUNNEL, State.LOST):
            way.buffer = b""
            return False
        if way.state is State.START:
            if way.buffer[:1] in (b"\r", b"\n"):
                way.buffer = way.buffer[1:]
                return True
            line = way.line()
            if line is None:
                return False
            found = _REQUEST_LINE.fullmatch(_text(line))
            if found is None:
                way.state = State.LOST
                return True
            self._asking = Exchange(found[1].decode(), found[2], int(found[3]), head=line)
            self._asking.request_bytes = len(line)
            way.begin()
            return True
        assert self._asking is not None
        if way.state is State.HEAD:
            line = way.line()
            if line is None:
                return False
            self._asking.head += line
            self._asking.request_bytes += len(line) - way.counted
            way.counted = 0
            if _text(line):
                way.note(line)
            else:
                self._request_head_over(way, self._asking)
            return True
        size = _body_step(way)
        self._asking.request_bytes += size or 0
        return size is not None

    def _request_head_over(self, way: _Direction, asking: Exchange) -> None:
        asking.chunked = way.chunked
        asking.length = way.length if way.said else 0
        if way.chunked:
            way.state = State.CHUNK_SIZE
        elif way.said and way.length is None:
            way.state = State.LOST
        else:
            way.left = way.length or 0
            way.state = State.LENGTH if way.left else State.START
        if not self.exchanges or self.exchanges[-1] is not asking:
            self._begin(asking)

    def _begin(self, asking: Exchange) -> None:
        self.exchanges.append(asking)
        self._pending.append(asking)

    def _response_step(self, way: _Direction) -> bool:
        """Take a step; return whether there may be another."""
        if way.state in (State.TUNNEL, State.LOST):
            way.buffer = b""
            return False
        if way.state is State.START:
            line = way.line()
            if line is None:
                return False
            found = _STATUS_LINE.fullmatch(_text(line))
            if found is None:
                way.state = State.LOST
                return True
            way.begin()
            self._response_begins(int(found[1]), line)
            return True
        if way.state is State.HEAD:
            line = way.line()
            if line is None:
                return False
            self._count(len(line))
            if _text(line):
                way.note(line)
            else:
                self._response_head_over(way)
            return True
        size = _body_step(way)
        self._count(size or 0)
        return size is not None

    def _response_begins(self, status: int, line: bytes) -> None:
        self._interim = status < 200 and status != 101
        self._answered = None
        if self._interim:
            return
        asking = self._asking
        if not self._pending and self._request.state is State.HEAD and asking is not None:
            self._begin(asking)  # answered before its head was complete
            self._request.counted = len(self._request.buffer)
            asking.request_bytes += self._request.counted
        if self._pending:
            self._answered = self._pending.pop(0)
            self._answered.status = status
            self._answered.response_line = line
        self._count(len(line))

    def _count(self, size: int) -> None:
        if self._answered is not None and not self._interim:
            self._answered.response_bytes += size

    def _response_head_over(self, way: _Direction) -> None:
        answered = self._answered
        if self._interim:
            way.state = State.START
        elif answered is not None and (
            answered.status == 101 or (answered.method == "CONNECT" and answered.status // 100 == 2)
        ):
            way.state = self._request.state = State.TUNNEL
        elif answered is not None and (answered.method == "HEAD" or answered.status in (204, 304)):
            way.state = State.START
        elif way.chunked:
            way.state = State.CHUNK_SIZE
        elif way.length is not None:
            way.left = way.length
            way.state = State.LENGTH if way.left else State.START
        else:
            way.state = State.TO_CLOSE


def _text(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _body_step(way: _Direction) -> int | None:
    """Remove bytes of a body from the buffer; return their number, None if more are needed."""
    if way.state is State.TO_CLOSE:
        way.left = len(way.buffer)
        return way.take()
    if way.state in (State.LENGTH, State.CHUNK):
        size = way.take()
        if not way.left:
            way.state = State.START if way.state is State.LENGTH else State.CHUNK_SIZE
        return size
    line = way.line()
    if line is None:
        return None
    if way.state is State.CHUNK_SIZE:
        found = _CHUNK_SIZE.match(line)
        size = int(found[0], 16) if found else 0
        if found is None:
            way.state = State.LOST
        elif size:
            way.left, way.state = size + 2, State.CHUNK
        else:
            way.state = State.TRAILERS
    elif not _text(line):
        way.state = State.START
    return len(line)
