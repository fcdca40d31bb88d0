"""Parse header sections of sampled HTTP/1 requests and responses; counts do not depend on it."""

from __future__ import annotations

import re
from typing import Final

from httptop.http.path_template import origin_of
from httptop.http.redaction import Redaction
from httptop.printable import clean

_CONTENT_LENGTH: Final = re.compile(rb"\r?\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r?\n", re.I)
_TRANSFER_ENCODING: Final = re.compile(rb"\r?\ntransfer-encoding:", re.I)
_TARGET_END: Final = re.compile(rb"[\x00-\x20\x7f]")
_LONGEST_PATH: Final = 512
_HEAD_ENDS: Final = (b"\n\r\n", b"\n\n")


def path_in(line: bytes, cut: bool, redaction: Redaction) -> str | None:
    """Return the path of a request line, with its query, redacted and cleaned.

    ``cut``: the line is truncated. Returns None if the line contains no path.
    """
    method, _, target = line.partition(b" ")
    if not target:
        return None
    connect = method == b"CONNECT"
    goes_on = cut and not _TARGET_END.search(target)
    path = redaction.target(origin_of(target, connect=connect), connect=connect, cut=goes_on)
    text = clean(path, _LONGEST_PATH)
    return text + "…" if goes_on and not text.endswith("…") else text


def response_length(response: bytes, method: str, status: int) -> int | None:
    """Return the length of a response, header section and body, in bytes, from its first bytes.

    Returns None if they do not tell: the header section continues after them, or the body is
    chunked or ends with the connection.
    """
    ends = [at + len(mark) for mark in _HEAD_ENDS if (at := response.find(mark)) >= 0]
    if not ends:
        return None
    head = response[: min(ends)]
    if method == "HEAD" or status in (204, 304):
        return len(head)
    if _TRANSFER_ENCODING.search(head):
        return None
    length = _CONTENT_LENGTH.search(head)
    return len(head) + int(length[1]) if length else None
