"""What the service manager is told of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from httptop.model import Side, Totals
from httptop.run.service import observers_for, status
from tests.factory import snapshot_at


def test_its_status_is_what_was_counted() -> None:
    totals: Mapping[Side, Totals] = {"server": Totals(requests=81264, rps=2708.8)}
    snapshot = replace(snapshot_at(1), totals=totals, notes=())
    assert status(snapshot) == "81.3k requests served (2709/s), 0 requests sent (0/s)"
    assert status(replace(snapshot, notes=("one",))) == status(snapshot) + ", 1 note"


def test_without_a_manager_nobody_is_told() -> None:
    assert observers_for(None) == []
