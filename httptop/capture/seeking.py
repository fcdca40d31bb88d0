"""Read a capture from any place: forwards by passing over snapshots, backwards from places kept.

A file says what has changed since the snapshot before. So to be at a place is to have read all
before it, or all since a snapshot that needs no other, or to have kept what was known there. In
captures of schema 2 every 60th snapshot needs no other, and an index says where it is. Besides,
places are kept as a capture is read: some all over what has been read, at a distance that doubles
when they become too many, and the last few. Both are bounded in memory, so in a large capture of
schema 1 they are few, and to go far takes time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from httptop.capture.decoder import Decoder
from httptop.capture.frames import FrameReader, ReadAt
from httptop.capture.index import indexed
from httptop.capture.opening import AnyDecoder, AnyUnit, AnyUnits, frames_of, opened
from httptop.capture.parts import PartReader
from httptop.capture.problems import CaptureError
from httptop.model import Snapshot

#: The most places all over the capture, and about the bytes that they may take.
MOST_PLACES: Final = 64
MOST_BYTES: Final = 24 << 20
#: Likewise of the last ones.
_MOST_LAST: Final = 16
_MOST_BYTES_OF_LAST: Final = 8 << 20
#: What a place takes besides rows: mostly what a decompression remembers.
_PLACE_BYTES: Final = 60_000
#: How many snapshots are between two places at first.
_EVERY: Final = 16

#: Asked before a snapshot is passed over whether to go on, with its time (Unix, seconds).
GoesOn = Callable[[float], bool]


class _Place(NamedTuple):
    number: int  # of the snapshot that comes next, from 0 on
    before_at: float  # Unix time of the snapshot before it
    units: AnyUnits
    decoder: AnyDecoder
    size_bytes: int = 0  # about what it takes, of one that is kept

    def fork(self) -> _Place:
        return self._replace(units=self.units.fork(), decoder=self.decoder.fork())


class _Whole(NamedTuple):
    number: int
    before_at: float
    frames: FrameReader  # is at this snapshot


class CaptureReader:
    """Reads snapshots one after the other, or goes to one; for one thread alone.

    The first error ends the capture for whoever reads it; ``problem`` is that error.
    """

    def __init__(self, read: ReadAt) -> None:
        """Read the first line; raise :class:`CaptureError`."""
        self._read = read
        self.problem: CaptureError | None = None
        self._now = _Place(0, -math.inf, *opened(read))
        self._first = self._now.fork()
        self._wholes: list[_Whole] | None = None  # not looked for yet
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
            unit = self._unit()
            return None if unit is None else self._snapshot(unit)
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

        Once ``goes_on`` says no, the snapshot is the one reached. None: there is no
        snapshot from here on.
        """
        return self._forward(lambda unit: unit.taken_at >= at, goes_on)

    def _forward(self, reached: Callable[[AnyUnit], bool], goes_on: GoesOn) -> Snapshot | None:
        passed = False
        try:
            while True:
                self._keep()
                unit = self._unit()
                if unit is None:
                    break
                if reached(unit) or not goes_on(unit.taken_at):
                    return self._snapshot(unit)
                self._now.decoder.pass_over(unit)
                self._passed(unit.taken_at)
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

    def _unit(self) -> AnyUnit | None:
        unit: AnyUnit | None = self._now.units.unit()
        return unit

    def _snapshot(self, unit: AnyUnit) -> Snapshot:
        snapshot = self._now.decoder.snapshot(unit)
        self._passed(snapshot.taken_at)
        return snapshot

    def _passed(self, at: float) -> None:
        self._now = self._now._replace(number=self.number + 1, before_at=at)

    # Places

    def _start(self, may: Callable[[_Place | _Whole], bool]) -> None:
        """Go to the last place known that a search may start from."""
        known = (self._first, *self._places, *self._last, self._now)
        best = max(filter(may, known), key=lambda place: place.number)
        whole = max(filter(may, self._indexed()), key=lambda whole: whole.number, default=None)
        if whole is not None and whole.number > best.number:
            units: AnyUnits = PartReader(whole.frames.fork())
            best = _Place(whole.number, whole.before_at, units, Decoder())
        if best.number != self.number:
            self._now = best.fork()
            self._last = deque(place for place in self._last if place.number <= best.number)

    def _indexed(self) -> list[_Whole]:
        """Return the snapshots that need no other, by the index if there is one."""
        if self._wholes is None:
            self._wholes, before_at = [], -math.inf
            frames = frames_of(self._read)
            for number, one in enumerate(indexed(frames, lambda: True) if frames else ()):
                if one.whole is not None:
                    self._wholes.append(_Whole(number, before_at, one.whole))
                before_at = one.moment.taken_at
        return self._wholes

    def _keep(self) -> None:
        """Keep the place before a snapshot is read."""
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
