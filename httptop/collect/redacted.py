"""Redact the sampled requests of snapshots again: of those that are recorded, or replayed.

A capture outlives the run and may be given away, so it may be redacted more strictly than what the
screen shows. Rows need nothing: their templates hold no secrets at any level (endpoint_keys.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from httptop.http.redaction import Level, Redaction
from httptop.model import Snapshot, Transaction
from httptop.printable import clean


class SnapshotRedaction:
    """Redacts snapshots in their order; does each sampled request once."""

    def __init__(self, level: Level, shown_fields: Iterable[str] = ()) -> None:
        self._redaction = Redaction(level, shown_fields)
        self._done: dict[int, tuple[Transaction, Transaction]] = {}  # by their serials

    def apply(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot whose sampled requests are redacted."""
        if self._redaction.level == "off":
            return snapshot
        done: dict[int, tuple[Transaction, Transaction]] = {}
        for request in snapshot.recent:
            known = self._done.get(request.serial)
            if known is None or known[0] is not request:
                known = (request, self.request(request))
            done[request.serial] = known
        self._done = done
        return replace(snapshot, recent=tuple(redacted for _, redacted in done.values()))

    def request(self, request: Transaction) -> Transaction:
        """Return a request redacted."""
        redaction = self._redaction
        path = redaction.target(request.path.encode(), connect=request.key.method == "CONNECT")
        head = request.response_head
        status_line = (_text(redaction.status_line(line.encode())) for line in head[:1])
        return replace(
            request,
            path=_text(path),
            response_head=(*status_line, *self._fields(head[1:])),
            request_head=self._fields(request.request_head),
        )

    def _fields(self, lines: Iterable[str]) -> tuple[str, ...]:
        return tuple(_text(self._redaction.field(line.encode())) for line in lines)


def _text(redacted: bytes) -> str:
    return clean(redacted, max(256, len(redacted)))
