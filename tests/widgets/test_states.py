"""Colours say that something is worse than usual or over a limit, never what it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from httptop.humanize import DEFAULT_UNITS
from httptop.model import EndpointStats
from httptop.widgets.columns import COLUMNS
from tests.factory import endpoint, key, with_usual

LONG = endpoint(key("/report"), p50_ms=800.0, rps=20.0)  # it takes so long every day


def cells(row: EndpointStats) -> dict[str, tuple[str, str]]:
    return {column.sort: column.cell(row, DEFAULT_UNITS) for column in COLUMNS}


@pytest.mark.parametrize("name", ["p50", "p95", "p99", "max", "mean", "rps"])
def test_a_figure_that_is_as_usual_is_plain(name: str) -> None:
    quick = cells(endpoint(key("/"), p50_ms=0.2, rps=20.0))[name][1]
    assert quick == cells(LONG)[name][1] in ("text", "strong")


@pytest.mark.parametrize(
    ("change", "hue"), [(0.7, "text"), (1.0, "text"), (1.4, "warn"), (8, "bad")]
)
def test_p99_has_the_colour_of_its_change(change: float, hue: str) -> None:
    fast = with_usual(endpoint(key("/"), p50_ms=3.0, rps=300.0), change)
    assert cells(fast)["p99"][1] == hue


@pytest.mark.parametrize(
    ("share", "text", "hue"), [(0, "·", "faint"), (4, "0.4%", "text"), (20, "2.0%", "bad")]
)
def test_errors_are_striking_from_one_percent_on(share: int, text: str, hue: str) -> None:
    row = replace(LONG, window_requests=1000, window_errors=share)
    assert cells(row)["error_share"] == (text, hue)


def test_the_oldest_request_is_striking_if_it_hangs() -> None:
    p99 = LONG.latency.p99_ns
    for age_ns, hue in ((p99, "text"), (1.9 * p99, "text"), (2.1 * p99, "bad")):
        assert cells(replace(LONG, oldest_in_flight_ns=age_ns))["oldest"][1] == hue


def test_zeros_are_dots() -> None:
    row = replace(LONG, rps=0.0, in_flight=0, unanswered=0, status={200: 4})
    found = cells(row)
    for name in ("rps", "in_flight", "unanswered", "5xx"):
        assert found[name] == ("·", "faint")
