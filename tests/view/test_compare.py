"""What has changed since a baseline, and what is only chance."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from httptop.collect import histogram
from httptop.model import Latency
from httptop.view.compare import (
    LEVELS,
    MOST_ROWS,
    Baseline,
    Measured,
    bounds,
    compare,
    measured,
    quantile,
    sure_of_errors,
    sure_of_quantiles,
    sure_of_rates,
)
from tests.factory import LATENCY, key, row, snapshot

MS = 1e6


def _latency(count: int, seed: int, scale: float = 1.0) -> Latency:
    """Return the summary of latencies with a long tail, as histograms have it."""
    dice = random.Random(seed)
    values = [int(2 * MS * scale * math.exp(dice.gauss(0, 0.8))) for _ in range(count)]
    buckets: histogram.Histogram = {}
    for value in values:
        bucket = histogram.bucket_of(value)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return histogram.summary(buckets, sum(values), max(values))


def _sure(now: Latency, before: Latency, share: float = 0.99) -> int:
    return sure_of_quantiles(now, before, share, 300 if share == 0.99 else 50)


def _measured(requests: int = 1000, errors: int | None = 0, rps: float = 100.0) -> Measured:
    return Measured(rps, requests, errors, LATENCY)


@pytest.mark.parametrize("count", [300, 1000, 5000])
def test_the_same_latencies_measured_again_are_no_change(count: int) -> None:
    """Twice of the same distribution: chance is mistaken for a change no more than it may be."""
    pairs = 200
    levels = [_sure(_latency(count, n), _latency(count, pairs + n)) for n in range(pairs)]
    assert sum(level >= 1 for level in levels) <= pairs / 20
    assert sum(level >= 3 for level in levels) <= 2


@pytest.mark.parametrize("count", [50, 145, 1000, 5000])
def test_the_same_medians_measured_again_are_no_change(count: int) -> None:
    pairs = 200
    levels = [_sure(_latency(count, n), _latency(count, pairs + n), 0.5) for n in range(pairs)]
    assert sum(level >= 1 for level in levels) <= pairs / 20
    assert sum(level >= 3 for level in levels) <= 2


@pytest.mark.parametrize(("count", "scale"), [(145, 8.0), (145, 2.0), (1000, 1.3), (60, 3.0)])
def test_a_median_that_moved_is_a_change(count: int, scale: float) -> None:
    levels = [_sure(_latency(count, n), _latency(count, 900 + n, scale), 0.5) for n in range(50)]
    assert sum(level >= 1 for level in levels) >= 45


@pytest.mark.parametrize(("count", "scale"), [(1000, 3.0), (5000, 1.8), (300, 8.0)])
def test_slower_latencies_are_a_change(count: int, scale: float) -> None:
    levels = [_sure(_latency(count, n), _latency(count, 900 + n, scale)) for n in range(50)]
    assert sum(level >= 1 for level in levels) >= 45
    assert [_sure(_latency(299, 1), _latency(299, 2, 50.0))] == [0]  # too few


def test_bounds_hold_the_percentile() -> None:
    whole = _latency(100_000, 1).p99_ns
    held = 0
    for n in range(200):
        low, high = bounds(_latency(2000, 10 + n), 0.99, LEVELS[0])
        held += low <= whole <= high
    assert held >= 185


def test_quantiles_between_those_that_are_known() -> None:
    latency = _latency(10_000, 3)
    known = [quantile(latency, share) for share in (0.5, 0.9, 0.95, 0.99)]
    assert known == pytest.approx(
        [latency.p50_ns, latency.p90_ns, latency.p95_ns, latency.p99_ns], rel=1e-9
    )
    shares = [quantile(latency, n / 1000) for n in range(1, 1001)]
    assert shares == sorted(shares)
    assert shares[-1] == latency.max_ns


@pytest.mark.parametrize(
    ("now", "before", "sure"),
    [
        ((1000, 100.0), (1000, 100.0), 0),
        ((1000, 105.0), (1000, 100.0), 0),  # less than a tenth
        ((1500, 150.0), (1000, 100.0), 3),
        ((15, 1.5), (10, 1.0), 0),  # few requests
        ((130, 13.0), (100, 10.0), 1),
        ((0, 0.0), (100, 10.0), 0),
    ],
)
def test_rates(now: tuple[int, float], before: tuple[int, float], sure: int) -> None:
    one, other = (_measured(requests, 0, rps) for requests, rps in (now, before))
    assert sure_of_rates(one, other) == sure_of_rates(other, one) == sure


@pytest.mark.parametrize(
    ("now", "before", "sure"),
    [
        ((1000, 10), (1000, 10), 0),
        ((1000, 33), (1000, 1), 3),
        ((100, 3), (100, 0), 0),
        ((100_000, 400), (100_000, 100), 0),  # less than half a point
        ((1000, None), (1000, 50), 0),
        ((1000, 27), (1000, 10), 2),
        ((1000, 1000), (1000, 1000), 0),
    ],
)
def test_errors(now: tuple[int, int | None], before: tuple[int, int | None], sure: int) -> None:
    one, other = (_measured(requests, errors) for requests, errors in (now, before))
    assert sure_of_errors(one, other) == sure_of_errors(other, one) == sure


def test_endpoints_that_are_new_or_gone() -> None:
    baseline = Baseline(0.0, "1m", {key("/gone"): _measured(), key("/a"): _measured()})
    now = {key("/a"): _measured(), key("/new"): _measured(), key("/c", side="client"): _measured()}
    found = {one.key.path: one for one in compare(now, baseline, "server")}
    assert {path: one.state for path, one in found.items()} == {
        "/gone": "gone", "/a": "", "/new": "new"
    }  # fmt: skip
    assert [one.changed for one in found.values()].count(True) == 2
    assert (found["/gone"].rate.now, found["/new"].rate.before) == (None, None)


def test_the_greatest_change_comes_first() -> None:
    before, slow, slower = (
        Measured(10.0, 1000, 0, _latency(1000, n, scale)) for n, scale in enumerate((1, 4, 20))
    )
    paths = {"/a": before, "/b": slow, "/c": slower}
    baseline = Baseline(0.0, "1m", {key(path): before for path in paths})
    found = compare({key(path): one for path, one in paths.items()}, baseline, "server")
    assert [one.key.path for one in found] == ["/c", "/b", "/a"]
    assert [one.changed for one in found] == [True, True, False]


def test_the_busiest_endpoints_are_compared() -> None:
    rows = [replace(row(key(f"/{n}")), rps=float(n)) for n in range(MOST_ROWS + 10)]
    found = measured(snapshot(rows))
    assert len(found) == MOST_ROWS
    assert key("/9") not in found
    assert measured(snapshot([replace(row(), rps=0.0)])) == {}
    older = replace(row(), window_requests=None, window_errors=None)
    (one,) = measured(snapshot([older])).values()
    assert (one.requests, one.error_share) == (older.latency.count, None)
