"""Latency histograms with log-linear buckets, the same as in the kernel (bpf/c/counters.h).

There are 32 buckets per octave, from 2^9 ns (512 ns) to 2^41 ns (37 minutes). The width of a bucket
is at most 1/32 of its values, so its middle is within 1.6 % of each of them. Buckets are numbered
from 0 to BUCKETS - 1; a histogram is a dict from bucket to count, without the empty buckets.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

from httptop.model import BANDS_PER_OCTAVE, NO_LATENCY, Bands, Latency

OCTAVE_FIRST: Final = 9
OCTAVES: Final = 32
BUCKETS_PER_OCTAVE: Final = 32
BUCKETS: Final = OCTAVES * BUCKETS_PER_OCTAVE
_BUCKETS_PER_BAND: Final = BUCKETS_PER_OCTAVE // BANDS_PER_OCTAVE

Histogram = dict[int, int]


def bucket_of(value_ns: int) -> int:
    """Return the bucket of a latency; the first or the last one if it is out of range."""
    value_ns = min(max(value_ns, 1 << OCTAVE_FIRST), (1 << OCTAVE_FIRST + OCTAVES) - 1)
    octave = value_ns.bit_length() - 1
    return (octave - OCTAVE_FIRST) * BUCKETS_PER_OCTAVE + (value_ns >> octave - 5 & 31)


def bounds(bucket: int) -> tuple[int, int]:
    """Return a bucket's lower bound, included, and its upper bound, excluded, in nanoseconds."""
    octave, step = divmod(bucket, BUCKETS_PER_OCTAVE)
    return (32 + step) << (octave + 4), (33 + step) << (octave + 4)


#: The value that stands for those in a bucket.
MIDDLES: Final = tuple(sum(bounds(bucket)) / 2 for bucket in range(BUCKETS))


def add(into: Histogram, more: Mapping[int, int]) -> None:
    """Add one histogram to another."""
    if not into:
        into.update(more)
        return
    get = into.get
    for bucket, count in more.items():
        into[bucket] = get(bucket, 0) + count


def subtract(from_: Histogram, less: Mapping[int, int]) -> None:
    """Subtract one histogram from another; no bucket falls below 0."""
    for bucket, count in less.items():
        rest = from_.get(bucket, 0) - count
        if rest > 0:
            from_[bucket] = rest
        else:
            from_.pop(bucket, None)


def quantile(histogram: Mapping[int, int], share: float, max_ns: float) -> float:
    """Return the latency that ``share`` (0 to 1) of all do not exceed, in nanoseconds.

    It is at most ``max_ns``, and 0 for an empty histogram.
    """
    count = sum(histogram.values())
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= share * count:
            return percentile(bucket, share, count, top_of(max(histogram), int(max_ns)))
    return 0.0


def bands_of(histogram: Mapping[int, int]) -> Bands:
    """Return how many latencies of a histogram each band has."""
    found: dict[int, int] = {}
    for bucket, count in histogram.items():
        band = bucket // _BUCKETS_PER_BAND
        found[band] = found.get(band, 0) + count
    return tuple(sorted(found.items()))


#: The shares of the percentiles of a summary, but for the maximum.
SHARES: Final = (0.5, 0.9, 0.95, 0.99, 0.999)


def summary(histogram: Mapping[int, int], sum_ns: int, max_ns: int) -> Latency:
    """Return the summary of a histogram whose values add up to ``sum_ns``.

    ``max_ns`` is the maximum of this time or of a longer one.
    """
    if not histogram:
        return NO_LATENCY
    buckets = sorted(histogram)
    up_to = list(accumulate(map(histogram.__getitem__, buckets)))
    count = up_to[-1]
    found = [buckets[bisect_left(up_to, share * count)] for share in SHARES]
    return summary_of(count, sum_ns, max_ns, (*found, buckets[-1]))


def summary_of(count: int, sum_ns: int, max_ns: int, buckets: Sequence[int]) -> Latency:
    """Return the summary of ``count`` values, not 0, of which a histogram is known only in part.

    ``buckets`` are those of the 50th, 90th, 95th, 99th, 99.9th and 100th percentile. If ``max_ns``
    is in the last one, it is the maximum here, too; otherwise the middle of that bucket stands for
    it, or the mean, which is not above the maximum.
    """
    mean_ns = sum_ns / count
    top = top_of(buckets[-1], max_ns, mean_ns)
    p50, p90, p95, p99, p999 = [
        percentile(bucket, share, count, top)
        for bucket, share in zip(buckets[:-1], SHARES, strict=True)
    ]
    return Latency(count, mean_ns, p50, p90, p95, p99, p999, top)


def percentile(bucket: int, share: float, count: int, top: float) -> float:
    """Return a percentile of ``count`` values, which is in a bucket; ``top``: their maximum.

    Of few values a high percentile is their maximum, which is known better than by a bucket.
    """
    return top if math.ceil(share * count) >= count else min(MIDDLES[bucket], top)


def top_of(last: int, max_ns: int, mean_ns: float = 0.0) -> float:
    """Return the maximum of values of which ``last`` is the last bucket; see :func:`summary_of`."""
    low, high = bounds(last)
    if low <= max_ns < high:
        return float(max_ns)
    return max(MIDDLES[last], mean_ns) if mean_ns < high else MIDDLES[last]
