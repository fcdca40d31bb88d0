"""Histograms: the buckets, and the summary of a distribution."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect import histogram
from httptop.collect.histogram import BUCKETS, bounds, bucket_of
from httptop.model import NO_LATENCY

IN_RANGE = st.integers(1 << 9, (1 << 41) - 1)
HISTOGRAMS = st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 10**9), max_size=40)


@given(IN_RANGE)
def test_a_value_lies_in_its_bucket(value: int) -> None:
    low, high = bounds(bucket_of(value))
    assert low <= value < high
    assert abs((low + high) / 2 - value) <= value / 60


def test_buckets_follow_one_another() -> None:
    assert bounds(0)[0] == 1 << 9
    assert bounds(BUCKETS - 1)[1] == 1 << 41
    for bucket in range(BUCKETS - 1):
        assert bounds(bucket)[1] == bounds(bucket + 1)[0]
        assert bucket_of(bounds(bucket)[1]) == bucket + 1
        assert bucket_of(bounds(bucket)[1] - 1) == bucket


@pytest.mark.parametrize(("value", "bucket"), [(0, 0), (1, 0), (511, 0), (1 << 50, BUCKETS - 1)])
def test_values_out_of_range(value: int, bucket: int) -> None:
    assert bucket_of(value) == bucket


@given(HISTOGRAMS, HISTOGRAMS)
def test_what_was_added_can_be_taken_away(one: dict[int, int], other: dict[int, int]) -> None:
    total = dict(one)
    histogram.add(total, other)
    assert sum(total.values()) == sum(one.values()) + sum(other.values())
    histogram.subtract(total, other)
    assert total == one


@given(st.lists(IN_RANGE, min_size=1, max_size=300))
def test_quantiles_are_close_to_the_truth(values: list[int]) -> None:
    counts: dict[int, int] = {}
    for value in values:
        histogram.add(counts, {bucket_of(value): 1})
    values.sort()
    found = histogram.summary(counts, sum(values), values[-1])
    assert found.count == len(values)
    assert found.max_ns == values[-1]
    assert found.mean_ns == pytest.approx(sum(values) / len(values))
    for share, quantile in (
        (0.5, found.p50_ns), (0.9, found.p90_ns), (0.95, found.p95_ns),
        (0.99, found.p99_ns), (0.999, found.p999_ns),
    ):  # fmt: skip
        true = values[math.ceil(round(share * len(values), 9)) - 1]
        assert abs(quantile - true) <= 0.0162 * true
        assert histogram.quantile(counts, share, values[-1]) == quantile
    assert found.p50_ns <= found.p90_ns <= found.p95_ns <= found.p99_ns <= found.p999_ns
    assert found.p999_ns <= found.max_ns


def test_a_longer_times_greatest_value_does_not_stand_for_this_ones() -> None:
    counts = {bucket_of(10_000): 5}
    found = histogram.summary(counts, 50_000, 9_000_000)
    assert found.max_ns == sum(bounds(bucket_of(10_000))) / 2


def test_nothing_measured() -> None:
    assert histogram.summary({}, 0, 0) == NO_LATENCY
    assert histogram.quantile({}, 0.5, 0) == 0.0


def test_known_distribution() -> None:
    dice = random.Random(1)
    values = sorted(int(dice.lognormvariate(15, 1)) for _ in range(20_000))
    counts: dict[int, int] = {}
    for value in values:
        histogram.add(counts, {bucket_of(value): 1})
    found = histogram.summary(counts, sum(values), values[-1])
    assert found.p50_ns == pytest.approx(values[9_999], rel=0.02)
    assert found.p99_ns == pytest.approx(values[19_799], rel=0.02)
    assert found.p999_ns == pytest.approx(values[19_979], rel=0.02)


@given(st.lists(st.integers(600, 10**9), min_size=1, max_size=40), st.booleans())
def test_of_few_values_the_highest_percentile_is_their_maximum(
    values: list[int], maximum_known: bool
) -> None:
    """A bucket's middle is below some of its values: so p99.9 was below the mean of all."""
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + 1
    found = histogram.summary(counts, sum(values), max(values) if maximum_known else 10**11)
    assert found.p999_ns == found.max_ns >= found.mean_ns
    assert found.max_ns == pytest.approx(max(values), rel=0.016)
