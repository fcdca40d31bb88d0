"""Keys change the rows of a run, and nothing that it exports: a screen with a collector behind."""

from __future__ import annotations

from dataclasses import replace

from httptop.app import HttptopApp
from httptop.collect.metrics import Outcome, Series
from httptop.collect.source import RawResponse
from httptop.collector import Collector
from httptop.config.load import build
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from tests.collect.cells import FAST, FakeSource, Reading, answered, delta, endpoint
from tests.screens.fake_run import FakeRun
from tests.screens.handles import settled, show, table, write

NORTH, SOUTH, WEST, EAST = (f"/shops/{name}/a" for name in ("north", "south", "west", "east"))
MERGED = "/shops/{id}/a"


def traffic(cell: int, path: str, count: int) -> Reading:
    """Return a reading with so many responses for a path, and a request without one."""
    return Reading(
        endpoints={cell: endpoint(path)},
        responses={cell + 1: RawResponse(cell, 200)},
        deltas=[
            delta(cell, counted=count + 1, unanswered=1, bytes=9 * count),
            answered(cell + 1, count, 7 * count),
        ],
    )


def exported(collector: Collector, now_s: float) -> dict[str, Series]:
    """Return what the feed's metrics are at a moment, by path."""
    found = list(collector.read_metrics(now_s, now_s).series)
    assert len({one.key for one in found}) == len(found)
    return {one.key.path: one for one in found}


def grown(before: Series, count: int) -> Series:
    """Return a series as it is once :func:`traffic` was read that many times more."""
    [outcome] = before.outcomes
    return replace(
        before,
        outcomes=(
            Outcome(
                200,
                outcome.count + count,
                outcome.sum_ns + 10_000 * count,
                {FAST: outcome.buckets[FAST] + count},
            ),
        ),
        unanswered=before.unanswered + 1,
        request_bytes=before.request_bytes + 9 * count,
        response_bytes=before.response_bytes + 7 * count,
    )


async def test_paths_that_are_counted_together_and_apart_again_are_the_same_series() -> None:
    source = FakeSource(traffic(10, NORTH, 5), traffic(20, SOUTH, 3))
    collector = Collector(source, DEFAULTS, Scope(), host="here", exported=True)
    collector.begin(1000.0, 1000.0)
    run = FakeRun(change=lambda changes: collector.apply(build(changes)))
    async with HttptopApp(run=run).run_test(size=(100, 40)) as pilot:
        for now_s in (1001.0, 1002.0):
            app = await show(pilot, collector.step(now_s, now_s))
        assert {row.key.path for row in table(app).rows} == {NORTH, SOUTH}
        first = exported(collector, 1002.0)
        counts = {path: one.outcomes[0].count for path, one in first.items()}
        assert counts == {NORTH: 5, SOUTH: 3}

        await pilot.press("m", "ctrl+u")
        await write(pilot, "/shops/*/a")
        await pilot.press("enter")
        await settled(pilot)
        source.readings += (traffic(10, NORTH, 4), traffic(30, WEST, 2))
        for now_s in (1003.0, 1004.0):
            await show(pilot, collector.step(now_s, now_s))
        [row] = table(app).rows
        assert (row.key.path, row.requests) == (MERGED, 5 + 1 + 3 + 1 + 4 + 1 + 2 + 1)
        second = exported(collector, 1004.0)
        # What is new has the name that it has on the screen, and what was there keeps its own.
        west = second[MERGED]
        assert (west.outcomes[0].count, west.unanswered, west.began_at) == (2, 1, 1002.0)
        assert second == {NORTH: grown(first[NORTH], 4), SOUTH: first[SOUTH], MERGED: west}

        await pilot.press("u", "enter")
        await settled(pilot)
        source.readings += (traffic(20, SOUTH, 6), traffic(40, EAST, 1))
        for now_s in (1005.0, 1006.0):
            await show(pilot, collector.step(now_s, now_s))
        assert {SOUTH, EAST} < {row.key.path for row in table(app).rows}
        third = exported(collector, 1006.0)
        east = third[EAST]
        assert (east.outcomes[0].count, east.began_at) == (1, 1004.0)
        assert third == second | {SOUTH: grown(second[SOUTH], 6), EAST: east}
        requests = sum(one.outcomes[0].count + one.unanswered for one in third.values())
        assert requests == sum(row.requests for row in table(app).rows) == 21 + 6
