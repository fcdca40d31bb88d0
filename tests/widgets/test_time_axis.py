"""The axis of time, and what a column stands for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.widgets.time_axis import ago, axis, columns, per_column


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (0.4, "now"), (1, "-1s"), (59, "-59s"), (60, "-1m"), (90, "-1m30s"),
     (3600, "-1h"), (3660, "-61m")],
)  # fmt: skip
def test_ago(seconds: float, text: str) -> None:
    assert ago(seconds) == text


@given(st.integers(10, 250), st.sampled_from([0.1, 0.5, 1.0, 2.0, 7.0, 60.0]))
def test_marks_stand_in_the_column_that_they_name(width: int, seconds_per_column: float) -> None:
    of_a_moment = axis(width, seconds_per_column, "12:04:12")
    assert (len(of_a_moment), of_a_moment[-9:].strip()) == (width, "12:04:12")
    line = axis(width, seconds_per_column)
    assert len(line) == width
    assert line.endswith("now")
    names = line.split()
    assert len(set(names)) == len(names)
    for name in names[:-1]:
        places = [at for at in range(width) if f"{line} "[at:].startswith(f"{name} ")]
        seconds = (width - places[0] - 1) * seconds_per_column
        assert any(
            abs(seconds - exact) <= 1.5 * seconds_per_column
            for exact in range(int(seconds + 3 * seconds_per_column) + 2)
            if ago(exact) == name
        )


def _together(ticks: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(tick for some in ticks for tick in some)


@given(st.integers(0, 60), st.integers(1, 7), st.integers(1, 20), st.integers(0, 100))
def test_columns_hold_the_newest_ticks(count: int, number: int, width: int, newest: int) -> None:
    ticks: list[tuple[int, ...]] = [(n,) for n in range(newest - count + 1, newest + 1)]
    shown = columns(ticks, number, width, _together, newest)
    assert len(shown) <= width
    held = [tick for column in shown for tick in column]
    assert held == list(range(newest + 1 - len(held), newest + 1))
    assert len(held) == count or len(shown) == width
    for column in shown[1:]:
        assert column[0] % number == 0
    for column in shown[1:-1]:
        assert len(column) == number


def test_the_history_fills_the_width() -> None:
    assert [per_column(history, 50) for history in (0, 1, 50, 99, 120, 3600)] == [1, 1, 1, 1, 2, 72]
    assert per_column(10, 0) == 1
