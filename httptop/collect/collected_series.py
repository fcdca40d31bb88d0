"""All series at one moment: their counts, and their histograms as the source has them.

Histograms are what takes memory and time: they are kept in a few long pieces, and decoded when
somebody asks for a series, in the thread of who asks.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from httptop.collect.histogram import BUCKETS_PER_OCTAVE, Histogram, add
from httptop.collect.metrics import Outcome, Series
from httptop.collect.wide_counters import PAGE
from httptop.linux.stretches import give_way
from httptop.model import EndpointKey

_NONE: Final = -1
#: Of a packed histogram a bucket with its count.
_PACKED: Final = struct.Struct("<HQ")


def packed(histogram: Mapping[int, int]) -> bytes:
    """Return a histogram in few bytes."""
    return b"".join(_PACKED.pack(bucket, count) for bucket, count in sorted(histogram.items()))


def unpacked(data: bytes) -> Histogram:
    """Return what :func:`packed` has packed."""
    return dict(_PACKED.iter_unpack(data))


class Pages:
    """Buckets of octaves by the pair that they belong to, in the order in which they came."""

    def __init__(self, pairs: int) -> None:
        """``pairs``: how many there are."""
        self._latest = array("i", [_NONE]) * pairs  # of each pair, the number of its latest page
        self._before = array("i")  # of each page, the number of its pair's page before
        self._octaves = bytearray()
        self._counts = bytearray()

    def put(self, pair: int, octave: int, page: bytes | memoryview) -> None:
        """Add a page."""
        self._before.append(self._latest[pair])
        self._latest[pair] = len(self._octaves)
        self._octaves.append(octave)
        self._counts += page

    def add_to(self, histogram: Histogram, pair: int) -> None:
        """Add all of a pair to a histogram."""
        page = self._latest[pair]
        while page != _NONE:
            first = self._octaves[page] * BUCKETS_PER_OCTAVE
            counts = PAGE.unpack_from(self._counts, page * PAGE.size)
            add(histogram, {first + n: count for n, count in enumerate(counts) if count})
            page = self._before[page]


class Lanes:
    """Sums of pages, octave by octave, in 64 bits: those of thousands of cells are one series.

    A page is added as two integers, of its even and its odd buckets, 64 bits apart.
    """

    _LANES: Final = BUCKETS_PER_OCTAVE // 2
    _EVEN: Final = int.from_bytes(b"\xff\xff\xff\xff\0\0\0\0" * _LANES, "little")
    _SUMS: Final = struct.Struct(f"<{_LANES}Q")

    def __init__(self) -> None:
        self._sums: dict[tuple[int, int], list[int]] = {}  # by pair and octave

    def put(self, pair: int, octave: int, page: bytes | memoryview) -> None:
        """Add a page."""
        both = int.from_bytes(page, "little")
        sums = self._sums.get((pair, octave))
        if sums is None:
            sums = self._sums[pair, octave] = [0, 0]
        sums[0] += both & self._EVEN
        sums[1] += both >> 32 & self._EVEN

    def histograms(self) -> dict[int, Histogram]:
        """Return the histogram of each pair."""
        found: dict[int, Histogram] = {}
        for (pair, octave), sums in self._sums.items():
            histogram = found.setdefault(pair, {})
            for odd, lanes in enumerate(sums):
                counts = self._SUMS.unpack(lanes.to_bytes(self._SUMS.size, "little"))
                for at, count in enumerate(counts):
                    if count:
                        histogram[octave * BUCKETS_PER_OCTAVE + 2 * at + odd] = count
        return found


@dataclass(frozen=True, slots=True)
class Named:
    """What stays of a series from one moment to the next, but that it may get more statuses."""

    key: EndpointKey
    began_at: float
    pairs: tuple[tuple[int, int], ...] = ()  # (status, number of the pair)


class Figures:
    """What was counted: by the number of a pair, or by that of a series."""

    def __init__(self) -> None:
        self.counts = array("q")  # of pairs
        self.sums_ns = array("q")
        self.unanswered = array("q")  # of series, like the next ones
        self.in_flight = array("q")
        self.request_bytes = array("q")
        self.response_bytes = array("q")

    def copy(self) -> Figures:
        """Return others that are the same now."""
        made = Figures()
        for name, numbers in vars(self).items():
            setattr(made, name, numbers[:])
        return made

    def extend(self, pairs: int, series: int) -> None:
        """Have as many pairs and series at least."""
        for columns, length in ((self._of_pairs, pairs), (self._of_series, series)):
            for column in columns:
                column.frombytes(bytes(8 * max(0, length - len(column))))

    def clear_pair(self, number: int) -> None:
        """Have a pair be one of 0."""
        for column in self._of_pairs:
            column[number] = 0

    def clear_series(self, number: int) -> None:
        """Have a series be one of 0."""
        for column in self._of_series:
            column[number] = 0

    @property
    def _of_pairs(self) -> tuple[array[int], ...]:
        return self.counts, self.sums_ns

    @property
    def _of_series(self) -> tuple[array[int], ...]:
        return self.unanswered, self.in_flight, self.request_bytes, self.response_bytes


@dataclass(frozen=True, slots=True)
class CollectedSeries:
    """A :class:`httptop.collect.metrics.SeriesReading`; it does not change any more."""

    named: Sequence[Named | None]  # by number; None: there is none
    figures: Figures
    pages: Pages
    #: Further latencies of pairs, by number: of what is gone, or added up already.
    packed: Mapping[int, bytes]
    added: Mapping[int, Histogram]

    def __iter__(self) -> Iterator[Series]:
        """Yield each series."""
        figures = self.figures
        for number, named in enumerate(self.named):
            if named is None:
                continue
            give_way()
            yield Series(
                named.key,
                named.began_at,
                tuple(self._outcome(status, pair) for status, pair in named.pairs),
                figures.unanswered[number],
                figures.in_flight[number],
                figures.request_bytes[number],
                figures.response_bytes[number],
            )

    def _outcome(self, status: int, pair: int) -> Outcome:
        histogram: Histogram = {}
        self.pages.add_to(histogram, pair)
        add(histogram, unpacked(self.packed.get(pair, b"")))
        add(histogram, self.added.get(pair, {}))
        # A response that comes while its cell is read may be in the histogram alone.
        count = max(self.figures.counts[pair], sum(histogram.values()))
        return Outcome(status, count, self.figures.sums_ns[pair], histogram)
