"""The rows of a moment: what each figure says, and that a table does not change."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect import histogram
from httptop.collect.endpoints import TREND_TICKS
from httptop.collect.histogram import bucket_of
from httptop.collect.measure import Measure
from httptop.collect.path_rules import PathRules
from httptop.collect.row_names import RowNames
from httptop.collect.row_trends import LEAST_COUNT, LEAST_TICKS
from httptop.collect.source import RawResponse
from httptop.collect.sums import CELL, Answered
from httptop.collect.window import SLOTS
from httptop.filters.on_screen import parse_for_screen
from httptop.model import NO_LATENCY, EndpointStats, Snapshot, errors_of
from httptop.output.order import in_order, rows_at
from httptop.view.grouping import GROUPINGS, By, Grouping
from httptop.view.rows import row_of, rows_where
from httptop.view.sorts import SORTS
from httptop.view.state import View, place, rows, scene
from tests.collect.cells import FedRows, Reading, answered, delta, endpoint
from tests.collect.reference_sums import CellDelta
from tests.factory import snapshot_at

MS = 1_000_000
TIMES = st.lists(st.integers(1_000, 10_000 * MS), max_size=20)
#: The cells of an endpoint, /a: of its requests, and of responses by status or measure.
REQUESTS, OK, LOST, WAIT, HANDLING, SENDING, DURATION = range(5, 12)
CELLS = Reading(
    endpoints={REQUESTS: endpoint("/a")},
    responses={
        OK: RawResponse(REQUESTS, 200),
        LOST: RawResponse(REQUESTS, 404),
        **{
            cell: RawResponse(REQUESTS, 200, measure)
            for cell, measure in (
                (WAIT, Measure.WAIT),
                (HANDLING, Measure.HANDLING),
                (SENDING, Measure.SENDING),
                (DURATION, Measure.DURATION),
            )
        },
    },
)


def _of(cell: int, values: list[int]) -> CellDelta:
    counts: dict[int, int] = {}
    for value in values:
        bucket = bucket_of(value)
        counts[bucket] = counts.get(bucket, 0) + 1
    return delta(
        cell, counted=len(values), sum_ns=sum(values), max_ns=max(values, default=0),
        histogram=counts,
    )  # fmt: skip


def _fed(*deltas: CellDelta) -> FedRows:
    fed = FedRows()
    fed.take(CELLS)
    fed.take(Reading(deltas=deltas))
    return fed


def _row(fed: FedRows, covered_s: float = 1.0) -> EndpointStats:
    (row,) = fed.table(covered_s)
    return row


# ---- figures -----------------------------------------------------------------------------------


def test_a_row_adds_up() -> None:
    slow = answered(LOST, 2, 200)._replace(max_ns=10_050)
    fed = _fed(
        delta(REQUESTS, counted=10, bytes=70, unanswered=1), answered(OK, 5, 500), slow,
        answered(OK, 1, 100),
    )  # fmt: skip
    row = _row(fed, 4.0)
    assert row.status == {200: 6, 404: 2}
    assert (row.requests, row.unanswered, row.in_flight, row.errors) == (9, 1, 1, 3)
    assert (row.request_bytes, row.response_bytes, row.rps) == (70, 800, 9 / 4)
    assert row.latency == row.latency_total
    assert (row.latency.count, row.latency.mean_ns, row.latency.max_ns) == (8, 10_000, 10_050)


def test_further_bytes_of_a_response_are_no_response() -> None:
    fed = _fed(delta(REQUESTS, counted=1), answered(OK, 1, 100))
    fed.take(Reading(deltas=[delta(OK, bytes=5_000, max_ns=10_000)]))
    row = _row(fed)
    assert (row.requests, row.response_bytes, row.in_flight) == (1, 5_100, 0)


def test_in_flight_is_never_negative() -> None:
    row = _row(_fed(delta(REQUESTS, counted=1), answered(OK, 3)))
    assert (row.requests, row.in_flight) == (3, 0)


def test_a_row_without_requests_is_shown_as_long_as_some_are_in_flight() -> None:
    fed = _fed(delta(REQUESTS, counted=1))
    assert _row(fed).in_flight == 1
    fed.take(Reading(deltas=[delta(REQUESTS, unanswered=1)]))
    assert (_row(fed).requests, _row(fed).unanswered) == (1, 1)
    fed = FedRows(scope=None)
    fed.take(Reading(endpoints={5: endpoint("/b")}, deltas=[delta(5, counted=1)]))
    assert len(fed.table(1.0)) == 1
    fed.take(Reading(deltas=[delta(5, moved=1)]))
    assert len(fed.table(1.0)) == 0


def test_the_window_expires_and_the_total_does_not() -> None:
    fed = _fed(delta(REQUESTS, counted=5, unanswered=1), answered(OK, 2), answered(LOST, 2))
    fed.take(Reading(deltas=[_of(OK, [50 * MS])]), slot=SLOTS - 1)
    assert (_row(fed).rps, _row(fed).latency.count, _row(fed).latency.max_ns) == (6, 5, 50 * MS)
    fed.take(Reading(), slot=SLOTS)
    row = _row(fed)
    assert (row.rps, row.latency.count, row.latency.mean_ns) == (1.0, 1, 50 * MS)
    assert (row.requests, row.latency_total.count) == (6, 5)
    fed.take(Reading(), slot=10 * SLOTS)
    row = _row(fed)
    assert (row.rps, row.latency, row.requests, row.latency_total.count) == (0, NO_LATENCY, 6, 5)


def test_the_maximum_of_the_window_is_where_its_last_bucket_is() -> None:
    fed = _fed(_of(OK, [50 * MS]))
    fed.take(Reading(deltas=[answered(OK, 3)._replace(max_ns=50 * MS)]), slot=5)
    fed.take(Reading(), slot=SLOTS)
    row = _row(fed)
    assert (row.latency.count, row.latency.mean_ns) == (3, 10_000)
    assert row.latency.max_ns < 11_000
    assert row.latency_total.max_ns == 50 * MS


@given(st.lists(st.tuples(st.integers(0, 4), TIMES), max_size=20))
def test_the_window_has_what_the_last_slots_have(events: list[tuple[int, list[int]]]) -> None:
    fed, slot, kept = _fed(delta(REQUESTS, counted=1)), 0, []
    for step, values in events:
        slot += step
        fed.take(Reading(deltas=[_of(OK, values)]), slot)
        kept.append((slot, values))
        alive = [value for at, values in kept if at > slot - SLOTS for value in values]
        if not (every := [value for _, values in kept for value in values]):
            continue
        row = _row(fed)
        assert row.latency.count == row.rps == len(alive)
        for latency, values in ((row.latency, alive), (row.latency_total, every)):
            wanted = _of(OK, values)
            assert latency == histogram.summary(wanted.histogram, sum(values), max(every))


def _near(latency_ns: float) -> Any:
    return pytest.approx(latency_ns, rel=0.016)


def test_the_trend_has_a_gap_for_every_tick_without_a_latency_in_the_window() -> None:
    fed = FedRows()
    fed.end_tick(1.0)
    fed.take(CELLS)
    fed.take(Reading(deltas=[delta(REQUESTS, counted=6), answered(OK, 4)]))
    assert _row(fed).trend_ns == (None,)  # the tick goes on
    fed.end_tick(1.0)
    fed.take(Reading())
    fed.end_tick(1.0)
    fed.take(Reading(deltas=[_of(OK, [10_000, 30_000])]), slot=1)
    fed.end_tick(1.0)
    assert _row(fed).trend_ns == (None, _near(10_000), _near(10_000), _near(30_000))
    fed.take(Reading(), slot=SLOTS)
    fed.end_tick(1.0)
    assert _row(fed).trend_ns[3:] == (_near(30_000), _near(30_000))
    for _ in range(TREND_TICKS):
        fed.take(Reading(), slot=2 * SLOTS)
        fed.end_tick(1.0)
    assert _row(fed).trend_ns == (None,) * TREND_TICKS


def test_a_tick_in_two_readings_is_one() -> None:
    fed = _fed(_of(OK, [10_000]))
    assert _row(fed).requests == 1
    fed.take(Reading(deltas=[_of(OK, [30_000])]))
    fed.end_tick(1.0)
    assert _row(fed).trend_ns == (_near(30_000),)
    totals = fed.totals(1.0)["server"]
    assert totals.trend_rps == (2.0,)
    assert totals.trend_classes == ((0, 0, 2, 0, 0, 0),)
    assert [count for _, count in totals.trend_bands[0]] == [1, 1]


def test_trends_of_rows_that_become_one() -> None:
    fed = FedRows()
    fed.take(
        Reading(
            endpoints={5: endpoint("/u/a"), 6: endpoint("/u/b")},
            responses={7: RawResponse(5, 200), 8: RawResponse(6, 200)},
            deltas=[_of(7, [10_000])],
        )
    )
    fed.end_tick(1.0)
    fed.take(Reading(deltas=[_of(7, [10_000]), _of(8, [20_000] * 3)]))
    fed.end_tick(1.0)
    fed.take(Reading(deltas=[_of(8, [20_000])]))
    fed.regroup(PathRules(["/u/*"]))
    fed.end_tick(1.0)
    assert _row(fed).trend_ns == (_near(10_000), _near(20_000), _near(20_000))


def test_what_is_usual_for_a_row() -> None:
    fed = FedRows()
    fed.take(CELLS)
    for tick in range(LEAST_TICKS):
        fed.take(Reading(deltas=[_of(OK, [10_000] * LEAST_COUNT)]), slot=tick)
        assert (_row(fed).usual_p99_ns, _row(fed).p99_change) == (None, None), tick
        fed.end_tick(1.0)
    row = _row(fed)
    assert row.usual_p99_ns == _near(10_000)
    assert row.p99_change == 1.0
    fed.take(Reading(deltas=[_of(OK, [80_000] * LEAST_COUNT)]), slot=LEAST_TICKS)
    row, table = _row(fed), fed.table(1.0)
    assert row.usual_p99_ns == _near(10_000)
    assert row.p99_change == pytest.approx(8, rel=0.05)
    assert table.values("change") == [row.p99_change]


def test_a_late_tick_stands_for_all_that_it_was_in_trends() -> None:
    fed = _fed(delta(REQUESTS, counted=6), _of(OK, [10_000] * 6))
    fed.end_tick(3.0, 3)
    totals = fed.totals(3.0)["server"]
    assert totals.trend_rps == (2.0,) * 3
    assert totals.trend_classes == ((0, 0, 2, 0, 0, 0),) * 3
    assert [sum(n for _, n in bands) for bands in totals.trend_bands] == [0, 0, 6]
    assert _row(fed).trend_ns == (_near(10_000),) * 3
    fed.end_tick(1e6, 1_000_000)
    assert len(fed.totals(1.0)["server"].trend_rps) == 120


def test_rates_by_class() -> None:
    fed = _fed(delta(REQUESTS, counted=11, unanswered=1), answered(OK, 7), answered(LOST, 2))
    fed.end_tick(0.5)
    fed.take(Reading(deltas=[answered(LOST, 3)]))
    fed.end_tick(1.0)
    assert fed.totals(1.0)["server"].trend_classes == ((2, 0, 14, 0, 4, 0), (0, 0, 0, 0, 3, 0))


# ---- times beside the latency ------------------------------------------------------------------


@given(TIMES, st.lists(st.tuples(*[st.integers(1_000, 10_000 * MS)] * 2), min_size=1, max_size=20))
def test_durations(whole: list[int], pieces: list[tuple[int, int]]) -> None:
    """Sent by one call: the latency is the duration. Otherwise that was measured."""
    handling, sending = [a for a, _ in pieces], [b for _, b in pieces]
    both = [a + b for a, b in pieces]
    row = _row(
        _fed(
            _of(OK, whole + handling),
            _of(HANDLING, handling), _of(SENDING, sending), _of(DURATION, both),
        )
    )  # fmt: skip
    for found, values in ((row.duration_total, whole + both), (row.sending_total, sending)):
        wanted = _of(OK, values)
        assert found == histogram.summary(wanted.histogram, sum(values), int(found.max_ns))
    assert row.sending_total.max_ns == max(sending)


def test_without_pieces_the_duration_is_the_latency() -> None:
    row = _row(_fed(_of(OK, [MS])))
    assert (row.sending_total, row.wait_total) == (NO_LATENCY, NO_LATENCY)
    assert row.duration_total == row.latency_total


def test_waits() -> None:
    fed = _fed(_of(OK, [MS, MS, 2 * MS]), _of(WAIT, [MS]))
    fed.take(Reading(deltas=[_of(WAIT, [3 * MS])]))
    row = _row(fed)
    assert (row.sending_total, row.duration_total) == (NO_LATENCY, row.latency_total)
    wait = row.wait_total
    assert (wait.count, wait.max_ns, wait.mean_ns) == (2, 3 * MS, 2 * MS)


# ---- sides -------------------------------------------------------------------------------------


def test_a_side_adds_up() -> None:
    fed = _fed(
        delta(REQUESTS, counted=11, bytes=300, unanswered=1),
        answered(OK, 7, 700),
        answered(LOST, 2, 200),
    )
    fed.end_tick(0.5)
    totals = fed.totals(2.0)["server"]
    assert (totals.requests, totals.unanswered, totals.in_flight) == (10, 1, 1)
    assert totals.status == {200: 7, 404: 2}
    assert (totals.request_bytes, totals.response_bytes, totals.rps) == (300, 900, 5.0)
    assert (totals.latency.count, totals.latency.mean_ns, totals.error_share) == (9, 10_000, 0.3)
    assert (totals.trend_rps, totals.trend_error_share) == ((20.0,), (0.3,))
    fed.take(Reading())
    fed.end_tick(1.0)
    totals = fed.totals(2.0)["server"]
    assert (totals.trend_rps, totals.trend_error_share) == ((20.0, 0.0), (0.3, None))
    assert totals.trend_p50_ns[1] is None
    fed.take(Reading(), slot=SLOTS)
    fed.end_tick(0.001)  # right behind the last one: no rate
    totals = fed.totals(2.0)["server"]
    assert (totals.requests, totals.rps, totals.error_share) == (10, 0.0, 0.0)
    assert (totals.latency, len(totals.trend_rps)) == (NO_LATENCY, 2)


def test_latencies_read_before_their_responses_reach_row_and_side() -> None:
    """A counter and its histogram are read at slightly different moments."""
    came = answered(OK, 2)
    fed = _fed(came._replace(counted=0))
    fed.end_tick(1.0)
    fed.take(Reading(deltas=[came._replace(histogram={}, sum_ns=0)]))
    fed.end_tick(1.0)
    totals = fed.totals(2.0)["server"]
    assert (totals.requests, totals.latency.count) == (2, 2)
    assert _row(fed).latency == totals.latency


# ---- as a sequence -----------------------------------------------------------------------------


@cache
def _varied() -> FedRows:
    """Rows of all kinds: alike in some figures, without requests in the window, in flight only.

    Nobody changes them; each table of them is another one.
    """
    fed = FedRows()
    paths = ("/b", "/a", "/a", "/c", "/d", "/e", "/{id}")
    endpoints = {
        10 + at: endpoint(path, at % 2 if at < 4 else 0, "POST" if at == 2 else "GET")
        for at, path in enumerate(paths)
    }
    statuses = (200, 404, 500)
    responses = {
        100 * at + code: RawResponse(cell, code)
        for at, cell in enumerate(endpoints)
        for code in statuses
    }
    old = [delta(14, counted=2, bytes=9), answered(604, 2)]
    fed.take(Reading(endpoints=endpoints, responses=responses, deltas=old))
    for at, cell in enumerate(endpoints):
        waits = at == 3 or 2 * (at % 2)
        deltas = [delta(cell, counted=6 + waits, bytes=40 * at, unanswered=at % 3)]
        if at not in (3, 4):
            deltas += [answered(100 * at + code, 6 // len(statuses)) for code in statuses]
            deltas.append(_of(100 * at + 200, [MS * at] * at))
        fed.take(Reading(deltas=deltas if at != 4 else []), slot=SLOTS)
        fed.end_tick(1.0)
    return fed


def _snapshots() -> tuple[Snapshot, Snapshot]:
    """Return the same moment twice: with rows on demand, and with a tuple of them."""
    some = snapshot_at(1)
    varied = _varied()
    tables = varied.table(3.0), tuple(varied.table(3.0))
    lazy, eager = (dataclasses.replace(some, endpoints=table) for table in tables)
    return lazy, eager


def test_rows_on_demand_are_a_sequence() -> None:
    lazy, eager = _snapshots()
    table, made = lazy.endpoints, eager.endpoints
    assert len(table) == len(made) == 7
    assert table == made
    assert tuple(table) == made
    assert table != made[1:]
    assert (table[0], table[-1], table[1:3]) == (made[0], made[-1], made[1:3])
    assert table[2] is table[2]
    with pytest.raises(IndexError):
        table[7]
    for row in made:
        assert row_of(lazy.endpoints, row.key) == row_of(eager.endpoints, row.key) == row
    assert row_of(lazy.endpoints, made[0].key.__class__("client", "", "", False, "", "")) is None


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize("since_start", [True, False])
def test_a_view_shows_the_same_rows(
    sort: str, descending: bool, side: str, since_start: bool
) -> None:
    for path, text, idle_hidden in (
        ("", "", False),
        ("", "", True),
        ("A", "", False),
        ("", "method = GET", False),
        ("", "status = 404 and path ~ /*", True),
    ):
        view = View(
            side="server" if side == "server" else "client", sort=sort, descending=descending,
            path_filter=path, expression=parse_for_screen(text) if text else None,
            since_start=since_start, idle_hidden=idle_hidden,
        )  # fmt: skip
        lazy, eager = _snapshots()
        shown, wanted = rows(lazy, view), rows(eager, view)
        assert list(shown) == list(wanted)
        for number, row in enumerate(wanted):
            assert place(shown, row.key, 0) == place(wanted, row.key, 0) == number
        one, other = scene(lazy, view), scene(eager, view)
        assert (one.side_rows, one.other_rows) == (other.side_rows, other.other_rows)
        assert (one.idle_rows, one.longest_path) == (other.idle_rows, other.longest_path)
        assert one.shown_rps == pytest.approx(other.shown_rps)


def test_responses_that_failed_are_known_without_rows() -> None:
    """Those of cells that are not read yet, and those that are in none of a row's cells."""
    cells = b"".join(CELL.pack(count, 0, 0, 0, 0) for count in (0, 5, 7, 11))
    statuses = ((), ((200, 1), (404, 2)), ((503, 3), (4, 2), (0, 1), (500, 99)), ())
    apart = {2: {500: Answered(4, 0, 0), 200: Answered(9, 0, 0)}, 3: {404: Answered(3, 0, 0)}}
    names = RowNames((None,) * 4, statuses, apart, {})
    assert names.failed(cells, range(4)) == [0, 7, 11 + 7 + 4, 3]
    for row in range(4):
        answered = names.answered(cells, row)
        status = {code: some.responses for code, some in answered.items()}
        assert names.failed(cells, [row]) == [errors_of(status, 0)]


