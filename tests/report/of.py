"""Reports to test with."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from httptop.model import SIDES, Latency, Snapshot, Totals
from httptop.report.gathering import Gathering, Report
from tests.factory import snapshot


@cache
def tick_of(tick: int) -> Snapshot:
    """Return the snapshot of a tick of a long run: twelve requests more on each side, no rows."""
    totals = Totals(
        requests=12 * tick,
        unanswered=tick,
        status={200: 10 * tick, 404: tick},
        latency_total=Latency(11 * tick, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6),
        trend_bands=(((20, 8 + tick % 2), (30, 3 - tick % 2), (31, 0)),) * min(tick, 5),
    )
    return replace(snapshot(tick=tick), totals=dict.fromkeys(SIDES, totals))


def report_of(*snapshots: Snapshot, scope: tuple[str, ...] = ()) -> Report:
    """Return the report of some snapshots, unredacted."""
    gathering = Gathering(scope)
    for one in snapshots:
        gathering.see(one)
    return gathering.report(snapshots[-1], lambda snapshot: snapshot)
