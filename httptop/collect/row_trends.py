"""The 99th percentile of each row over time: that of the last ticks, and what is usual for the row.

That of a tick is the window's at its end, by the bucket that it is in (histogram.py). The numbers
of buckets grow with the logarithm of the latency, so a distance between two is a ratio.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from mmap import mmap
from typing import Final, NamedTuple

from httptop.collect.histogram import MIDDLES
from httptop.collect.sums import ROW, RowFigures

_WORDS: Final = ROW.size // 8
_HALVES: Final = ROW.size // 2
_COUNT_AT: Final = RowFigures._fields.index("window_count")
#: The percentiles are 16 bits wide, behind the figures of 64 bits.
_P50_AT: Final = 15 * 4 + RowFigures._fields.index("window_p50") - 15
_P99_AT: Final = 15 * 4 + RowFigures._fields.index("window_p99") - 15

#: A bucket's number, plus 1; 0: the window had no latency.
Buckets = Sequence[int]

#: With fewer latencies in the window its 99th percentile is that of one request: the row has few.
#: One that has had as many is asked for half of them, so that one around this number is not now
#: this, now that. Likewise of few: with fewer still nothing is said.
LEAST_COUNT: Final = 100
LEAST_OF_FEW: Final = 10
_NOTHING, _FEW, _MANY = 0, 1, 2
#: Ticks until something may be said to be usual.
LEAST_TICKS: Final = 30
#: A tick moves what is usual by so many buckets: much in the first ticks, later little.
_FIRST_STEP: Final = 40.0
_LAST_STEP: Final = 0.25
#: From so many ticks on it is the last step.
_SETTLED: Final = math.ceil(_FIRST_STEP / _LAST_STEP)
#: What is unusual moves it by this part of that: a fault is not usual before half an hour of it.
_UNUSUAL: Final = 0.2
#: The share of ticks that are left out above what is still usual, and below it; and how many times
#: as far away from the median as those quantiles a value has to be.
_TAIL: Final = 0.05
_MARGIN: Final = 2.0
#: A change is one if the median is so many buckets away: by a quarter.
_LEAST_CHANGE: Final = 10
#: Chance alone moves the 99th percentile of n values by so many buckets, divided by the root of n,
#: once in 400 times: three standard deviations, where the logarithm of a latency has one of 0.8.
#: With few values that is more than what has been learnt from a row's first ticks.
_BY_CHANCE: Final = 410


def p99_buckets(rows: bytes | mmap) -> list[int]:
    """Return the bucket of the window's 99th percentile of each row of the sums."""
    return memoryview(rows).cast("H")[_P99_AT::_HALVES].tolist()


def p50_buckets(rows: bytes | mmap) -> list[int]:
    """Return the bucket of the window's median of each row of the sums."""
    return memoryview(rows).cast("H")[_P50_AT::_HALVES].tolist()


def p99_of(rows: bytes) -> tuple[Buckets, Sequence[int]]:
    """Return the 99th percentile of each row of the sums, and how many latencies it is of."""
    counts = memoryview(rows).cast("Q")[_COUNT_AT::_WORDS].tolist()
    buckets = zip(p99_buckets(rows), counts, strict=True)
    found = [at + 1 if count else 0 for at, count in buckets]
    return array("H", found), counts


def trend_of(row: int, ticks: Sequence[Buckets]) -> tuple[float | None, ...]:
    """Return a row's 99th percentile (ns) at the end of each tick, None where there was none."""
    found = [buckets[row] if row < len(buckets) else 0 for buckets in ticks]
    return tuple([MIDDLES[at - 1] if at else None for at in found])


def merged(buckets: Buckets, rows: Mapping[int, int]) -> Buckets:
    """Return the same with some rows being others'.

    Where both have a percentile, that of all their requests is not known: the higher one stands.
    """
    found = array("H", buckets)
    found.extend([0] * (max(0, *rows.values()) + 1 - len(found)))
    for row, into in rows.items():
        if row < len(buckets):
            found[into] = max(found[into], found[row])
            found[row] = 0
    return found


def is_unusual(
    p99: float,
    count: float,
    p50: float,
    kind: float,
    median: float,
    low: float,
    high: float,
) -> bool:
    """Return whether a 99th percentile is beyond where most ticks are, and not by chance.

    ``p99`` and ``p50`` are buckets of ``count`` latencies. Most ticks are around a median, between
    ``low`` and ``high``. Of few requests one may take any time; but half of them do not take longer
    by chance than the slowest of nearly all ticks has.
    """
    if kind == _FEW:
        return p50 >= high + _LEAST_CHANGE
    distance = abs(p99 - median)
    if distance < _LEAST_CHANGE:  # as nearly always
        return False
    spread = (high if p99 > median else low) - median
    return distance >= max(_BY_CHANCE / math.sqrt(count), abs(spread) * _MARGIN)


