"""How the findings share a line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.view.headline import shared


def test_the_first_one_is_whole_and_the_others_get_what_is_left() -> None:
    assert shared([10, 20, 30], 60) == [10, 20, 30]
    assert shared([50, 50, 50], 100) == [50, 30, 20]
    assert shared([90, 50, 10], 100) == [70, 20, 10]
    assert shared([], 60) == []
    assert shared([5], -3) == [0]


@given(st.lists(st.integers(0, 200), max_size=5), st.integers(0, 300))
def test_no_room_is_wasted_and_none_invented(wanted: list[int], room: int) -> None:
    found = shared(wanted, room)
    assert sum(found) <= room
    assert all(cells <= most for cells, most in zip(found, wanted, strict=True))
    if sum(wanted) > room and wanted:
        assert sum(found) == room
