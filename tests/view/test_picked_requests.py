"""The requests that a filter picks: rows of any statuses add up to what was counted of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.filters.on_screen import parse_for_screen
from httptop.model import NO_LATENCY, STATUS_UNKNOWN, EndpointStats, class_of
from httptop.view.state import View, rows, scene
from tests.factory import key, row, snapshot_at

COUNTS = st.dictionaries(st.sampled_from([200, 302, 404, 500, 503]), st.integers(0, 9), max_size=4)


def _row(
    path: str,
    window: Mapping[int, int],
    before: Mapping[int, int],
    lost: int = 0,
    in_flight: int = 0,
) -> EndpointStats:
    """Return a row with so many responses in the window and before it; ``lost``: unanswered now."""
    status = {
        code: n for code in {*window, *before} if (n := window.get(code, 0) + before.get(code, 0))
    }
    made = row(key(path), status, lost, in_flight=in_flight)
    now = {code: n for code, n in window.items() if n}
    requests = sum(now.values()) + lost
    return replace(
        made,
        rps=requests / 10,
        window_requests=requests,
        window_errors=lost + sum(n for code, n in now.items() if code >= 400),
        window_status=now | ({STATUS_UNKNOWN: lost} if lost else {}),
    )


def _shown(
    text: str, *given_rows: EndpointStats, since_start: bool = False
) -> dict[str, EndpointStats]:
    view = View(expression=parse_for_screen(text), since_start=since_start)
    return {one.key.path: one for one in rows(snapshot_at(rows=given_rows), view)}


def test_a_row_has_the_figures_of_the_requests_that_are_picked() -> None:
    made = _row("/a", {200: 80, 503: 15, 404: 5}, {200: 900, 500: 7}, lost=10, in_flight=3)
    found = _shown("status = 5xx", made)["/a"]
    assert (found.window_requests, found.window_errors, found.rps) == (15, 15, 1.5)
    assert (found.requests, found.errors, found.status) == (22, 22, {503: 15, 500: 7})
    assert (found.unanswered, found.in_flight, found.error_share) == (0, 0, 1.0)
    assert (found.latency, found.latency_total, found.trend_ns) == (NO_LATENCY, NO_LATENCY, ())
    assert found.by_pid == made.by_pid
    assert found.partial
    found = _shown("status = unknown", made)["/a"]
    assert (found.window_requests, found.window_errors, found.unanswered) == (10, 10, 10)
    found = _shown("status != 5xx", made)["/a"]
    assert (found.window_requests, found.window_errors, found.in_flight) == (95, 15, 3)


def test_the_latency_is_the_rows_where_no_other_response_came() -> None:
    made = _row("/a", {503: 15}, {200: 900}, lost=1)
    found = _shown("status = 5xx", made)["/a"]
    assert (found.latency, found.latency_total) == (made.latency, NO_LATENCY)
    found = _shown("status = 503", _row("/a", {503: 15}, {}, lost=1))["/a"]
    assert found.latency_total == made.latency_total
    assert _shown("status = 5xx", _row("/a", {503: 15, 200: 1}, {}))["/a"].latency == NO_LATENCY


def test_all_of_a_row_is_as_it_is() -> None:
    made = _row("/a", {200: 8}, {204: 1})
    assert _shown("status = 2xx", made)["/a"] == made
    assert _shown("status = 2xx", replace(made, in_flight=2))["/a"] == made
    assert _shown("status = 5xx or path = /a", replace(made, in_flight=2))["/a"].in_flight == 2


def test_rows_without_such_a_request_now_are_idle() -> None:
    ended, never = _row("/ended", {200: 9}, {503: 4}, in_flight=1), _row("/never", {200: 9}, {})
    found = scene(
        snapshot_at(rows=[ended, never, _row("/now", {503: 1, 200: 9}, {})]),
        View(expression=parse_for_screen("status = 5xx")),
    )
    assert [one.key.path for one in found.rows] == ["/now", "/ended"]
    assert found.idle_rows == 1
    assert found.shown_rps == pytest.approx(0.1)


def test_where_the_windows_statuses_are_not_known_rows_are_whole() -> None:
    made = replace(_row("/a", {200: 8, 503: 2}, {}), window_status=None)
    view = View(expression=parse_for_screen("status = 5xx"))
    found = scene(snapshot_at(rows=[made]), view)
    assert (list(found.rows), found.whole_rows) == ([replace(made, in_flight=0)], True)
    found = scene(snapshot_at(rows=[made]), replace(view, since_start=True))
    assert (found.rows[0].requests, found.whole_rows) == (2, False)


FILTERS = (
    "status = 5xx",
    "status >= 400",
    "not status = 200",
    "status = 302 or path = /a",
    "status = unknown",
)


@given(
    st.lists(st.tuples(COUNTS, COUNTS, st.integers(0, 3)), min_size=1, max_size=5),
    st.sampled_from(FILTERS),
)
def test_a_filter_and_its_opposite_have_each_request_once(
    counts: list[tuple[dict[int, int], dict[int, int], int]], text: str
) -> None:
    made = [_row(f"/{chr(97 + n)}", *one) for n, one in enumerate(counts)]
    for since_start in (False, True):
        for_each = [_shown(one, *made, since_start=since_start) for one in (text, f"not ({text})")]
        for one in made:
            parts = [found[one.key.path] for found in for_each if one.key.path in found]
            requests = one.requests if since_start else one.window_requests
            errors = one.errors if since_start else one.window_errors
            assert sum(part.window_requests or 0 for part in parts) == requests
            assert sum(part.window_errors or 0 for part in parts) == errors
            assert sum(part.requests for part in parts) == one.requests
            for part in parts:
                failed = sum(n for code, n in part.status.items() if class_of(code) >= 4)
                assert part.errors == failed + part.unanswered