@pytest.mark.parametrize("by", [by for by in GROUPINGS if by != "endpoint"])
@pytest.mark.parametrize("since_start", [True, False])
def test_groups_have_the_same_of_rows_on_demand(by: By, since_start: bool) -> None:
    for text in ("", "status = 404"):
        view = View(
            grouping=Grouping(by, unfolded=frozenset({"/a"})), since_start=since_start,
            expression=parse_for_screen(text) if text else None,
        )  # fmt: skip
        lazy, eager = _snapshots()
        found, wanted = scene(lazy, view).groups, scene(eager, view).groups
        assert found is not None
        assert wanted is not None
        assert found.lines
        if by in ("pid", "peer") and not since_start:  # of single rows it is not known
            assert (found.since_start, wanted.since_start) == (False, True)
            assert {group.id for group in found.lines} <= {group.id for group in wanted.lines}
        else:
            assert found == wanted
        if not text:
            assert lazy.endpoints._made == {}  # type: ignore[attr-defined]


def test_groups_are_made_once_for_a_snapshot() -> None:
    lazy, _ = _snapshots()
    first = scene(lazy, View(grouping=Grouping("process")))
    moved = View(grouping=Grouping("process", selected="web"))
    assert scene(lazy, moved, first).groups is first.groups
    turned = View(grouping=Grouping("process", descending=False))
    assert scene(lazy, turned, first).groups is not first.groups
    assert scene(lazy, View(), first).groups is None


