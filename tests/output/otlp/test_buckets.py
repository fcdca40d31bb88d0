"""Buckets of OpenTelemetry's histograms, against exact arithmetic."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.histogram import BUCKETS, MIDDLES
from httptop.output.otlp.buckets import SCALE, explicit, exponential

BOUNDS = (0.0001, 0.001, 0.01, 0.1, 1.0)
histograms = st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 2**63))


@pytest.mark.parametrize("bucket", range(0, BUCKETS, 7))
def test_a_middle_is_within_its_exponential_bucket(bucket: int) -> None:
    index, counts = exponential({bucket: 3})
    assert counts == [3]
    # base ** index < seconds <= base ** (index + 1), with base ** 32 == 2
    seconds = Fraction(MIDDLES[bucket]) / 10**9
    power = seconds**2**SCALE
    assert Fraction(2) ** index < power <= Fraction(2) ** (index + 1)


@given(histograms)
def test_nothing_is_lost_in_exponential_buckets(histogram: dict[int, int]) -> None:
    first, counts = exponential(histogram)
    assert sum(counts) == sum(histogram.values())
    if counts:
        assert counts[0]
        assert counts[-1]
    placed: Counter[int] = Counter()
    for bucket, count in histogram.items():
        placed[math.ceil(math.log2(MIDDLES[bucket] / 1e9) * 32) - 1] += count
    assert placed == {first + at: count for at, count in enumerate(counts) if count}


@given(histograms)
def test_nothing_is_lost_between_bounds(histogram: dict[int, int]) -> None:
    counts = explicit(histogram, BOUNDS)
    assert sum(counts) == sum(histogram.values())
    for bound, below in zip(BOUNDS, range(1, len(counts)), strict=True):
        expected = sum(n for bucket, n in histogram.items() if MIDDLES[bucket] / 1e9 <= bound)
        assert sum(counts[:below]) == expected


def test_an_empty_histogram_has_no_buckets() -> None:
    assert exponential({}) == (0, [])
    assert explicit({}, BOUNDS) == [0] * 6
