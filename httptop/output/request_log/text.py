"""A request as a line for people, in columns separated by spaces.

::

    2026-01-01T12:00:00.123Z server 203.0.113.7:51234 "GET /a HTTP/1.1" 200 1.234ms 512 nginx[7]
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from httptop.model import Transaction
from httptop.output.request_log.fields import escaped, fitted, request_line, status_of
from httptop.output.request_log.formats import COMMENT, Missing

_FIRST: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:server|client) ")


class TextFormat:
    """Moment, side, peer, request, status, latency, bytes of the response, process."""

    def line(self, request: Transaction, most_bytes: int | None = None) -> str:
        """Return a line; ``-``: unknown. The process is last, since its name may have spaces."""
        moment = datetime.fromtimestamp(request.started_at, UTC).isoformat(timespec="milliseconds")
        words = (
            moment.replace("+00:00", "Z"),
            request.key.side,
            request.peer or "-",
            f'"{escaped(request_line(request))}"',
            status_of(request),
            f"{request.latency_ns / 1e6:.3f}ms",
            "-" if request.response_bytes is None else str(request.response_bytes),
            f"{request.key.process}[{request.pid or '-'}]",
        )
        return fitted(" ".join(words), most_bytes)

    def missing(self, missing: Missing, at: float) -> str:  # noqa: ARG002
        """Return a line that begins with #."""
        return COMMENT + missing.sentence()

    def is_first(self, start: bytes) -> bool:
        """Return whether a file begins with a line of this format."""
        return start.startswith(COMMENT.encode()) or _FIRST.match(start) is not None
