"""Counters of 32 bits that have wrapped around, in 64.

The buckets of a cell's histogram have 32 bits, and so has its number of unanswered requests. None
of them has counted more than the cell itself, which has 64: as long as that is less than 2^32 they
are what they say. A cell that comes near that is followed from then on; between two looks at it
less than 2^32 may be counted, so it is looked at every LOOK_S at least.
"""

from __future__ import annotations

import struct
from typing import Final

from httptop.collect.histogram import BUCKETS_PER_OCTAVE, OCTAVES, Histogram

#: From this count on a cell is followed.
LARGE: Final = 1 << 31
#: A bucket would have to count 3.5 million times a second to pass 2^31 in the time between.
LOOK_S: Final = 600.0

#: The buckets of an octave, as a source has them.
PAGE: Final = struct.Struct(f"<{BUCKETS_PER_OCTAVE}I")
_WRAP: Final = 1 << 32


class WideCounters:
    """The counters of large cells; for the collector's thread alone."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[int, list[int]]] = {}  # by cell and octave
        self._unanswered: dict[int, int] = {}

    def note_page(self, cell: int, octave: int, page: bytes | memoryview) -> None:
        """Note the buckets of an octave of a large cell, as they are now."""
        octaves = self._buckets.setdefault(cell, {})
        now = PAGE.unpack(page)
        before = octaves.get(octave)
        if before is None:
            octaves[octave] = list(now)
            return
        for number, count in enumerate(now):
            before[number] += (count - before[number]) % _WRAP

    def histogram(self, cell: int) -> Histogram:
        """Return the latencies of a large cell."""
        return {
            octave * BUCKETS_PER_OCTAVE + number: count
            for octave, counts in self._buckets.get(cell, {}).items()
            for number, count in enumerate(counts)
            if count
        }

    def unanswered(self, cell: int, requests: int, unanswered: int) -> int:
        """Return in full how many of a cell's ``requests`` are unanswered."""
        if requests < LARGE:
            return unanswered
        before = self._unanswered.get(cell, unanswered)
        self._unanswered[cell] = before + (unanswered - before) % _WRAP
        return self._unanswered[cell]

    def forget(self, cell: int) -> None:
        """Forget a cell that begins anew."""
        self._buckets.pop(cell, None)
        self._unanswered.pop(cell, None)


def octave_of(key: int) -> tuple[int, int]:
    """Return (cell, octave) of a page's key."""
    return divmod(key, OCTAVES)
