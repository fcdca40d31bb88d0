"""Read a capture from any place: forwards by passing over lines, backwards from places kept.

A line says what has changed since the one before. So to be at a place is to have read all before
it, or to have kept what was known there. Such places are kept as the capture is read: some all over
what has been read, at a distance that doubles when they become too many, and the last few. Both are
bounded in memory, so in a large capture they are few, and to go far takes time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from httptop.capture.decoder import Decoder, Line
from httptop.capture.fields import CaptureError
from httptop.capture.lines import LineReader, ReadAt
from httptop.model import Snapshot

#: The most places all over the capture, and about the bytes that they may take.
MOST_PLACES: Final = 64
MOST_BYTES: Final = 24 << 20
#: Likewise of the last ones.
_MOST_LAST: Final = 16
_MOST_BYTES_OF_LAST: Final = 8 << 20
#: What a place takes besides rows: mostly what a decompression remembers.
_PLACE_BYTES: Final = 60_000
#: How many lines are between two places at first.
_EVERY: Final = 16

#: Asked before a line is passed over whether to go on, with its time (Unix, seconds).
GoesOn = Callable[[float], bool]


class _Place(NamedTuple):
    number: int  # of the snapshot that comes next, from 0 on
    before_at: float  # Unix time of the snapshot before it
    lines: LineReader
    decoder: Decoder
    size_bytes: int = 0  # about what it takes, of one that is kept

    def fork(self) -> _Place:
        return self._replace(lines=self.lines.fork(), decoder=self.decoder.fork())


class CaptureReader:
    """Reads snapshots one after the other, or goes to one; for one thread alone.

    The first error ends the capture for whoever reads it; ``problem`` is that error.
    """

    def __init__(self, read: ReadAt) -> None:
        """Read the first line; raise :class:`CaptureError`."""
        lines, decoder = LineReader(read), Decoder()
        decoder.header(lines.line())
        self.problem: CaptureError | None = None
        self._now = _Place(0, -math.inf, lines, decoder)
        self._places: list[_Place] = []
        self._every = _EVERY
        self._last: deque[_Place] = deque()  # the last one is where it is now

    @property
    def number(self) -> int:
        """The number of the snapshot that comes next, from 0 on."""
        return self._now.number

    def next(self) -> Snapshot | None:
        """Return the next snapshot; None: there is none."""
        try:
            self._keep()
            line = self._line()
            return None if line is None else self._snapshot(line)
        except CaptureError as error:
            self.problem = error
            return None

    def go_to_number(self, number: int, goes_on: GoesOn) -> Snapshot | None:
        """Return the snapshot of a number, or the last one; see :meth:`forward`."""
        self._start(lambda place: place.number <= number)
        return self._forward(lambda _: self.number >= number, goes_on) or self._the_last()

    def go_to(self, at: float, goes_on: GoesOn) -> Snapshot | None:
        """Return the first snapshot that is not older than a Unix time; see :meth:`forward`."""
        self._start(lambda place: place.before_at < at)
        return self.forward(at, goes_on) or self._the_last()

    def forward(self, at: float, goes_on: GoesOn) -> Snapshot | None:
        """Return the first snapshot from here on that is not older than a Unix time, or the last.

        Once ``goes_on`` says no, the snapshot is that of the line reached. None: there is no
        snapshot from here on.
        """
        return self._forward(lambda line: line.taken_at >= at, goes_on)

    def _forward(self, reached: Callable[[Line], bool], goes_on: GoesOn) -> Snapshot | None:
        passed = False
        try:
            while True:
                self._keep()
                line = self._line()
                if line is None:
                    break
                if reached(line) or not goes_on(line.taken_at):
                    return self._snapshot(line)
                self._now.decoder.pass_over(line)
                self._passed(line.taken_at)
                passed = True
        except CaptureError as error:
            self.problem = error
        return self._the_last() if passed else None

    def _the_last(self) -> Snapshot | None:
        """Return the last snapshot that has been passed or read, None if there is none."""
        if (number := self.number - 1) < 0:
            return None
        self._start(lambda place: place.number <= number)
        return self.next()

    def _line(self) -> Line | None:
        line = self._now.lines.line()
        return Line(line) if line else None

    def _snapshot(self, line: Line) -> Snapshot:
        snapshot = self._now.decoder.snapshot(line)
        self._passed(snapshot.taken_at)
        return snapshot

    def _passed(self, at: float) -> None:
        self._now = self._now._replace(number=self.number + 1, before_at=at)

    # Places

    def _start(self, may: Callable[[_Place], bool]) -> None:
        """Go to the last place known that a search may start from."""
        known = [place for place in (*self._places, *self._last, self._now) if may(place)]
        best = max(known, key=lambda place: place.number)
        if best.number != self.number:
            self._now = best.fork()
            self._last = deque(place for place in self._last if place.number <= best.number)

    def _keep(self) -> None:
        """Keep the place before a line is read."""
        if self._last and self._last[-1].number == self.number:
            return
        size_bytes = _PLACE_BYTES + self._now.decoder.size_bytes
        place = self._now.fork()._replace(size_bytes=size_bytes)
        self._last.append(place)
        taken = sum(one.size_bytes for one in self._last)
        while len(self._last) > 2 and (len(self._last) > _MOST_LAST or taken > _MOST_BYTES_OF_LAST):
            taken -= self._last.popleft().size_bytes
        if not self._places or place.number >= self._places[-1].number + self._every:
            self._places.append(place)
            self._thin_out()

    def _thin_out(self) -> None:
        """Have every second place go while they are too many; the first one stays."""
        while len(self._places) > 1 and (
            len(self._places) > MOST_PLACES
            or sum(one.size_bytes for one in self._places) > MOST_BYTES
        ):
            self._places = self._places[::2]
            self._every *= 2
