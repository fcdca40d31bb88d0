"""The line of time: what is in which column, and which speeds there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.filters.watches import parse_watch
from httptop.view.moment import (
    SPEEDS,
    Mark,
    Moment,
    Rate,
    column_of,
    marks_of,
    next_speed,
    profile,
    time_of,
)
from httptop.view.watches import Event


def _profile(rates: list[tuple[float, float]], width: int, gap_s: float = 15.0) -> list[object]:
    first, last = rates[0][0], rates[-1][0]
    line = [Rate(*rate) for rate in rates]
    return list(profile(Moment(last, first, last, rates=line, longest_gap_s=gap_s), width))


def test_a_column_has_the_mean_of_its_ticks() -> None:
    assert _profile([(n, float(n)) for n in range(8)], 4) == [0.5, 2.5, 4.5, 6.5]


def test_a_tick_reaches_back_to_the_one_before_unless_that_is_long_ago() -> None:
    assert _profile([(0, 1.0), (10, 5.0), (20, 9.0)], 7) == [1.0, 5.0, 5.0, 5.0, 9.0, 9.0, 9.0]
    assert _profile([(0, 1.0), (100, 5.0), (110, 9.0)], 6) == [1.0, None, None, None, None, 7.0]


def test_one_tick_alone() -> None:
    assert _profile([(5, 3.0)], 3) == [None, None, 3.0]
    assert _profile([(5, 3.0), (6, 4.0)], 1) == [3.5]
    assert _profile([(5, 3.0), (6, 4.0)], 0) == []


@given(st.floats(0, 2e9), st.floats(0.1, 1e6), st.integers(1, 200), st.data())
def test_a_click_on_a_column_is_a_time_in_it(
    first: float, length: float, width: int, data: st.DataObject
) -> None:
    last = first + length
    column = data.draw(st.integers(0, width - 1))
    at = time_of(column, first, last, width)
    assert first <= at <= last
    assert abs(column_of(at, first, last, width) - column) <= (width == 1)
    assert time_of(width - 1, first, last, width) in (first, last)


def test_marks_are_between_the_ends() -> None:
    watch = parse_watch("any p99 > 1s")
    events = [Event(n, watch, "server", float(at), 1.0, 2.0, False) for n, at in ((2, 9), (1, 4))]
    wanted = [Mark(4.0, "event"), Mark(9.0, "event"), Mark(5.0, "baseline")]
    assert marks_of(events, 5.0, 0.0, 10.0) == wanted
    assert marks_of(events, None, 5.0, 10.0) == wanted[1:2]


def test_speeds() -> None:
    assert [next_speed(1.0, 1), next_speed(1.0, -1)] == [2.0, 0.5]
    assert [next_speed(SPEEDS[-1], 1), next_speed(SPEEDS[0], -1)] == [None, None]
