"""The window's requests by status, against a count of what was fed into each slot."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.path_rules import PathRules
from httptop.collect.source import RawResponse
from httptop.collect.sums import Slots
from httptop.collect.window import SLOTS
from httptop.filters.on_screen import parse_for_screen
from httptop.model import STATUS_UNKNOWN, EndpointStats
from httptop.view.picked_rows import PickedRows
from httptop.view.sorts import SORTS
from httptop.view.state import View, scene
from tests.collect.cells import FedRows, Reading, answered, delta, endpoint
from tests.factory import snapshot_at

PATHS = ("/u/a", "/u/b", "/c")
CODES = (200, 404, 503)
#: The cells of an endpoint's requests and of its responses, by code.
CELLS = {path: 10 + at for at, path in enumerate(PATHS)}
RESPONSES = {
    (path, code): 100 + 10 * at + n for at, path in enumerate(PATHS) for n, code in enumerate(CODES)
}
ALL = Reading(
    endpoints={cell: endpoint(path) for path, cell in CELLS.items()},
    responses={cell: RawResponse(CELLS[path], code) for (path, code), cell in RESPONSES.items()},
)
#: A reading: slots further, responses by endpoint and code, unanswered requests, and what is done
#: to the rows then.
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 1, 2, SLOTS]),
        st.dictionaries(st.sampled_from(sorted(RESPONSES)), st.integers(1, 5), max_size=4),
        st.dictionaries(st.sampled_from(PATHS), st.integers(1, 3), max_size=2),
        st.sampled_from(["", "", "", "", "join", "part", "forget"]),
    ),
    max_size=40,
)


def reading_of(responses: dict[tuple[str, int], int], unanswered: dict[str, int]) -> Reading:
    begun = Counter(unanswered)
    for (path, _), count in responses.items():
        begun[path] += count
    deltas = [
        delta(CELLS[path], counted=count, unanswered=unanswered.get(path, 0))
        for path, count in begun.items()
    ]
    deltas += [answered(RESPONSES[what], count) for what, count in responses.items()]
    return Reading(endpoints=ALL.endpoints, responses=ALL.responses, deltas=deltas)


def _add_up(rows: dict[str, EndpointStats]) -> Counter[int]:
    found: Counter[int] = Counter()
    for row in rows.values():
        assert row.window_status is not None
        assert sum(row.window_status.values()) == row.window_requests, row.key
        errors = sum(n for code, n in row.window_status.items() if code >= 400)
        assert errors + row.window_status.get(STATUS_UNKNOWN, 0) == row.window_errors
        found.update(row.window_status)
    return found


@given(STEPS)
def test_what_each_row_had_in_the_window_whatever_becomes_of_rows(
    steps: list[tuple[int, dict[tuple[str, int], int], dict[str, int], str]],
) -> None:
    fed, slot = FedRows(), 0
    events: list[tuple[int, Counter[int]]] = []
    for tick, (step, responses, unanswered, what) in enumerate(steps):
        slot += step
        fed.take(reading_of(responses, unanswered), slot)
        counts = Counter({STATUS_UNKNOWN: sum(unanswered.values())})
        for (_, code), count in responses.items():
            counts[code] += count
        events.append((slot, counts))
        wanted: Counter[int] = Counter()
        for at, some in events:
            if at > slot - SLOTS:
                wanted.update(some)
        assert +_add_up(fed.by_path()) == +wanted
        fed.end_tick(1.0)
        if what in ("join", "part"):
            fed.regroup(PathRules(["/u/*"] if what == "join" else []))
            assert +_add_up(fed.by_path()) == +wanted
        fed.forget(float(tick), 3.0 if what == "forget" else 0.0, fed.source.names)
        assert +_add_up(fed.by_path()) == +wanted


def test_which_row_had_it() -> None:
    fed = FedRows()
    fed.take(reading_of({("/u/b", 200): 4, ("/u/a", 503): 2}, {"/u/b": 1}))
    fed.take(reading_of({("/u/b", 200): 1, ("/u/b", 503): 3}, {}), slot=SLOTS - 1)
    assert fed.by_path()["/u/b"].window_status == {200: 5, 503: 3, STATUS_UNKNOWN: 1}
    fed.take(reading_of({}, {}), slot=SLOTS)
    rows = fed.by_path()
    assert rows["/u/b"].window_status == {200: 1, 503: 3}
    assert rows["/u/a"].window_status == {}
    kept = fed.table(1.0).packed()
    fed.regroup(PathRules(["/u/*"]))
    fed.take(reading_of({("/u/a", 200): 7}, {}), slot=SLOTS)
    assert [row.window_status for row in fed.table(1.0)] == [{200: 8, 503: 3}]
    assert {row.key.path: row.window_status for row in kept}["/u/b"] == {200: 1, 503: 3}


def test_responses_whose_status_has_no_cell_are_of_its_class() -> None:
    fed = FedRows()
    fed.take(Reading(endpoints={10: endpoint("/a")}, deltas=[delta(10, counted=9)]))
    fed.take(Reading(deltas=[delta(10, rest=(0, 0, 1, 0, 2, 0), rest_bytes=30)]), slot=1)
    assert fed.by_path()["/a"].window_status == {2: 1, 4: 2}
    fed.take(Reading(deltas=[delta(10, rest=(0, 0, 0, 0, 0, 1))]), slot=SLOTS + 1)
    assert fed.by_path()["/a"].window_status == {5: 1}


@pytest.mark.parametrize(
    "text", ["status = 5xx", "status != 404", "status = unknown", "status >= 400"]
)
def test_what_a_filter_picks_of_rows_on_demand_is_what_it_picks_of_rows(text: str) -> None:
    fed = FedRows()
    fed.take(reading_of({("/c", 200): 4, ("/u/a", 503): 2, ("/u/b", 200): 3}, {"/c": 1}))
    fed.take(
        reading_of({("/c", 200): 1, ("/c", 503): 3, ("/u/b", 404): 2}, {"/u/a": 2}), slot=SLOTS
    )
    fed.take(
        reading_of({("/c", 200): 5, ("/c", 503): 1, ("/u/a", 200): 2}, {"/c": 2}), slot=SLOTS + 1
    )
    for rules in ([], ["/u/*"]):
        fed.regroup(PathRules(rules))
        view = View(expression=parse_for_screen(text))
        snap = snapshot_at(rows=())
        lazy = scene(replace(snap, endpoints=fed.table(1.0), covered_s=1.0), view)
        plain = scene(replace(snap, endpoints=tuple(fed.table(1.0)), covered_s=1.0), view)
        assert isinstance(lazy.rows, PickedRows)
        assert list(lazy.rows) == list(plain.rows)
        for figure in (
            "rps",
            "window_errors",
            "errors",
            "requests",
            "unanswered",
            "p99",
            "in_flight",
        ):
            found = [
                SORTS[figure](row) if figure in SORTS else row.window_errors for row in lazy.rows
            ]
            assert lazy.rows.values(figure) == found, figure


def test_rows_that_became_one_while_the_window_was_shorter() -> None:
    fed = FedRows()
    fed.take(reading_of({("/u/a", 200): 1, ("/u/b", 503): 2}, {}), slot=0)
    starts: tuple[int, ...] = (0,)
    for slot in range(1, 6):
        if slot == 3:
            fed.regroup(PathRules(["/u/*"]))
        starts = (*starts, slot)
        fed.source.count(reading_of({("/u/a", 200): 10**slot}, {}))
        fed.count(Slots(slot, starts), fed.source.names)
        fed.end_tick(1.0)
    for first in (1, 4, 2, 0):
        fed.source.count(reading_of({}, {}))
        fed.count(Slots(first, starts), fed.source.names)
        status = {200: sum(10**slot for slot in range(max(first, 1), 6)) + (not first)}
        if not first:
            status[503] = 2
        assert [row.window_status for row in fed.table(1.0)] == [status]
    assert fed._ledger.ago._moves == []
