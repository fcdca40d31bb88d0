"""Redact the sampled requests of snapshots again: of those that are recorded, or replayed.

A capture outlives the run and may be given away, so it may be redacted more strictly than what the
screen shows. Rows need nothing: their templates hold no secrets at any level (endpoint_keys.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from httptop.http.redaction import Level, Redaction
from httptop.model import Snapshot, Transaction
from httptop.printable import clean

#: The most texts that are remembered.
_MOST_TEXTS: Final = 512
_FIELD, _TARGET, _CONNECT = "field", "target", "target of CONNECT"


class SnapshotRedaction:
    """Redacts snapshots in their order; does each sampled request once."""

    def __init__(self, level: Level, shown_fields: Iterable[str] = ()) -> None:
        self._redaction = Redaction(level, shown_fields)
        self._texts: dict[tuple[str, str], str] = {}  # by what they are
        self._done: dict[int, tuple[Transaction, Transaction]] = {}  # by their serials

    @property
    def level(self) -> Level:
        """How strictly it redacts."""
        return self._redaction.level

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
        connect = request.key.method == "CONNECT"
        target = functools.partial(redaction.target, connect=connect)
        head = request.response_head
        status_line = (_text(redaction.status_line(line.encode())) for line in head[:1])
        return replace(
            request,
            path=self._once(_CONNECT if connect else _TARGET, request.path, target),
            response_head=(*status_line, *self._fields(head[1:])),
            request_head=self._fields(request.request_head),
        )

    def _fields(self, lines: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(self._field, lines))

    def _field(self, line: str) -> str:
        return self._once(_FIELD, line, self._redaction.field)

    def _once(self, kind: str, text: str, redacted: Callable[[bytes], bytes]) -> str:
        """Return a text redacted; of each kind those that come over and over are remembered."""
        known = self._texts.get((kind, text))
        if known is None:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            known = self._texts[kind, text] = _text(redacted(text.encode()))
        return known


def _text(redacted: bytes) -> str:
    return clean(redacted, max(256, len(redacted)))
