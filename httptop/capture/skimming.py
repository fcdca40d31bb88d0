"""Read a capture for its course: all of each snapshot but its rows, and then those of the last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from httptop.capture.decoder import Decoder
from httptop.capture.lines import LineReader, read_at
from httptop.model import Snapshot


class Skim:
    """Goes through a capture once; what it remembers is bounded, however long that is."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read the first line; raise :class:`httptop.capture.fields.CaptureError`."""
        self._lines, self._decoder = LineReader(read_at(file)), Decoder()
        self._decoder.header(self._lines.line())
        self._last: tuple[Decoder, bytes] | None = None

    def snapshots(self, *, rows: bool = False) -> Iterator[Snapshot]:
        """Yield the snapshots, ``rows``: with their rows, which takes many times as long.

        Raises :class:`CutOff` if it ends within a line, :class:`CaptureError` if it is invalid.
        """
        while line := self._lines.line():
            before = self._decoder.fork()
            snapshot = self._decoder.snapshot(line, rows=rows)
            self._last = (before, line)
            yield snapshot

    def last(self) -> Snapshot | None:
        """Return the last one yielded, with its rows; None: there was none.

        Raises :class:`CaptureError` if these are invalid.
        """
        if self._last is None:
            return None
        before, line = self._last
        return before.fork().snapshot(line)
