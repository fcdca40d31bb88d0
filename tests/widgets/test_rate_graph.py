"""The graph of rates: its scale, and what a column is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.widgets.rate_graph import Cell, layers, mean_of, top_of


@pytest.mark.parametrize(
    ("rates", "top"),
    [
        ([], 1.0),
        ([0.0, 0.0], 1.0),
        ([3.0], 3.0),
        ([10.0, 27.0], 30.0),
        ([100.0] * 99 + [24_000.0], 150.0),  # one spike does not flatten the rest
        ([100.0] * 50 + [24_000.0] * 50, 30_000.0),
    ],
)
def test_the_top_of_the_scale(rates: list[float], top: float) -> None:
    assert top_of(rates) == top


def hues(rates: tuple[float, ...], top: float, height: int) -> list[str]:
    """Return the hues of a column, with a line below those of which there is a line only."""
    return [f"{cell.hue}_" if cell.thin else cell.hue for cell in layers(rates, top, height)]


def test_a_column_from_its_foot_up() -> None:
    assert hues((0, 0, 50, 0, 0, 0), 100, 4) == ["rate", "rate", "", ""]
    assert hues((0, 0, 100, 0, 0, 0), 100, 4) == ["rate"] * 4
    assert hues((0, 0, 50, 0, 25, 25), 100, 4) == ["rate", "rate", "4xx", "5xx"]
    assert hues((0, 0, 0, 0, 0, 100), 100, 4) == ["5xx"] * 4
    assert hues((0,) * 6, 100, 4) == [""] * 4


def test_what_fails_is_seen_however_little_it_is() -> None:
    assert hues((0, 0, 100, 0, 0, 0.01), 100, 4) == ["rate", "rate", "rate", "5xx_"]
    assert hues((0.01, 0, 1, 0, 0.01, 0.01), 100, 4) == ["4xx_", "5xx_", "none_", ""]
    assert hues((0, 0, 80, 0, 12, 13), 100, 4) == ["rate", "rate", "4xx_", "5xx"]
    assert hues((500, 0, 100, 0, 0, 500), 100, 4) == ["none"] * 4


@given(st.tuples(*[st.floats(0, 1000)] * 6), st.floats(0.1, 2000), st.integers(1, 20))
def test_every_column_fits(rates: tuple[float, ...], top: float, height: int) -> None:
    cells = layers(rates, top, height)
    assert len(cells) == height
    filled = [cell for cell in cells if cell.hue]
    assert cells == filled + [Cell("")] * (height - len(filled))
    assert bool(filled) == (sum(rates) > 0)


def test_a_column_of_several_ticks() -> None:
    assert mean_of([(0, 0, 2, 0, 0, 4), (0, 0, 4, 0, 0, 0)]) == (0, 0, 3, 0, 0, 2)