class UsualP99(NamedTuple):
    """What is usual for a row's 99th percentile."""

    median_ns: float
    #: How many times as high as the median it is now; 1 if that is not unusual for the row.
    change: float


class UsualP99s:
    """Learns what is usual for the 99th percentile of each row; for one thread alone.

    Three quantiles follow what comes by small steps, up or down: the median, and the two that leave
    out the highest and the lowest twentieth of all ticks. What is beyond those is unusual.
    """

    def __init__(self) -> None:
        self._median, self._low, self._high = array("f"), array("f"), array("f")
        self._ticks = array("f")  # that each row has been learnt from
        self._kind = array("f")  # whether the row has many requests, few, or next to none

    @property
    def _columns(self) -> tuple[array[float], ...]:
        return self._median, self._low, self._high, self._ticks, self._kind

    def learn(self, buckets: Buckets, counts: Sequence[int], medians: Sequence[int]) -> None:
        """Learn from a tick; ``counts``: of how many latencies each percentile is.

        ``medians``: the buckets of their medians.
        """
        self._extend(len(buckets))
        kinds = self._kind
        for row, count in enumerate(counts):
            if not count:  # as most of many rows
                kinds[row] = _NOTHING
                continue
            kind = kinds[row]
            if count >= LEAST_COUNT or (kind == _MANY and count >= LEAST_COUNT // 2):
                kinds[row] = _MANY
            elif count >= LEAST_OF_FEW or (kind and count >= LEAST_OF_FEW // 2):
                kinds[row] = _FEW
            else:
                kinds[row] = _NOTHING
                continue
            self._learn(row, buckets[row] - 1, count, medians[row])

    def _learn(self, row: int, p99: int, count: int, p50: int) -> None:
        ticks, median, low, high = self._ticks[row], *self._usual(row)
        if not ticks:
            median = low = high = float(p99)
        step = _LAST_STEP if ticks >= _SETTLED else _FIRST_STEP / (ticks + 1)
        if ticks >= LEAST_TICKS and is_unusual(p99, count, p50, self._kind[row], median, low, high):
            step *= _UNUSUAL
        half, much, little = 0.5 * step, (1 - _TAIL) * step, _TAIL * step
        self._median[row] = median + max(-half, min(half, p99 - median))
        self._low[row] = low + max(-much, min(little, p99 - low))
        self._high[row] = high + max(-little, min(much, p99 - high))
        if ticks < _SETTLED:
            self._ticks[row] = ticks + 1

    def _usual(self, row: int) -> tuple[float, float, float]:
        return self._median[row], self._low[row], self._high[row]

    def merge(self, rows: Mapping[int, int]) -> None:
        """Have some rows be others'; what is usual for those is usual for both."""
        self._extend(max(0, *rows.values()) + 1)
        for row, into in rows.items():
            if row < len(self._ticks):
                for column in self._columns:
                    if column is not self._ticks and not self._ticks[into]:
                        column[into] = column[row]
                self._ticks[into] = self._ticks[into] or self._ticks[row]
                self._ticks[row] = 0

    def cut(self, end: int) -> None:
        """Know nothing of rows from ``end`` on, and take no room for them."""
        for column in self._columns:
            del column[end:]

    def table(self) -> UsualTable:
        """Return what is known now."""
        return UsualTable(*(column[:] for column in self._columns))

    def _extend(self, size: int) -> None:
        for column in self._columns:
            column.extend([0] * (size - len(column)))


class UsualTable(NamedTuple):
    """What was usual for each row at a moment, in numbers of buckets; nothing of it changes."""

    median: Sequence[float] = ()
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    ticks: Sequence[float] = ()
    kind: Sequence[float] = ()

    def of(self, row: int, p99: int, count: int, p50: int) -> UsualP99 | None:
        """Return what is usual for a row that has these buckets of so many latencies in the window.

        None: too little is known.
        """
        (change,) = self.changes([row], [p99], [count], [p50])
        return UsualP99(MIDDLES[round(self.median[row])], change) if change else None

    def changes(
        self,
        rows: Sequence[int],
        p99s: Iterable[float],
        counts: Iterable[float],
        p50s: Iterable[float],
    ) -> list[float]:
        """Return how many times as high as usual the percentiles of rows are; 0: not known.

        Each row has its buckets of so many latencies in the window.
        """
        known, found = len(self.ticks), list[float]()
        for row, p99, count, p50 in zip(rows, p99s, counts, p50s, strict=True):
            if not count or row >= known or self.ticks[row] < LEAST_TICKS or not self.kind[row]:
                found.append(0.0)
                continue
            median = self.median[row]
            usual = self.kind[row], median, self.low[row], self.high[row]
            changed = is_unusual(p99, count, p50, *usual)
            found.append(MIDDLES[int(p99)] / MIDDLES[round(median)] if changed else 1.0)
        return found
