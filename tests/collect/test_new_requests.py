"""What a log has its requests from: each once, and what there is no room for is counted."""

from __future__ import annotations

from dataclasses import replace

from httptop.collect.new_requests import NewRequests, ReplayedRequests
from tests.factory import request, snapshot_at


def test_what_was_added_is_taken_once_in_its_order() -> None:
    new = NewRequests(most=3)
    for serial in range(1, 6):
        new.add(request(serial))
    assert [one.serial for one in new.take(snapshot_at(1))] == [1, 2, 3]
    assert new.left_out == 2
    assert new.take(snapshot_at(2)) == ()
    new.add(request(6))
    assert [one.serial for one in new.take(snapshot_at(3))] == [6]
    assert new.left_out == 2


def test_of_a_replay_each_serial_comes_once_whichever_way_it_goes() -> None:
    def snapshot(*serials: int) -> list[int]:
        recent = tuple(request(serial) for serial in serials)
        return [one.serial for one in replayed.take(replace(snapshot_at(1), recent=recent))]

    replayed = ReplayedRequests()
    assert snapshot(3, 1) == [1, 3]
    assert snapshot(5, 4, 3) == [4, 5]
    assert snapshot(3, 1) == []
    assert snapshot() == []
    assert snapshot(9, 5) == [9]
