"""What user space reads of HTTP/1 heads: only samples come here, never what is counted."""

from __future__ import annotations

import re
from typing import Final

from httptop.model import clean
from httptop.paths import path_of

_CONTENT_LENGTH: Final = re.compile(rb"\r?\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r?\n", re.I)
_TRANSFER_ENCODING: Final = re.compile(rb"\r?\ntransfer-encoding:", re.I)
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")


def path_in(line: bytes, cut: bool) -> str:
    """Return the path of a request line as sent, query cut off, cleaned."""
    method, _, target = line.partition(b" ")
    path = path_of(target, connect=method == b"CONNECT")
    goes_on = cut and len(path) == len(target)
    return clean(path) + ("…" if goes_on else "")


def answer_length(answer: bytes, method: str, status: int) -> int | None:
    """Return the length of a whole answer, head and body, from its first bytes.

    None where they do not tell: the head goes on, or the body is chunked or ends with the
    connection.
    """
    end = _HEAD_END.search(answer)
    if end is None:
        return None
    if method == "HEAD" or status in (204, 304):
        return end.end()
    head = answer[: end.end()]
    if _TRANSFER_ENCODING.search(head):
        return None
    length = _CONTENT_LENGTH.search(head)
    return end.end() + int(length[1]) if length else None
