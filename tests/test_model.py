"""The model: the few sums it makes."""

from __future__ import annotations

from httptop.model import Snapshot
from tests.factory import row, snapshot_at


def test_sums() -> None:
    one = row(status={200: 5, 302: 1, 404: 2, 503: 3}, unanswered=4)
    assert [one.status_class(n) for n in range(1, 6)] == [0, 5, 1, 2, 3]
    assert one.errors == 9


def test_totals_of_a_side_without_any() -> None:
    bare = snapshot_at()
    empty = Snapshot(bare.taken_at, "box", 1.0, 1.0, 60.0, 1.0, {}, ())
    assert empty.total("client").requests == 0
    assert not bare.health.good
    assert empty.health.good
