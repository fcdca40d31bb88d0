"""The head: sums of the rows that a filter leaves; of which requests and time its graphs are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from httptop.filters import parse
from httptop.model import NO_LATENCY, Filtered, Totals
from httptop.view.head import Head
from httptop.view.state import View, scene
from tests.factory import busy, key, latency, row, snapshot

FILTER = View(expression=parse("path ~ /a*"))
ROWS = (
    replace(row(key("/a"), {200: 80, 503: 20}, in_flight=2), rps=10.0),
    replace(row(key("/ab"), {200: 50}, in_flight=1), rps=5.0),
    replace(row(key("/b"), {200: 100}), rps=10.0),
)


def _head(view: View = FILTER, filtered: Filtered | None = None, age_s: float = 4.0) -> Head:
    snap = snapshot(ROWS)
    if filtered is not None:
        filtered = replace(filtered, began_s=snap.uptime_s - age_s)
    return scene(replace(snap, filtered=filtered), view).head


def _filtered(view: View = FILTER, ticks: int = 4) -> Filtered:
    assert view.filter is not None
    some = Totals(latency=latency(7.0, 50), trend_rps=(15.0,) * ticks)
    return Filtered(view.filter.text, 0.0, {"server": some})


def test_rates_errors_and_what_is_in_flight_are_sums_of_rows() -> None:
    totals = _head().totals
    assert (totals.rps, totals.in_flight) == (15.0, 3)
    assert totals.error_share == pytest.approx(20 / 150)


def test_without_a_filter_it_is_the_side() -> None:
    snap = busy()
    assert scene(snap, View()).head == Head(snap.total("server"))


def test_percentiles_and_graphs_are_what_the_feed_knows_of_the_filter() -> None:
    head = _head(filtered=_filtered())
    assert head.totals.latency == latency(7.0, 50)
    assert head.totals.trend_rps == (15.0,) * 4
    assert not head.graphs_of_all
    assert head.graphs_since == head.latencies_since == pytest.approx(snapshot(ROWS).taken_at - 4)
    head = _head(filtered=_filtered(ticks=500), age_s=500.0)
    assert (head.graphs_since, head.latencies_since) == (None, None)


def test_of_another_filter_they_are_not_known() -> None:
    for filtered in (None, _filtered(View(expression=parse("path ~ /b*")))):
        head = _head(filtered=filtered)
        assert head.graphs_of_all
        assert head.totals.latency == NO_LATENCY
        assert head.totals.trend_rps == snapshot(ROWS).total("server").trend_rps


def test_of_a_single_active_row_percentiles_are_known() -> None:
    one = View(expression=parse("path = /a"))
    assert _head(one).totals.latency == ROWS[0].latency
    assert _head(one, _filtered(one)).latencies_since is None


def test_since_start_no_percentile_is_that_of_the_filters_time() -> None:
    view = replace(FILTER, since_start=True)
    assert _head(view, _filtered()).totals.latency == NO_LATENCY


def test_latencies_that_are_known_of_all_rows_together_are_said_to_be() -> None:
    rows = tuple(
        replace(one, window_status={200: (one.window_requests or 0) - 2, 503: 2})
        for one in (row(key("/a"), {200: 80, 503: 20}), row(key("/b"), {200: 80, 503: 20}))
    )

    def together(view: View, filtered: Filtered | None) -> bool:
        return scene(replace(snapshot(rows), filtered=filtered), view).head.latencies_together

    mixed = View(expression=parse("status = 503"))
    assert together(mixed, _filtered(mixed))
    assert not together(mixed, None)  # known of none, so nothing need be said
    assert not together(FILTER, _filtered())
