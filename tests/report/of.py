"""Reports to test with."""

from __future__ import annotations

from httptop.model import Snapshot
from httptop.report.gathering import Gathering, Report


def report_of(*snapshots: Snapshot, scope: tuple[str, ...] = ()) -> Report:
    """Return the report of some snapshots, unredacted."""
    gathering = Gathering(scope)
    for one in snapshots:
        gathering.see(one)
    return gathering.report(snapshots[-1], lambda snapshot: snapshot)
