"""The totals of what the screen's filter picks, against a count of what was fed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.path_rules import PathRules
from httptop.collect.source import RawResponse
from httptop.collect.window import SLOTS
from httptop.filters.matching import matches_key
from httptop.filters.on_screen import parse_for_screen, screen_filter
from httptop.filters.parser import parse
from httptop.model import STATUS_UNKNOWN, EndpointKey, class_of
from tests.collect.cells import FedRows, Reading, answered, collecting, delta, endpoint
from tests.collect.test_counted_ago import ALL, CELLS, PATHS, RESPONSES, reading_of

FILTERS = (
    "status = 5xx",
    "path ~ /u/*",
    "path = /c and status >= 400",
    "not status = 200",
    "status = unknown or path = /u/a",
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 2, SLOTS]),
        st.dictionaries(st.sampled_from(sorted(RESPONSES)), st.integers(1, 5), max_size=4),
        st.dictionaries(st.sampled_from(PATHS), st.integers(1, 3), max_size=2),
        st.sampled_from(["", "", "", "forget", "filter"]),
    ),
    max_size=30,
)


def _picks(text: str, path: str, code: int) -> bool:
    key = EndpointKey("server", "web", "HTTP/1.1", False, "GET", path)
    return matches_key(parse(text), key, code) is True


@given(STEPS, st.sampled_from(FILTERS))
def test_totals_are_of_what_the_filter_picks_since_it_was_set(
    steps: list[tuple[int, dict[tuple[str, int], int], dict[str, int], str]], text: str
) -> None:
    fed, slot, on = FedRows(), 0, False
    ticks: list[tuple[int, Counter[int]]] = []
    for tick, (step, responses, unanswered, what) in enumerate(steps):
        slot += step
        if what == "filter" and not on:
            fed.filter_by(screen_filter(parse_for_screen(text)), float(tick))
            on, ticks = True, []
        fed.take(reading_of(responses, unanswered), slot)
        fed.end_tick(2.0)
        fed.forget(float(tick), 3.0 if what == "forget" else 0.0, fed.source.names)
        counts: Counter[int] = Counter()
        for (path, code), count in responses.items():
            counts[code] += count * _picks(text, path, code)
        for path, count in unanswered.items():
            counts[STATUS_UNKNOWN] += count * _picks(text, path, STATUS_UNKNOWN)
        ticks.append((slot, counts))
        found = fed.filtered()
        assert (found is not None) == on
        if found is None:
            continue
        totals = found.totals["server"]
        assert totals.trend_rps == tuple(some.total() / 2 for _, some in ticks)
        classes = [[0.0] * 6 for _ in ticks]
        for at, (_, some) in enumerate(ticks):
            for code, count in some.items():
                classes[at][class_of(code)] += count / 2
        assert totals.trend_classes == tuple(map(tuple, classes))
        errors = [
            sum(n for code, n in some.items() if code >= 400 or code == STATUS_UNKNOWN)
            for _, some in ticks
        ]
        shares = [
            n / some.total() if some.total() else None
            for n, (_, some) in zip(errors, ticks, strict=True)
        ]
        assert totals.trend_error_share == tuple(shares)
        measured = [some.total() - some[STATUS_UNKNOWN] for _, some in ticks]
        assert [sum(n for _, n in bands) for bands in totals.trend_bands] == measured
        alive = [n for n, (at, _) in zip(measured, ticks, strict=True) if at > slot - SLOTS]
        assert totals.latency.count == sum(alive)
        assert fed.filtered() == found


def test_responses_whose_status_has_no_cell() -> None:
    fed = FedRows()
    fed.filter_by(screen_filter(parse_for_screen("status = 5xx")), 0.0)
    fed.take(Reading(endpoints={10: endpoint("/a")}, deltas=[delta(10, counted=9)]))
    fed.end_tick(1.0)
    fed.take(Reading(deltas=[delta(10, rest=(0, 0, 1, 0, 0, 4))]))
    fed.end_tick(1.0)
    fed.take(Reading(deltas=[delta(10, rest=(0, 0, 0, 0, 0, 1))]))
    fed.end_tick(1.0)
    found = fed.filtered()
    assert found is not None
    totals = found.totals["server"]
    assert totals.trend_classes == tuple((0, 0, 0, 0, 0, n) for n in (0, 4, 1))
    assert totals.trend_error_share == (None, 1.0, 1.0)


def test_what_is_asked_of_rows_is_asked_each_tick() -> None:
    fed = FedRows()
    fed.filter_by(screen_filter(parse_for_screen("in_flight > 2")), 0.0)
    for begun, over in ((3, 0), (1, 3), (0, 1)):
        deltas = [delta(CELLS["/c"], counted=begun), answered(RESPONSES["/c", 200], over)]
        fed.take(Reading(endpoints=ALL.endpoints, responses=ALL.responses, deltas=deltas))
        fed.end_tick(1.0)
    found = fed.filtered()
    assert found is not None
    assert found.totals["server"].trend_rps == (0.0, 3.0, 0.0)


def test_rows_that_get_another_name_are_looked_at_again() -> None:
    fed = FedRows()
    fed.filter_by(screen_filter(parse_for_screen("path = /u/{id}")), 0.0)
    one = reading_of({("/u/a", 200): 2}, {})
    fed.take(one)
    fed.end_tick(1.0)
    fed.regroup(PathRules(["/u/*"]))
    for _ in range(2):
        fed.take(reading_of({("/u/a", 200): 2}, {}))
        fed.end_tick(1.0)
    found = fed.filtered()
    assert found is not None
    assert found.totals["server"].trend_rps == (0.0, 2.0, 2.0)
    fed.filter_by(None, 3.0)
    assert fed.filtered() is None


def test_snapshots_hold_it_as_long_as_there_is_a_filter() -> None:
    first = Reading(endpoints={5: endpoint("/a")}, responses={6: RawResponse(5, 200)})
    more = Reading(deltas=[delta(5, counted=3), answered(6, 3)])
    collector = collecting(first, more, more, more)
    assert collector.step(1001.0, 0).filtered is None
    ready = screen_filter(None, "/A")
    collector.filter_by(ready)
    found = collector.step(1002.0, 0).filtered
    assert found is not None
    assert (found.filter, found.began_s) == (ready.text, 1.0)
    assert found.totals["server"].trend_rps == (3.0,)
    assert found.totals["server"].latency.count == 3
    assert found.totals["server"].latency.p50_ns == pytest.approx(10_000, rel=0.016)
    assert found.totals["client"].trend_rps == (0.0,)
    collector.filter_by(None)
    assert collector.step(1003.0, 0).filtered is None
