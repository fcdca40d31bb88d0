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
from httptop.model import SIDES, EndpointKey, Side

_NONE: Final = -1
#: Of a page: the bytes of a bucket; as one integer, the bits that are 0 in all of small counts.
_BYTES: Final = PAGE.size // BUCKETS_PER_OCTAVE
_ABOVE_8_BITS: Final = int.from_bytes(b"\0\xff\xff\xff" * BUCKETS_PER_OCTAVE, "little")
_ABOVE_16_BITS: Final = int.from_bytes(b"\0\0\xff\xff" * BUCKETS_PER_OCTAVE, "little")
_16_BITS: Final = struct.Struct(f"<{BUCKETS_PER_OCTAVE}H")
#: Of a packed histogram a bucket with its count.
_PACKED: Final = struct.Struct("<HQ")


def packed(histogram: Mapping[int, int]) -> bytes:
    """Return a histogram in few bytes."""
    return b"".join(_PACKED.pack(bucket, count) for bucket, count in sorted(histogram.items()))


def unpacked(data: bytes) -> Histogram:
    """Return what :func:`packed` has packed."""
    return dict(_PACKED.iter_unpack(data))


class Pages:
    """Buckets of octaves by the pair that they belong to, in the order in which they came.

    They have four bytes each, and few count that much: of a page the lowest byte of each is kept,
    or these and then the next ones, where all others are 0.
    """

    def __init__(self, pairs: int) -> None:
        """``pairs``: how many there are."""
        self._latest = array("i", [_NONE]) * pairs  # of each pair, the number of its latest page
        self._before = array("i")  # of each page, the number of its pair's page before
        self._octaves = bytearray()
        self._kept = bytearray()
        self._ends = array("Q", [0])  # in it: of each page that of the one before, and its own

    def put(self, pair: int, octave: int, page: bytes | memoryview) -> None:
        """Add a page."""
        self._before.append(self._latest[pair])
        self._latest[pair] = len(self._octaves)
        self._octaves.append(octave)
        number, kept = int.from_bytes(page, "little"), self._kept
        if not number & _ABOVE_8_BITS:
            kept += bytes(page)[::_BYTES]
        elif not number & _ABOVE_16_BITS:
            whole = bytes(page)
            kept += whole[::_BYTES] + whole[1::_BYTES]
        else:
            kept += page
        self._ends.append(len(kept))

    def add_to(self, histogram: Histogram, pair: int) -> None:
        """Add all of a pair to a histogram."""
        page = self._latest[pair]
        while page != _NONE:
            first = self._octaves[page] * BUCKETS_PER_OCTAVE
            counts = _counts(self._kept[self._ends[page] : self._ends[page + 1]])
            add(histogram, {first + n: count for n, count in enumerate(counts) if count})
            page = self._before[page]


def _counts(kept: bytearray) -> Sequence[int]:
    """Return the buckets of an octave of which so many bytes are kept."""
    if len(kept) == BUCKETS_PER_OCTAVE:
        return kept
    if len(kept) == PAGE.size:
        return PAGE.unpack(kept)
    both = bytearray(_16_BITS.size)
    both[::2], both[1::2] = kept[:BUCKETS_PER_OCTAVE], kept[BUCKETS_PER_OCTAVE:]
    return _16_BITS.unpack(both)


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
        for side in SIDES:
            yield from self.of(side)

    def of(self, side: Side) -> Iterator[Series]:
        """Yield each series of a side."""
        figures = self.figures
        for number, named in enumerate(self.named):
            if named is None or named.key.side != side:
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
