"""Read a capture for its course: all of each snapshot but its rows, and then those of the last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from httptop.capture.frames import read_at
from httptop.capture.opening import AnyDecoder, opened
from httptop.model import Snapshot


class Skim:
    """Goes through a capture once; what it remembers is bounded, however long that is."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read the first line; raise :class:`httptop.capture.problems.CaptureError`."""
        self._units, self._decoder = opened(read_at(file))
        self._last: tuple[AnyDecoder, Any] | None = None

    def snapshots(self, *, rows: bool = False) -> Iterator[Snapshot]:
        """Yield the snapshots, ``rows``: with their rows, which takes many times as long.

        Raises :class:`CutOff` if it ends within one, :class:`CaptureError` if it is invalid.
        """
        while (unit := self._units.unit()) is not None:
            before = self._decoder.fork()
            snapshot = self._decoder.snapshot(unit, rows=rows)
            self._last = (before, unit)
            yield snapshot

    def last(self) -> Snapshot | None:
        """Return the last one yielded, with its rows; None: there was none.

        Raises :class:`CaptureError` if these are invalid.
        """
        if self._last is None:
            return None
        before, unit = self._last
        return before.fork().snapshot(unit)
