"""Watch both directions of an HTTP/1 connection: bytes in, exchanges out, no I/O.

This is the reference: slow and simple. What single lines say is in grammar.py; here is where they
stand. No library fits: h11 and llhttp reject input that a passive observer must follow, and none
tells which bytes belong to which message.

Each direction is a state machine that consumes lines and bytes from its buffer:

    START -> HEAD -> LENGTH | CHUNK_SIZE -> CHUNK -> CHUNK_END -> CHUNK_SIZE ... TRAILERS | TO_CLOSE
    and START again; either may end in TUNNEL (101, CONNECT with 2xx) or LOST (bytes that are not
    HTTP/1, or that nobody reads as such any more)

A request begins when its header section is over, or when its response begins. If the response comes
before the request line is over, or to bytes that are no request line, it belongs to a bad request.

Behind a response that closes the connection (it says so, or it is HTTP/1.0 without keep-alive, or
its body ends with the connection) no server processes a request. So what is pending at the end was
discarded, on the server's side; the client's side sent it, and got no response.

A PROXY header (proxy_header.py) may come before the first request; then the client that it names is
the server's peer.

The bytes of an exchange are those of its request and of its final response, framing included. Empty
lines before a message, a PROXY header, bytes that are no request, interim responses, bytes in a
tunnel and responses without a request belong to no exchange.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

from httptop.conformance import grammar, proxy_header
from httptop.model import Side


class State(enum.Enum):
    """The position of a direction within a message."""

    START = enum.auto()
    HEAD = enum.auto()
    LENGTH = enum.auto()  # a known number of bytes remains of the body
    CHUNK_SIZE = enum.auto()
    CHUNK = enum.auto()  # a known number of bytes remains of the chunk
    CHUNK_END = enum.auto()  # the line end behind it
    TRAILERS = enum.auto()
    TO_CLOSE = enum.auto()
    TUNNEL = enum.auto()
    LOST = enum.auto()


#: How many of the first bytes tell what a stream is.
_TELLING: Final = 16
_OPEN = frozenset((State.START, State.TO_CLOSE, State.TUNNEL, State.LOST))


@dataclass(slots=True)
class Exchange:
    """A request and its outcome."""

    method: str
    target: bytes
    version: str
    status: int = 0  # 0: no final response yet
    bad: bool = False  # bytes that are no request, and that were answered
    unanswered: bool = False
    discarded: bool = False  # it stands behind a response that closes
    truncated: bool = False  # the connection's end cut its response off
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
    fields: grammar.Fields = field(default_factory=list)
    counted: int = 0  # bytes of the buffer that were counted already

    def begin(self) -> None:
        self.state = State.HEAD
        self.fields = []

    def line(self) -> bytes | None:
        """Remove a line, with its end, from the buffer and return it; None: it is incomplete."""
        at = self.buffer.find(b"\n") + 1
        if not at:
            return None
        line, self.buffer = self.buffer[:at], self.buffer[at:]
        return line

    def skip_line_ends(self) -> bool:
        """Step over a line end before a message; return whether there is one."""
        if self.buffer[:1] not in (b"\r", b"\n"):
            return False
        self.buffer = self.buffer[1:]
        return True

    def take(self) -> int:
        """Remove the available ones of the remaining bytes from the buffer; return their number."""
        size = min(self.left, len(self.buffer))
        self.buffer = self.buffer[size:]
        self.left -= size
        return size


@dataclass(slots=True)
class Observer:
    """A connection as one of its ends sees it."""

    side: Side
    exchanges: list[Exchange] = field(default_factory=list)
    client: str | None = None  # as a proxy names it, on the server's side
    _first: bytes = b""  # of the requests, as far as it tells what they are
    _proxied: bool = False  # what comes next is no PROXY header
    _pending: list[Exchange] = field(default_factory=list)
    _request: _Direction = field(default_factory=_Direction)
    _response: _Direction = field(default_factory=_Direction)
    _asking: Exchange | None = None  # the latest request
    _answered: Exchange | None = None  # the request of the latest final response
    _interim: bool = False
    _minor: int = 1  # of the latest response's version
    _closing: bool = False  # it closes the connection
    _refused: bool = False  # by status 400, too: what follows is not read as requests
    _bad: bool = False  # bytes came that are no request, and were not answered yet

    @property
    def discarded(self) -> int:
        """The number of requests that stand behind a response that closes."""
        return sum(exchange.discarded for exchange in self.exchanges)

    def request(self, data: bytes) -> None:
        """Process bytes from the client to the server."""
        way = self._request
        way.buffer += data
        self._first += data[: _TELLING - len(self._first)]
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
            exchange.discarded = self._closing and self.side == "server"
            exchange.unanswered = not exchange.discarded
        if self._answered is not None and self._response.state not in _OPEN:
            self._answered.truncated = True
            self._count(len(self._response.buffer))
        self._pending.clear()
        self._answered = None
        self._request.state = self._response.state = State.LOST

    def _request_step(self, way: _Direction) -> bool:
        """Take a step; return whether there may be another."""
        if way.state is State.START and self._refused:
            way.state = State.LOST
        if way.state in (State.TUNNEL, State.LOST):
            self._bad |= way.state is State.LOST and not self._refused
            way.buffer = b""
            return False
        if way.state is State.START:
            return self._request_line(way)
        assert self._asking is not None
        if way.state is State.HEAD:
            line = way.line()
            if line is None:
                return False
            self._asking.head += line
            self._asking.request_bytes += len(line) - way.counted
            way.counted = 0
            if _text(line):
                grammar.add_field(way.fields, _text(line))
            else:
                self._request_head_over(way, self._asking)
            return True
        size = _body_step(way)
        self._asking.request_bytes += size or 0
        return size is not None

    def _is_over(self, way: _Direction) -> bool:
        """Step over a PROXY header before the first request; False: more bytes must tell."""
        found = proxy_header.header_of(way.buffer)
        if found is None:
            return False
        self._proxied = True
        way.buffer = way.buffer[found.length :]
        self.client = found.client if self.side == "server" else None
        return True

    def _request_line(self, way: _Direction) -> bool:
        if not self._proxied and not self._is_over(way):
            return False
        if way.skip_line_ends():
            return True
        at = way.buffer.find(b"\n") + 1
        if not at:
            return False
        found = grammar.request_line(_text(way.buffer[:at]))
        if found is None:
            way.state = State.LOST
            return True
        line = way.line() or b""
        self._asking = Exchange(*found, head=line, request_bytes=len(line))
        way.begin()
        return True

    def _request_head_over(self, way: _Direction, asking: Exchange) -> None:
        asking.chunked = grammar.is_chunked(way.fields) is True
        length = grammar.content_length(way.fields)
        asking.length = 0 if length == -1 else length
        if not self.exchanges or self.exchanges[-1] is not asking:
            self._begin(asking)
        if asking.chunked:
            way.state = State.CHUNK_SIZE
        elif grammar.is_chunked(way.fields) is False or asking.length is None:
            way.state = State.LOST
        else:
            way.left = asking.length
            way.state = State.LENGTH if way.left else State.START

    def _begin(self, asking: Exchange) -> None:
        self.exchanges.append(asking)
        self._pending.append(asking)

    def _response_step(self, way: _Direction) -> bool:
        """Take a step; return whether there may be another."""
        if way.state in (State.TUNNEL, State.LOST):
            way.buffer = b""
            return False
        if way.state is State.START:
            if way.skip_line_ends():
                return True
            line = way.line()
            if line is None:
                return False
            found = grammar.status_line(_text(line))
            if found is None:
                way.state = State.LOST
                self._other_begins(line)
                return True
            way.begin()
            self._response_begins(*found, line)
            return True
        if way.state is State.HEAD:
            line = way.line()
            if line is None:
                return False
            self._count(len(line))
            if _text(line):
                grammar.add_field(way.fields, _text(line))
            else:
                self._response_head_over(way)
            return True
        size = _body_step(way)
        self._count(size or 0)
        return size is not None

    def _response_begins(self, status: int, minor: int, line: bytes) -> None:
        self._interim = status < 200 and status != 101
        self._minor = minor
        self._answered = None
        if self._interim:
            return
        if not self._pending:
            self._answered_early(status)
        if self._pending:
            self._answered = self._pending.pop(0)
            self._answered.status = status
            self._answered.response_line = line
        self._count(len(line))

    def _other_begins(self, line: bytes) -> None:
        """Text that is no response comes: where nothing was asked, no request follows."""
        if not self._first and grammar.is_text(line):
            self._request.state = State.LOST

    def _is_other(self, status: int) -> bool:
        """Return whether the bytes that are answered are of another protocol."""
        if self.exchanges or not self._first:
            return False
        binary = not grammar.is_text(self._first)
        return grammar.begins_gateway(self._first) or (binary and status < 400)

    def _answered_early(self, status: int) -> None:
        """Have a request begin to which a response comes before its header section is over."""
        if self._is_other(status):
            self._request.state = self._response.state = State.LOST
            return
        way, asking = self._request, self._asking
        begun = bool(self.exchanges) and self.exchanges[-1] is asking
        if way.state is State.HEAD and asking is not None and not begun:
            way.counted = len(way.buffer)
            asking.request_bytes += way.counted
            self._begin(asking)
            return
        if self._bad or (way.state is State.START and way.buffer):
            self._begin(Exchange("OTHER", b"", "1.1", bad=True))
            self._bad = False
            way.state, way.buffer = State.START, b""

    def _count(self, size: int) -> None:
        if self._answered is not None and not self._interim:
            self._answered.response_bytes += size

    def _response_head_over(self, way: _Direction) -> None:
        answered = self._answered
        if self._interim:
            way.state = State.START
            return
        self._closing = grammar.says_close(way.fields, self._minor)
        length = grammar.content_length(way.fields)
        if answered is not None and (
            answered.status == 101 or (answered.method == "CONNECT" and answered.status // 100 == 2)
        ):
            way.state = self._request.state = State.TUNNEL
        elif answered is not None and (answered.method == "HEAD" or answered.status in (204, 304)):
            # An error may have a body, even in answer to HEAD; nothing else follows.
            way.state = State.TO_CLOSE if self._closing else State.START
        elif grammar.is_chunked(way.fields):
            way.state = State.CHUNK_SIZE
        elif length is not None and length >= 0:
            way.left = length
            way.state = State.LENGTH if way.left else State.START
        else:
            way.state = State.TO_CLOSE
            self._closing = True
        self._refused = self._closing and answered is not None and answered.status == 400


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
            way.state = State.START if way.state is State.LENGTH else State.CHUNK_END
        return size
    if way.state is State.CHUNK_END:
        return _chunk_end(way)
    line = way.line()
    if line is None:
        return None
    if way.state is State.CHUNK_SIZE:
        size_or_none = grammar.chunk_size(_text(line))
        if size_or_none is None:
            way.state = State.LOST
        elif size_or_none:
            way.left, way.state = size_or_none, State.CHUNK
        else:
            way.state = State.TRAILERS
    elif not _text(line):
        way.state = State.START
    return len(line)


def _chunk_end(way: _Direction) -> int | None:
    """Remove a line end: LF, or CR LF."""
    if way.buffer == b"\r":
        return None
    size = 2 if way.buffer.startswith(b"\r\n") else 1
    found, way.buffer = way.buffer[:size], way.buffer[size:]
    way.state = State.CHUNK_SIZE if found.endswith(b"\n") else State.LOST
    return size
