"""Trends and bars: exact widths, honest zeros, gaps that are gaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from httptop.widgets.sparkline import Symbols, bar, capacity, ceiling, graph, stretched, trend

ALL: list[Symbols] = ["braille", "block", "ascii"]


@pytest.mark.parametrize("symbols", ALL)
@given(
    values=st.lists(st.none() | st.floats(0, 1e12), max_size=90),
    width=st.integers(0, 40),
    height=st.integers(1, 6),
)
def test_graphs_are_as_wide_and_high_as_asked(
    symbols: Symbols, values: list[float | None], width: int, height: int
) -> None:
    lines = graph(values, width, height, symbols)
    assert len(lines) == height
    assert all(cell_len(line) == width for line in lines)


@pytest.mark.parametrize(
    ("symbols", "text"), [("braille", " ⣀⣸"), ("block", "    ▁█"), ("ascii", "    _#")]
)
def test_zero_is_a_mark_and_nothing_is_a_gap(symbols: Symbols, text: str) -> None:
    values: list[float | None] = [None, None, 0.0, 1.0]
    if symbols == "braille":
        values = [None, None, 0.0, 0.0, 0.0, 1.0]
    assert trend(values, len(text), symbols) == text


def test_a_steady_line_is_half_high() -> None:
    assert trend([5.0] * 4, 4, "block") in ("▄▄▄▄", "▅▅▅▅")


def test_the_newest_values_win() -> None:
    assert trend([9.0, 9.0, 0.0, 0.0], 2, "block", top=9.0) == "▁▁"


def test_tty_symbols_are_ascii() -> None:
    assert graph([float(i) for i in range(40)], 20, 3, "ascii")[0].isascii()
    assert bar(0.5, 10, "ascii") == "#####"


def test_ceiling_has_a_floor() -> None:
    assert ceiling([0.001, None], 0.05) == 0.05
    assert ceiling([]) == 1.0
    assert ceiling([0.0, 0.0]) == 1.0


def test_a_share_that_is_not_nothing_shows() -> None:
    assert bar(0.0, 10, "block") == ""
    assert bar(1e-9, 10, "block") == "╸"
    assert bar(2.0, 10, "block") == "━" * 10


def test_few_values_are_stretched_evenly() -> None:
    assert stretched([1.0, None], 5) == [1.0, 1.0, None, None]
    assert stretched([], 5) == []
    assert capacity(5, "braille") == 10
