"""Latencies out of Prometheus' histograms, which are of rates: how many a second are in a bucket.

Within a bucket latencies are taken for evenly spread, as Prometheus does it. Classic buckets end at
up to 2.5 times their lower bound, so a percentile may be as far off; native ones are 2.2 % wide.
What is beyond the last bound has that for its latency. The maximum is not known.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from httptop.collect.histogram import SHARES
from httptop.fleet.results import Native
from httptop.model import BANDS_PER_OCTAVE, LEAST_BAND_NS, NO_LATENCY, Bands, Latency

#: Lower bound, upper bound, how many a second; ascending.
Buckets = Sequence[tuple[float, float, float]]
#: Less than one in a thousand years: what is left of a sum of rates is no latency.
_LEAST: Final = 1e-11
#: More than that is no figure of a fleet.
_MOST: Final = 1e15
_NS: Final = 1e9


def classic(cumulative: Iterable[tuple[float, float]]) -> Buckets:
    """Return the buckets of a classic histogram: (upper bound, how many are at most that)."""
    found: list[tuple[float, float, float]] = []
    low = up_to = 0.0
    for high, so_far in sorted(cumulative):
        if math.isnan(high) or math.isnan(so_far):
            continue
        n = max(0.0, so_far - up_to)
        if _LEAST < n < _MOST:
            found.append((low, high, n))
        low, up_to = max(high, 0.0), max(up_to, so_far)
    return found


def native(histogram: Native) -> Buckets:
    """Return the buckets of a native histogram."""
    return sorted(one for one in histogram.buckets if _LEAST < one[2] < _MOST and one[0] < one[1])


def latency_of(buckets: Buckets, seconds: float, window_s: float) -> Latency:
    """Return the summary of latencies.

    ``seconds``: that they add up to in a second, NaN: not known; ``window_s``: what they are of.
    """
    total = sum(n for _, _, n in buckets)
    if not total > _LEAST or not math.isfinite(total):
        return NO_LATENCY
    found = [_quantile(buckets, share * total) * _NS for share in SHARES]
    count, mean_ns = max(1, round(total * window_s)), seconds / total * _NS
    p50, p90, p95, p99, p999 = found
    return Latency(count, mean_ns, p50, p90, p95, p99, p999, math.nan)


def merged(some: Iterable[Buckets]) -> Buckets:
    """Return the buckets of some histograms together; those that overlap are cut at all bounds."""
    found: dict[tuple[float, float], float] = {}
    for buckets in some:
        for low, high, n in buckets:
            found[low, high] = found.get((low, high), 0.0) + n
    spans = sorted(found)
    if all(one[1] <= other[0] for one, other in pairwise(spans)):
        return [(low, high, found[low, high]) for low, high in spans]
    bounds = sorted({bound for span in spans for bound in span})
    cut: dict[tuple[float, float], float] = {}
    for (low, high), n in found.items():
        at = bisect_left(bounds, low)
        while bounds[at] < high:
            part = bounds[at], bounds[at + 1]
            share = (
                (part[1] - part[0]) / (high - low) if math.isfinite(high) else float(part[0] == low)
            )
            cut[part] = cut.get(part, 0.0) + n * share
            at += 1
    return [(low, high, cut[low, high]) for low, high in sorted(cut) if cut[low, high] > _LEAST]


def bands_of(buckets: Buckets, interval_s: float) -> Bands:
    """Return how many latencies of an interval each band has; of narrow buckets."""
    found: dict[int, float] = {}
    for low, high, n in buckets:
        middle = low if math.isinf(high) else (max(low, 0.0) + high) / 2
        place = math.log2(max(1.0, middle * _NS / LEAST_BAND_NS)) * BANDS_PER_OCTAVE
        band = min(int(place), 32 * BANDS_PER_OCTAVE - 1)
        found[band] = found.get(band, 0.0) + n * interval_s
    return tuple((band, round(n)) for band, n in sorted(found.items()) if round(n))


def _quantile(buckets: Buckets, rank: float) -> float:
    for low, high, n in buckets:
        if rank <= n:
            return low if math.isinf(high) else low + (high - low) * rank / n
        rank -= n
    low, high, _ = buckets[-1]
    return low if math.isinf(high) else high
