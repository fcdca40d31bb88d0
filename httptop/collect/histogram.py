"""Latency histograms: log-linear buckets, the same ones as in the kernel (bpf/c/counters.h).

32 buckets an octave from 2^9 ns (512 ns) to 2^41 ns (37 minutes): a bucket is at most 1/32 of its
values wide, so its middle is within 1.6 % of every value in it. Buckets are numbered from 0; a
histogram is a dict from bucket to count, with the empty ones left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from typing import Final

from httptop.model import NO_LATENCY, Latency

OCTAVE_FIRST: Final = 9
OCTAVES: Final = 32
BUCKETS_PER_OCTAVE: Final = 32
BUCKETS: Final = OCTAVES * BUCKETS_PER_OCTAVE

Histogram = dict[int, int]


def bucket_of(value_ns: int) -> int:
    """Return the bucket that a latency falls into; out of range: the first or the last."""
    value_ns = min(max(value_ns, 1 << OCTAVE_FIRST), (1 << OCTAVE_FIRST + OCTAVES) - 1)
    octave = value_ns.bit_length() - 1
    return (octave - OCTAVE_FIRST) * 32 + (value_ns >> octave - 5 & 31)


def bounds(bucket: int) -> tuple[int, int]:
    """Return a bucket's least value and the one behind its greatest, in nanoseconds."""
    octave, step = divmod(bucket, BUCKETS_PER_OCTAVE)
    return (32 + step) << (octave + 4), (33 + step) << (octave + 4)


_MIDDLES: Final = tuple(sum(bounds(bucket)) / 2 for bucket in range(BUCKETS))


def middle(bucket: int) -> float:
    """Return the value that stands for a bucket, in nanoseconds."""
    return _MIDDLES[bucket]


def add(into: Histogram, more: Mapping[int, int]) -> None:
    """Add one histogram to another."""
    if not into:
        into.update(more)
        return
    get = into.get
    for bucket, count in more.items():
        into[bucket] = get(bucket, 0) + count


def subtract(from_: Histogram, less: Mapping[int, int]) -> None:
    """Take one histogram from another; no bucket falls below 0."""
    for bucket, count in less.items():
        rest = from_.get(bucket, 0) - count
        if rest > 0:
            from_[bucket] = rest
        else:
            from_.pop(bucket, None)


def quantile(histogram: Mapping[int, int], share: float, max_ns: float) -> float:
    """Return the latency that ``share`` of all stay at or below, in nanoseconds."""
    rank = share * sum(histogram.values())
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= rank:
            return min(_MIDDLES[bucket], max_ns)
    return 0.0


_SHARES: Final = (0.5, 0.9, 0.95, 0.99, 0.999)


def summary(histogram: Mapping[int, int], sum_ns: int, max_ns: int) -> Latency:
    """Summarise a histogram whose values add up to ``sum_ns``.

    ``max_ns`` is the greatest of a longer time: where it falls into the greatest bucket here, it is
    the greatest here too; else that bucket's middle stands for it.
    """
    if not histogram:
        return NO_LATENCY
    buckets = sorted(histogram)
    up_to = list(accumulate(map(histogram.__getitem__, buckets)))
    count, last = up_to[-1], buckets[-1]
    low, high = bounds(last)
    top = float(max_ns) if low <= max_ns < high else _MIDDLES[last]
    values = [_MIDDLES[buckets[bisect_left(up_to, share * count)]] for share in _SHARES]
    p50, p90, p95, p99, p999 = [value if value < top else top for value in values]
    return Latency(count, sum_ns / count, p50, p90, p95, p99, p999, top)