def test_only_rows_that_are_looked_at_are_made() -> None:
    lazy, _ = _snapshots()
    shown = rows(lazy, View(sort="p99"))
    table = lazy.endpoints
    assert table._made == {}  # type: ignore[attr-defined]
    assert shown[0].latency.p99_ns >= shown[1].latency.p99_ns
    assert len(table._made) == 2  # type: ignore[attr-defined]
    assert place(shown, shown[2].key, 0) == 2
    assert len(table._made) == 3  # type: ignore[attr-defined]


def test_by_their_keys_no_others_are_made() -> None:
    lazy, _ = _snapshots()
    key = lazy.endpoints[0].key
    found = rows_where(lazy.endpoints, lambda one: one == key)
    assert [row.key for row in found] == [key]
    assert len(lazy.endpoints._made) == 1  # type: ignore[attr-defined]
    assert rows_where(tuple(lazy.endpoints), lambda one: one == key) == found


def test_of_active_rows_no_others_are_made() -> None:
    fed = FedRows()
    paths = {5: "/idle", 6: "/hanging", 7: "/busy"}
    fed.take(
        Reading(
            endpoints={cell: endpoint(path) for cell, path in paths.items()},
            responses={cell + 10: RawResponse(cell, 200) for cell in paths},
            deltas=[delta(5, counted=9), answered(15, 9), delta(6, counted=3), answered(16, 2)],
        )
    )
    fed.take(Reading(deltas=[delta(7, counted=1), answered(17, 1)]), slot=SLOTS)
    shown = dataclasses.replace(snapshot_at(1), endpoints=fed.table(3600.0))
    active = in_order(shown, active=True)
    assert [row.key.path for row in rows_at(shown.endpoints, active)] == ["/hanging", "/busy"]
    assert not shown.endpoints._made  # type: ignore[attr-defined]
    every = in_order(shown, active=False)
    assert [row.key.path for row in rows_at(shown.endpoints, every)] == [
        "/idle",
        "/hanging",
        "/busy",
    ]
    made = dataclasses.replace(shown, endpoints=tuple(shown.endpoints))
    assert in_order(made, active=True) == active
    assert list(rows_at(made.endpoints, every)) == list(rows_at(shown.endpoints, every))


def test_the_order_by_name_goes_on_with_new_rows() -> None:
    fed = FedRows()
    names = {}
    for number in range(40):
        path = f"/{number * 7 % 40:02}"
        names[5 + number] = endpoint(path)
        fed.take(Reading(endpoints=names, deltas=[delta(5 + number, counted=1, unanswered=1)]))
        table = fed.table(1.0)
        if number % 3:
            order = [table.keys[at].path for at in table.by_name("server")]
            assert order == sorted(order)
            assert len(order) == number + 1
