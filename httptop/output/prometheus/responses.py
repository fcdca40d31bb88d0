"""Responses to scrapers, as bytes. Each closes its connection."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from httptop.output.prometheus.request import Request

#: Bytes that are sent at once.
PIECE: Final = 1 << 16

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


def small(status: int, text: str, *, to_head: bool = False) -> bytes:
    """Return a response with a line of text; ``to_head``: without it, as HEAD asks for."""
    body = f"{text}\n".encode("ascii", "replace")
    more = {"Content-Length": str(len(body))}
    if status == 405:
        more["Allow"] = "GET, HEAD"
    return head(status, "text/plain; charset=utf-8", **more) + (b"" if to_head else body)


def head(status: int, content_type: str, **fields: str) -> bytes:
    """Return a header section; ``fields``: more of them, by name."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime())}",
        f"Content-Type: {content_type}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *(f"{name}: {value}" for name, value in fields.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii", "replace")


def head_of_stream(content_type: str, request: Request) -> bytes:
    """Return the header section of a response that is sent in pieces."""
    fields = {"Vary": "Accept, Accept-Encoding"}
    if request.gzip:
        fields["Content-Encoding"] = "gzip"
    if request.version:
        fields["Transfer-Encoding"] = "chunked"
    return head(200, content_type, **fields)


def streamed(parts: Iterable[bytes | str], content_type: str, request: Request) -> Iterator[bytes]:
    """Yield a response piece by piece, its header section first.

    In HTTP/1.1 it is chunked, so that whoever receives it sees if it is cut off; HTTP/1.0 has
    nothing like it.
    """
    yield head_of_stream(content_type, request)
    for piece in _pieces(parts, gzip=request.gzip):
        yield b"%x\r\n%b\r\n" % (len(piece), piece) if request.version else piece
    if request.version:
        yield b"0\r\n\r\n"


def _pieces(parts: Iterable[bytes | str], *, gzip: bool) -> Iterator[bytes]:
    """Yield what parts add up to, in pieces that are not empty, compressed or not."""
    # The header and trailer of gzip, the lowest level: others save little and cost twice as much.
    packed = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS) if gzip else None
    for some in _joined(parts):
        piece = some if packed is None else packed.compress(some)
        if piece:
            yield piece
    if packed is not None:
        yield packed.flush()


def _joined(parts: Iterable[bytes | str]) -> Iterator[bytes]:
    collected: list[bytes] = []
    size = 0
    for part in parts:
        some = part.encode("utf-8", "replace") if isinstance(part, str) else part
        collected.append(some)
        size += len(some)
        if size >= PIECE:
            yield b"".join(collected)
            collected.clear()
            size = 0
    if collected:
        yield b"".join(collected)
