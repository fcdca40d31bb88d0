"""What chance does to figures that are measured twice."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

import pytest

from httptop.model import Latency
from httptop.view.chance import (
    LEVELS,
    bounds,
    chance_of_order,
    ranked,
    ranks,
    sure_of_errors,
    sure_of_medians,
    sure_of_p99s,
    sure_of_rates,
)
from httptop.view.compare import Measured
from tests.factory import LATENCY
from tests.view.latencies import MS, summary_of

Shape = Callable[[random.Random], float]


def _long_tail(dice: random.Random) -> float:
    return math.exp(dice.gauss(0, 0.8))


def _two_heaps(dice: random.Random) -> float:
    return (1 if dice.random() < 0.5 else 20) * math.exp(dice.gauss(0, 0.2))


@lru_cache
def _latency(count: int, seed: int, scale: float = 1.0, shape: Shape = _long_tail) -> Latency:
    """Return the summary of latencies, as histograms have it."""
    dice = random.Random(seed)
    return summary_of([2 * MS * scale * shape(dice) for _ in range(count)])


def _measured(requests: int = 1000, errors: int | None = 0, rps: float = 100.0) -> Measured:
    return Measured(rps, requests, errors, LATENCY)


@pytest.mark.parametrize("shape", [_long_tail, _two_heaps])
@pytest.mark.parametrize("count", [6, 15, 60, 400])
def test_the_same_latencies_measured_again_are_no_change(count: int, shape: Shape) -> None:
    """Twice of the same distribution: chance is mistaken for a change no more than it may be."""
    pairs = 60
    for sure_of in (sure_of_medians, sure_of_p99s):
        levels = Counter(
            sure_of(_latency(count, n, 1, shape), _latency(count, pairs + n, 1, shape))
            for n in range(pairs)
        )
        assert sum(levels[level] for level in (1, 2, 3)) <= pairs / 20
        assert levels[3] <= 1


@pytest.mark.parametrize(
    ("count", "scale"), [(10, 16.0), (15, 10.0), (145, 2.5), (1000, 1.3), (60, 4.0)]
)
def test_a_median_that_moved_is_a_change(count: int, scale: float) -> None:
    for n in range(5):
        now, before = _latency(count, n, scale), _latency(count, 900 + n)
        assert sure_of_medians(now, before) == sure_of_medians(before, now)
    levels = [
        sure_of_medians(_latency(count, n, scale), _latency(count, 900 + n)) for n in range(30)
    ]
    assert sum(bool(level) for level in levels) >= 24


@pytest.mark.parametrize(("count", "scale"), [(15, 12.0), (60, 12.0), (300, 8.0), (1000, 3.0)])
def test_slower_latencies_are_a_change(count: int, scale: float) -> None:
    levels = [sure_of_p99s(_latency(count, n, scale), _latency(count, 900 + n)) for n in range(30)]
    assert sum(bool(level) for level in levels) >= 24


def test_a_slow_end_is_a_change_though_the_median_is_none() -> None:
    before = [2 * MS + n * 1e4 for n in range(100)]
    now = [*before[:80], *(365 * MS for _ in range(20))]
    assert sure_of_p99s(summary_of(now), summary_of(before)) == 2
    assert not sure_of_medians(summary_of(now), summary_of(before))


@pytest.mark.parametrize("count", [1, 5, 30, 120, 300])
def test_it_cannot_be_told_of_few(count: int) -> None:
    """A percentile that may have doubled is not said to be the same."""
    now, before = _latency(count, 1, 1.5), _latency(count, 2)
    assert sure_of_p99s(now, before) is None
    if count < 50:
        assert sure_of_medians(now, before) is None
    assert sure_of_p99s(now, Latency()) is None
    assert sure_of_medians(Latency(), before) is None


def test_many_of_one_make_up_for_few_of_the_other() -> None:
    now, before = _latency(60, 1, 10.0), _latency(3000, 2)
    assert sure_of_p99s(now, before) == 3
    assert sure_of_p99s(_latency(60, 3), before) is None


def test_latencies_of_zero_are_compared() -> None:
    """A capture may have been written by anybody."""
    zero, some = Latency(1000), _latency(1000, 1)
    for sure_of in (sure_of_medians, sure_of_p99s):
        assert sure_of(zero, zero) == 0
        assert sure_of(zero, some) == sure_of(some, zero) == 3


def test_many_are_no_change() -> None:
    assert sure_of_p99s(_latency(3000, 1), _latency(3000, 2)) == 0
    assert sure_of_medians(_latency(500, 1), _latency(500, 2)) == 0


def test_bounds_hold_the_percentile() -> None:
    whole = 2 * MS * math.exp(0.8 * NormalDist().inv_cdf(0.99))
    for count in (60, 400):
        held = 0
        for n in range(60):
            low, high = bounds(_latency(count, 10 + n), 0.99, LEVELS[0])
            held += low <= whole <= high
        assert held >= 54


@pytest.mark.parametrize(
    ("count", "share", "between"),
    [
        # By tables of the binomial distribution, 2.5 % on either side.
        (5, 0.5, (0, 6)),
        (6, 0.5, (1, 6)),
        (15, 0.5, (4, 12)),
        (20, 0.5, (6, 15)),
        (367, 0.99, (359, 368)),
        (368, 0.99, (360, 368)),
    ],
)
def test_ranks(count: int, share: float, between: tuple[float, float]) -> None:
    assert ranks(count, share, LEVELS[0]) == between


def test_the_order_of_two_samples_is_counted_exactly() -> None:
    # All of the 8 highest of 30 are of the same 15: 15! 22! / (7! 30!).
    expected = math.comb(22, 7) / math.comb(30, 15)
    assert chance_of_order(15, 8, 15, 15) == pytest.approx(expected)
    assert chance_of_order(1, 1, 1, 1) == pytest.approx(0.5)
    assert chance_of_order(9, 9, 9, 2) == 1.0  # more than a half
    assert chance_of_order(3, 1, 2, 2) == pytest.approx(1 / math.comb(5, 2))
    assert 0 < chance_of_order(10**6, 500_000, 10**6, 510_000) < 1e-40


def test_latencies_of_ranks() -> None:
    latency = _latency(10_000, 3)
    known = [ranked(latency, rank) for rank in (5000, 9000, 9500, 9900, 9990, 10_000)]
    assert known == pytest.approx(
        [latency.p50_ns, latency.p90_ns, latency.p95_ns, latency.p99_ns, latency.p999_ns,
         latency.max_ns]
    )  # fmt: skip
    values = [ranked(latency, rank) for rank in range(1, 10_001, 9)]
    assert values == sorted(values)
    assert ranked(_latency(1, 3), 1) == _latency(1, 3).max_ns


@pytest.mark.parametrize(
    ("now", "before", "sure"),
    [
        ((1000, 100.0), (1000, 100.0), 0),
        ((1000, 105.0), (1000, 100.0), 0),  # less than a tenth
        ((10_000, 105.0), (10_000, 100.0), 0),
        ((1500, 150.0), (1000, 100.0), 3),
        ((15, 1.5), (10, 1.0), None),  # few requests
        ((130, 13.0), (100, 10.0), 1),
        ((0, 0.0), (100, 10.0), None),
    ],
)
def test_rates(now: tuple[int, float], before: tuple[int, float], sure: int | None) -> None:
    one, other = (_measured(requests, 0, rps) for requests, rps in (now, before))
    assert sure_of_rates(one, other) == sure_of_rates(other, one) == sure


@pytest.mark.parametrize(
    ("now", "before", "sure"),
    [
        ((1000, 10), (1000, 10), 0),
        ((1000, 33), (1000, 1), 3),
        ((100, 3), (100, 0), 0),
        ((10, 0), (10, 0), None),
        ((10, 2), (12, 0), None),
        ((0, 0), (12, 0), None),
        ((100_000, 400), (100_000, 100), 0),  # less than half a point
        ((1000, None), (1000, 50), None),
        ((1000, 27), (1000, 10), 2),
        ((1000, 1000), (1000, 1000), 0),
    ],
)
def test_errors(
    now: tuple[int, int | None], before: tuple[int, int | None], sure: int | None
) -> None:
    one, other = (_measured(requests, errors) for requests, errors in (now, before))
    assert sure_of_errors(one, other) == sure_of_errors(other, one) == sure
