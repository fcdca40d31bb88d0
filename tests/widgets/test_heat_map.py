"""The map of latencies: its scale, its shades, its marks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.widgets.heat_map import band_of, label_of, scale, shade, sum_of


def test_bands_double_every_two() -> None:
    assert [round(band_of(512 * 2**octave)) for octave in range(4)] == [0, 2, 4, 6]


@given(st.lists(st.integers(0, 63), max_size=30), st.integers(2, 20))
def test_every_band_has_a_line(bands: list[int], height: int) -> None:
    low, number = scale([((band, 1),) for band in bands], height)
    assert all(0 <= (band - low) // number < height for band in bands)


def test_a_line_has_as_few_bands_as_the_height_allows() -> None:
    assert scale([((20, 1),), ((25, 3),)], 6)[1] == 1
    assert scale([((20, 1),), ((26, 3),)], 6)[1] == 2


def test_marks() -> None:
    marks = [label_of(low, 1) for low in range(64)]
    assert [mark for mark in marks if mark] == [
        "1µs", "10µs", "100µs", "1ms", "10ms", "100ms", "1s", "10s", "100s", "1000s",
    ]  # fmt: skip


def test_a_single_slow_request_is_seen() -> None:
    assert shade(0, 10_000) == 0
    assert shade(1, 10_000) == 1
    assert shade(10_000, 10_000) == 5
    assert shade(1, 1) == 5
    assert shade(0, 0) == 0


def test_columns_of_several_ticks() -> None:
    assert sum_of([((3, 1), (5, 2)), (), ((5, 1), (4, 7))]) == ((3, 1), (4, 7), (5, 3))
