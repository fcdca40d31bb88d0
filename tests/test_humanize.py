"""Units: the short forms, and that they stay within their columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop import humanize
from httptop.humanize import Units


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (None, "-"),
        (0, "0ns"),
        (840, "840ns"),
        (999.6, "1.0µs"),
        (12_340, "12.3µs"),
        (1_200_000, "1.2ms"),
        (123_400_000, "123ms"),
        (999_700_000, "1.0s"),
        (3_440_000_000, "3.4s"),
        (59_960_000_000, "1m00s"),
        (123e9, "2m03s"),
        (3_900e9, "1h05m"),
    ],
)
def test_duration(ns: float | None, text: str) -> None:
    assert humanize.duration(ns) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0"), (9_999, "9999"), (12_345, "12.3k"), (999_960, "1.0M"), (4_510_000, "4.5M")],
)
def test_count(n: int, text: str) -> None:
    assert humanize.count(n) == text


@pytest.mark.parametrize(
    ("r", "text"),
    [(None, "-"), (0, "0"), (0.01, "<0.1"), (0.34, "0.3"), (99.96, "100"), (27_088, "27.1k")],
)
def test_rate(r: float | None, text: str) -> None:
    assert humanize.rate(r) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(None, "-"), (0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (3_565_158, "3.4 MiB")],
)
def test_size(n: int | None, text: str) -> None:
    assert humanize.size(n) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "-"),
        (0, "0%"),
        (0.0001, "<0.1%"),
        (0.012, "1.2%"),
        (0.97, "97%"),
        (0.9999, "99.9%"),
        (1, "100%"),
    ],
)
def test_percent(share: float | None, text: str) -> None:
    assert humanize.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (42.9, "0:42"), (727, "12:07"), (3_723, "1:02:03"), (266_580, "3d 02:03")],
)
def test_clock(seconds: float, text: str) -> None:
    assert humanize.clock(seconds) == text


@pytest.mark.parametrize(
    ("unit", "ns", "text"),
    [
        ("auto", 1_200_000, "1.2ms"),
        ("us", None, "-"),
        ("us", 0, "0µs"),
        ("us", 0.4, "<0.001µs"),
        ("us", 840, "0.840µs"),
        ("us", 1_234_567, "1235µs"),
        ("us", 9_999_999_000, "9999999µs"),
        ("us", 12e9, "12.0s"),  # would not fit its column
        ("ms", 840, "0.001ms"),
        ("ms", 9_996_000, "10.0ms"),
        ("ms", 12_345_678, "12.3ms"),
        ("ms", 123_450_000, "123ms"),
        ("ms", 45e9, "45000ms"),
        ("ms", 3_900e9, "1h05m"),
        ("s", 100_000, "<0.001s"),
        ("s", 1_840_000_000, "1.84s"),
        ("s", 3_900e9, "3900s"),
    ],
)
def test_latency_in_a_unit(unit: humanize.LatencyUnit, ns: float | None, text: str) -> None:
    assert Units(unit).duration(ns) == text


@pytest.mark.parametrize(
    ("n", "iec", "si"),
    [
        (None, "-", "-"),
        (999, "999 B", "999 B"),
        (1_000, "1000 B", "1.0 kB"),
        (1_024, "1.0 KiB", "1.0 kB"),
        (60_817_408, "58.0 MiB", "60.8 MB"),
        (999_999_999, "954 MiB", "1.0 GB"),
    ],
)
def test_size_in_both_units(n: int | None, iec: str, si: str) -> None:
    assert (Units().size(n), Units(byte="si").size(n)) == (iec, si)


@given(st.sampled_from(["auto", "us", "ms", "s"]), st.just(0.0) | st.floats(1e-3, 3.5e14))
def test_latency_fits_its_column(unit: humanize.LatencyUnit, ns: float) -> None:
    units = Units(unit)
    text = units.duration(ns)
    assert len(text) <= units.latency_width
    assert ns == 0 or not text.startswith("0µ")


@given(st.floats(0, 3.5e14))
def test_duration_fits_its_column(ns: float) -> None:
    assert len(humanize.duration(ns)) <= 6


@given(st.integers(0, 2**63))
def test_counts_and_sizes_fit_their_columns(n: int) -> None:
    assert len(humanize.count(n)) <= 5
    assert len(humanize.rate(float(n))) <= 5
    assert len(humanize.size(n)) <= 8
    assert len(Units(byte="si").size(n)) <= 8


@given(st.floats(0, 1))
def test_percent_is_never_all_or_nothing_by_rounding(share: float) -> None:
    text = humanize.percent(share)
    assert len(text) <= 5
    assert (text == "0%") == (share == 0)
    assert (text == "100%") == (share * 100.0 >= 100.0)
