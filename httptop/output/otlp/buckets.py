"""Latency histograms as OpenTelemetry has them: in seconds, exponential or with explicit bounds.

A bucket of ours (collect/histogram.py) goes where its middle is. Its width is at most 1/32 of its
values, so that moves no latency by more than 1.6 %.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from httptop.collect.histogram import MIDDLES

#: Of exponential histograms: 2**5 buckets double the latency, each 2.2 % wider than the one before.
SCALE: Final = 5


@cache
def _indexes() -> tuple[int, ...]:
    """Return the exponential bucket of each of ours: that of ``(base**index, base**(index+1)]``."""
    return tuple(math.ceil(math.log2(ns / 1e9) * 2**SCALE) - 1 for ns in MIDDLES)


def exponential(histogram: Mapping[int, int]) -> tuple[int, list[int]]:
    """Return the index of the first bucket, and the counts of that and the following ones.

    Both are empty, or 0, for an empty histogram.
    """
    if not histogram:
        return 0, []
    indexes = _indexes()
    first = indexes[min(histogram)]
    counts = [0] * (indexes[max(histogram)] - first + 1)
    for bucket, count in histogram.items():
        counts[indexes[bucket] - first] += count
    return first, counts


@cache
def _places(bounds: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(bisect_left(bounds, ns / 1e9) for ns in MIDDLES)


def explicit(histogram: Mapping[int, int], bounds: Sequence[float]) -> list[int]:
    """Return the counts up to each bound, in seconds and inclusive, and those above the last."""
    places = _places(tuple(bounds))
    counts = [0] * (len(bounds) + 1)
    for bucket, count in histogram.items():
        counts[places[bucket]] += count
    return counts
