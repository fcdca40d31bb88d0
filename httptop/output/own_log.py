"""How httptop's own log begins, and a log of requests: by that they are known as httptop's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_FIRST: Final = re.compile(
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error|critical) "
)


def is_own_log(start: bytes) -> bool:
    """Return whether a file that begins so may be httptop's own log."""
    return _FIRST.match(start) is not None


def start_of(format: str) -> Callable[[bytes], bool]:
    """Return what knows a log by its start.

    ``format``: of a log of requests, as ``request_log.format`` has it; empty: httptop's own.
    """
    if not format:
        return is_own_log
    from httptop.output.request_log.formats import format_of

    return format_of(format).is_first
