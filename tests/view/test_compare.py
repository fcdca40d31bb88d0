"""What has changed since a baseline, and what is only chance."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from httptop.model import Latency
from httptop.view.compare import MOST_ROWS, Baseline, Change, Measured, compare, compared, measured
from tests.factory import LATENCY, key, row, snapshot
from tests.view.latencies import MS, summary_of


def _latency(count: int, seed: int, scale: float = 1.0) -> Latency:
    """Return the summary of latencies with a long tail."""
    dice = random.Random(seed)
    return summary_of([2 * MS * scale * math.exp(dice.gauss(0, 0.8)) for _ in range(count)])


def _measured(requests: int = 1000, errors: int | None = 0, rps: float = 100.0) -> Measured:
    return Measured(rps, requests, errors, LATENCY)


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


def test_few_requests_are_no_sameness() -> None:
    """A price that takes 54 ms, after 3.4 ms: with 20 requests its median has changed."""
    few = [Measured(2.0, 20, 0, _latency(20, n, scale)) for n, scale in enumerate((1, 1.2, 3, 16))]
    before, same, doubtful, slow = few
    found = compared(key(), slow, before)
    assert found.changed
    assert found.p50_ns.sure == 3
    found = compared(key(), same, before)
    assert (found.changed, found.is_unclear, found.striking) == (False, True, False)
    assert (found.p50_ns.sure, found.p99_ns.sure) == (None, None)
    found = compared(key(), doubtful, before)
    assert (found.changed, found.is_unclear, found.striking) == (False, True, True)
    many = [Measured(900.0, 9000, 0, _latency(9000, n)) for n in range(2)]
    found = compared(key(), *many)
    assert (found.changed, found.is_unclear, found.striking) == (False, False, False)


def test_what_is_not_known_is_not_unclear() -> None:
    assert not Change(None, 1.0).is_unclear
    assert not Change(1.0, None).known
    assert Change(1.0, 2.0).is_unclear
    assert not Change(1.0, 2.0, 0).is_unclear


def test_what_is_striking_comes_after_what_has_changed() -> None:
    before, doubtful = (
        Measured(2.0, 20, 0, _latency(20, n, scale)) for n, scale in ((0, 1), (2, 3))
    )
    many, more = (Measured(rps, int(rps * 10), 0, LATENCY) for rps in (100.0, 150.0))
    baseline = Baseline(0.0, "10s", {key("/few"): before, key("/many"): many, key("/same"): many})
    now = {key("/few"): doubtful, key("/same"): many, key("/many"): more}
    found = compare(now, baseline, "server")
    assert [one.key.path for one in found] == ["/many", "/few", "/same"]
