"""What the kernel adds up by side, and of what the screen's filter picks of each (bpf/c/sums.h)."""

from __future__ import annotations

import mmap
import struct
from typing import Final

from httptop.bpf import abi
from httptop.bpf.side_latencies import SideLatencies
from httptop.collect.histogram import BUCKETS, Histogram
from httptop.collect.sums import SideFigures, Slots

#: Of struct side_sums: the first members; then come the codes, and a histogram.
_SIDE: Final = struct.Struct("<2Q")
_STATUS_AT: Final = _SIDE.size
_TICK_AT: Final = abi.SIDE_SUMS.size - 4 * BUCKETS
_HISTOGRAM: Final = struct.Struct(f"<{BUCKETS}I")
#: Where the sums of what the screen's filter picks of the sides stand, behind those of the sides.
_KEPT: Final = 2


class SummedSides:
    """The sums of both sides, whole and as far as the screen's filter picks them; for one thread.

    Sides are numbered as in the kernel: server 0, client 1.
    """

    def __init__(self, sums: mmap.mmap) -> None:
        """``sums``: the memory of the map side_sums."""
        self._sums = sums
        #: The codes that responses of each side have had.
        self._statuses: tuple[set[int], set[int]] = (set(), set())
        self._latencies = [SideLatencies() for _ in range(abi.SIDES_SUMMED)]
        #: Whether the screen's filter has ever picked anything.
        self.keeping = False

    def expect(self, side: int, status: int) -> None:
        """Say that responses of a side may have a code, or a class."""
        self._statuses[side].add(status)

    def add(self, slots: Slots) -> None:
        """Add the latencies of a tick to those of the window, which ends with ``slots.last``."""
        summed = abi.SIDES_SUMMED if self.keeping else _KEPT
        for side, latencies in enumerate(self._latencies[:summed]):
            latencies.move(slots)
            latencies.add(slots.last, self._tick_histogram(side))

    def whole(self) -> tuple[SideFigures, SideFigures]:
        """Return the figures of both sides."""
        return self._figures(0), self._figures(1)

    def picked(self) -> tuple[SideFigures, SideFigures]:
        """Return those of what the screen's filter picks."""
        return self._figures(_KEPT), self._figures(_KEPT + 1)

    def pick_anew(self) -> None:
        """Begin the sums of what is picked anew."""
        at = _KEPT * abi.SIDE_SUMS.size
        self._sums[at : at + 2 * abi.SIDE_SUMS.size] = bytes(2 * abi.SIDE_SUMS.size)
        self._latencies[_KEPT:] = [SideLatencies(), SideLatencies()]

    def end_tick(self) -> None:
        """Begin the sums of a tick anew."""
        for side, latencies in enumerate(self._latencies):
            at = side * abi.SIDE_SUMS.size
            self._sums[at : at + _SIDE.size] = bytes(_SIDE.size)
            self._sums[at + _TICK_AT : at + abi.SIDE_SUMS.size] = bytes(4 * BUCKETS)
            latencies.tick = {}

    def _figures(self, side: int) -> SideFigures:
        at = side * abi.SIDE_SUMS.size
        status = {}
        for code in self._statuses[side % _KEPT]:
            (count,) = struct.unpack_from("<Q", self._sums, at + _STATUS_AT + 8 * code)
            if count:
                status[code] = count
        requests, errors = _SIDE.unpack_from(self._sums, at)
        latencies = self._latencies[side]
        return SideFigures(
            requests,
            errors,
            status,
            dict(latencies.window),
            latencies.tick,
            dict(latencies.total),
        )

    def _tick_histogram(self, side: int) -> Histogram:
        at = side * abi.SIDE_SUMS.size + _TICK_AT
        counts = enumerate(_HISTOGRAM.unpack_from(self._sums, at))
        return {bucket: count for bucket, count in counts if count}
