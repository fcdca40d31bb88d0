"""Stretches of time: their sums stay exact, however many snapshots are joined in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from httptop.model import SIDES, Snapshot
from httptop.report.timeline import MOST_STRETCHES, Timeline
from tests.report.of import tick_of


def timeline(snapshots: list[Snapshot]) -> Timeline:
    found = Timeline()
    for one in snapshots:
        found.see(one)
    return found


@pytest.mark.parametrize("ticks", [1, 2, MOST_STRETCHES, MOST_STRETCHES + 1, 1021])
def test_the_stretches_add_up_to_the_last_snapshot(ticks: int) -> None:
    last = tick_of(ticks)
    found = timeline([tick_of(tick) for tick in range(1, ticks + 1)]).stretches
    assert 1 <= len(found) <= MOST_STRETCHES
    assert (found[0].begin_s, found[-1].end_s) == (0.0, last.uptime_s)
    for before, after in pairwise(found):
        assert before.end_s == after.begin_s
    for side in SIDES:
        totals = last.total(side)
        assert sum(one.sides[side].requests for one in found) == totals.requests
        assert sum(one.sides[side].classes[4] for one in found) == totals.status_class(4)
        bands = sum((one.sides[side].bands for one in found), Counter[int]())
        assert bands.total() == totals.latency_total.count
        assert set(bands) == {20, 30}
    assert len({one.seconds for one in found[:-1]}) <= 1  # but for the last one all are alike


def test_what_is_counted_where_the_clock_stands_still_belongs_to_the_last_stretch() -> None:
    last = replace(tick_of(3), uptime_s=2.0)
    (first, second) = timeline([tick_of(1), tick_of(2), last]).stretches
    assert (first.end_s, second.end_s) == (1.0, 2.0)
    requests = first.sides["server"].requests + second.sides["server"].requests
    assert requests == last.total("server").requests


def test_counters_that_fall_make_no_negative_rate() -> None:
    found = timeline([tick_of(5), replace(tick_of(1), uptime_s=6.0)]).stretches
    assert min(found[-1].sides["server"].classes) == 0
