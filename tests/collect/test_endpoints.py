"""Which row a cell counts in: keys that become the same, too many paths, other rules."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.measure import Measure
from httptop.collect.path_rules import PathRules
from httptop.collect.source import RawEndpoint, RawResponse
from httptop.collect.sums import ROW, RowFigures
from httptop.config.scope import limited
from httptop.model import NO_LATENCY
from tests.collect.cells import FedRows, Reading, answered, delta, endpoint
from tests.collect.reference_sums import CellDelta

RESPONSES = 100  # an endpoint's cell and this: its responses


def _counted(endpoints: dict[int, RawEndpoint], deltas: list[CellDelta]) -> Reading:
    responses = {cell + RESPONSES: RawResponse(cell, 200) for cell in endpoints}
    return Reading(endpoints=endpoints, responses=responses, deltas=deltas)


def _each(*cells: int, requests: int = 1, waiting: int = 0) -> list[CellDelta]:
    """Return what is counted if each endpoint got requests, and responses to all but some."""
    return [delta(cell, counted=requests + waiting, bytes=10) for cell in cells] + [
        answered(cell + RESPONSES, requests, 7) for cell in cells
    ]


def test_cells_of_one_key_are_one_row() -> None:
    all_rows = FedRows("/users/*")
    endpoints = {5: endpoint("/users/ann"), 6: endpoint("/users/{id}"), 7: endpoint("/a")}
    reading = _counted(endpoints, _each(5, 6, 6, 7))
    reading.processes = [(5, 3), (6, 1), (6, 3), (7, 9)]
    all_rows.take(reading)
    rows = all_rows.by_path()
    assert {path: row.requests for path, row in rows.items()} == {"/users/{id}": 3, "/a": 1}
    assert rows["/users/{id}"].pids == (1, 3)
    all_rows.end_tick(1.0)
    assert all_rows.totals(1.0)["server"].requests == 4


def test_versions() -> None:
    all_rows = FedRows(max_distinct=9)
    versions = {5: 0, 6: 1, 7: 10, 8: 109, 9: 120, 10: 131}
    endpoints = {
        cell: endpoint(f"/{cell}")._replace(version=version) for cell, version in versions.items()
    }
    all_rows.take(_counted(endpoints, _each(*endpoints)))
    found = {row.key.path: row.key.protocol for row in all_rows.table(1.0)}
    assert found == {
        "/5": "HTTP/1.0", "/6": "HTTP/1.1", "/7": "HTTP/1.10", "/8": "HTTP/0.9", "/9": "HTTP/2.0",
        "/10": "HTTP/3.1",
    }  # fmt: skip


def test_own_paths_are_nobody_elses() -> None:
    """A request says nothing that httptop says, and no escape is taken for a character."""
    all_rows = FedRows(max_distinct=9)
    paths = (b"~other", b"~", b"/a\xe2\x80\xa6", b"/\\x1b", b"/\x1b", b"/\\y")
    endpoints = {5 + at: endpoint("")._replace(path=path) for at, path in enumerate(paths)}
    endpoints[20] = endpoint("/a")._replace(truncated=True)
    endpoints[21] = endpoint("~other")._replace(own=True)
    all_rows.take(_counted(endpoints, _each(*endpoints)))
    assert set(all_rows.by_path()) == {
        "\\x7eother", "\\x7e", "/a\\u2026", "/\\x5cx1b", "/\\x1b", "/\\y", "/a…", "~other",
    }  # fmt: skip
    assert all_rows.overflow_requests == 1


def test_a_second_user_of_a_name_has_rows_of_their_own() -> None:
    all_rows = FedRows(max_distinct=9)
    endpoints = {5: endpoint("/a")._replace(uid=0), 6: endpoint("/a")._replace(uid=4_000_000_000)}
    all_rows.take(_counted(endpoints, _each(*endpoints)))
    assert {row.key.user for row in all_rows.table(1.0)} == {"root", "4000000000"}


def test_bad_requests_have_a_row_beside_all_others() -> None:
    all_rows = FedRows(max_distinct=1)
    bad = endpoint("~bad request")._replace(own=True)
    endpoints = {5: endpoint("/a"), 6: endpoint("/b"), 7: bad}
    all_rows.take(_counted(endpoints, _each(*endpoints)))
    assert set(all_rows.by_path()) == {"/a", "~other", "~bad request"}


def test_discarded_requests_are_no_requests() -> None:
    """The kernel moves them out of their endpoint, which has no row if there are no others."""
    all_rows = FedRows(max_distinct=9)
    endpoints = {5: endpoint("/a"), 6: endpoint("/b")}
    all_rows.take(_counted(endpoints, [delta(5, counted=3, unanswered=1, moved=1)]))
    all_rows.take(_counted({}, [delta(6, counted=2)]))
    all_rows.take(_counted({}, [delta(6, moved=2)]))
    rows = all_rows.by_path()
    assert set(rows) == {"/a"}
    assert (rows["/a"].requests, rows["/a"].in_flight) == (1, 1)


def test_responses_that_were_cut_off() -> None:
    all_rows = FedRows(max_distinct=9)
    deltas = [delta(5, counted=3), delta(5 + RESPONSES, counted=3, unanswered=2)]
    all_rows.take(_counted({5: endpoint("/a")}, deltas))
    (row,) = all_rows.table(1.0)
    assert (row.status, row.truncated, row.unanswered) == ({200: 3}, 2, 0)


def test_paths_beyond_the_limit_are_added_up() -> None:
    all_rows = FedRows(max_distinct=2)
    endpoints = {
        9: endpoint("/d"), 5: endpoint("/a"), 6: endpoint("/b"), 7: endpoint("/c"),
        10: endpoint("/a", process=b"other"), 11: endpoint("/z", method="POST"),
        12: endpoint("/z", 1), 13: endpoint("/a")._replace(version=0),
    }  # fmt: skip
    all_rows.take(_counted(endpoints, _each(*endpoints)))
    keys = {(row.key.process, row.key.method, row.key.side, row.key.protocol[-1], row.key.path)
            for row in all_rows.table(1.0)}  # fmt: skip
    assert keys == {
        ("web", "GET", "server", "1", "/a"),
        ("web", "GET", "server", "1", "/b"),
        ("web", "OTHER", "server", "1", "~other"),
        ("other", "GET", "server", "1", "/a"),
        ("web", "POST", "server", "1", "/z"),
        ("web", "GET", "client", "1", "/z"),
        ("web", "GET", "server", "0", "/a"),
    }
    other = next(row for row in all_rows.table(1.0) if row.key.path == "~other")
    assert other.requests == all_rows.overflow_requests == 2
    all_rows.take(_counted({14: endpoint("/e")}, _each(14, 7, 5)))
    assert all_rows.overflow_requests == 4
    assert sum(row.requests for row in all_rows.table(1.0)) == 11
    all_rows.end_tick(1.0)
    totals = all_rows.totals(1.0)
    assert totals["server"].requests + totals["client"].requests == 11


def test_what_is_out_of_scope_takes_no_place() -> None:
    all_rows = FedRows(max_distinct=1, scope=limited("path ~ /a*"))
    endpoints = {5: endpoint("/b"), 6: endpoint("/a1"), 7: endpoint("/c"), 8: endpoint("/a2")}
    all_rows.take(_counted(endpoints, _each(*endpoints)))
    assert {path: row.requests for path, row in all_rows.by_path().items()} == {
        "/a1": 1,
        "~other": 1,
    }


def test_a_new_template_merges_what_was_counted() -> None:
    all_rows = FedRows()
    endpoints = {cell: endpoint(f"/users/{name}") for cell, name in ((5, "ann"), (6, "bob"))}
    deltas = _each(5, requests=3, waiting=1) + _each(6, requests=2, waiting=1)
    reading = _counted(endpoints, deltas)
    reading.processes = [(5, 30), (6, 10)]
    all_rows.take(reading)
    all_rows.end_tick(1.0)
    ann, _ = all_rows.table(1.0)
    renamed = all_rows.regroup(PathRules(["/users/{name}"]))
    assert renamed[ann.key].path == "/users/{name}"
    (row,) = all_rows.table(1.0)
    assert (row.key.path, row.requests, row.in_flight) == ("/users/{name}", 5, 2)
    assert (row.request_bytes, row.response_bytes, row.pids) == (20, 35 // 5 * 2, (10, 30))
    assert row.latency.count == row.latency_total.count == 5
    assert row.trend_ns == pytest.approx((10_000.0,), rel=0.016)
    all_rows.take(Reading(deltas=_each(5, 6)))
    assert all_rows.by_path()["/users/{name}"].requests == 7


def test_without_its_template_only_new_requests_are_told_apart() -> None:
    all_rows = FedRows()
    endpoints = {5: endpoint("/users/ann"), 6: endpoint("/users/bob")}
    all_rows.take(_counted(endpoints, _each(5, 6, requests=2, waiting=1)))
    all_rows.regroup(PathRules(["/users/*"]))
    all_rows.regroup(PathRules())
    all_rows.take(Reading(deltas=[*_each(5, requests=4), answered(6 + RESPONSES, 1)]))
    rows = {path: (row.requests, row.in_flight) for path, row in all_rows.by_path().items()}
    assert rows == {"/users/{id}": (4, 0), "/users/ann": (4, 1), "/users/bob": (1, 0)}


def test_merging_makes_room() -> None:
    all_rows = FedRows(max_distinct=2)
    endpoints = {5: endpoint("/u/a"), 6: endpoint("/u/b"), 7: endpoint("/c")}
    all_rows.take(_counted(endpoints, _each(5, 6, 7)))
    all_rows.regroup(PathRules(["/u/*"]))
    all_rows.take(Reading(deltas=_each(5, 7)))
    assert {path: row.requests for path, row in all_rows.by_path().items()} == {
        "/u/{id}": 3, "~other": 1, "/c": 1,
    }  # fmt: skip


PATTERNS = st.lists(
    st.sampled_from(["/a/*", "/*/b", "/{x}/{y}", "/a/b", "/*", "/b/{z}"]), max_size=3, unique=True
)


@given(st.lists(PATTERNS, min_size=1, max_size=5), st.integers(0, 1 << 32), st.integers(1, 6))
def test_regrouping_changes_no_sum(changes: list[list[str]], seed: int, max_distinct: int) -> None:
    """Rows come and go; what they add up to stays, at once and with all that comes later."""
    dice = random.Random(seed)
    all_rows = FedRows(max_distinct=max_distinct)
    paths = ["/a/a", "/a/b", "/b/b", "/b/c", "/c/b", "/a", "/b", "/{id}/b", "/c"]
    endpoints = {5 + at: endpoint(path, at % 2) for at, path in enumerate(paths * 2)}
    tick = 0
    for templates in changes:
        for _ in range(dice.randrange(1, 4)):
            tick += 1
            deltas = []
            for cell in dice.sample(list(endpoints), 6):
                lost, waits, done = dice.randrange(2), dice.randrange(2), dice.randrange(4)
                counted = lost + waits + done
                deltas.append(delta(cell, counted=counted, bytes=counted, unanswered=lost))
                deltas.append(answered(cell + RESPONSES, done, done))
            all_rows.take(_counted(endpoints, deltas), tick * 3)
            all_rows.end_tick(1.0)
            _assert_sums(all_rows)
        before = all_rows.totals(1.0)
        requests = sum(row.requests for row in all_rows.table(1.0))
        all_rows.regroup(PathRules(templates))
        assert all_rows.totals(1.0) == before
        assert sum(row.requests for row in all_rows.table(1.0)) == requests
        _assert_sums(all_rows)


def _assert_sums(all_rows: FedRows) -> None:
    rows = all_rows.table(1.0)
    assert len({row.key for row in rows}) == len(rows)
    for side, total in all_rows.totals(1.0).items():
        mine = [row for row in rows if row.key.side == side]
        for name in ("requests", "rps", "in_flight", "unanswered", "response_bytes"):
            assert getattr(total, name) == sum(getattr(row, name) for row in mine), name
        # A row that is left without requests is not shown: those in flight went, their bytes stay.
        numbers = [row for key, row in all_rows._ledger.book.numbers.items() if key.side == side]
        rows_now = all_rows._ledger.now().rows
        everything = [RowFigures(*ROW.unpack_from(rows_now, ROW.size * row)) for row in numbers]
        assert total.request_bytes == sum(row.request_bytes for row in everything)
        for name in ("latency", "latency_total"):
            counted = sum(getattr(row, name).count for row in mine)
            assert name != "latency" or counted == total.latency.count
            assert name != "latency_total" or counted == sum(total.status.values())
        for code, count in total.status.items():
            assert count == sum(row.status.get(code, 0) for row in mine)
        for row in mine:
            assert sum(row.status.values()) + row.unanswered == row.requests


def test_times_beside_the_latency() -> None:
    """A wait stands in a cell of its own, which counts where responses of its status do."""
    all_rows = FedRows(scope=limited("status = 200"))
    responses = {
        6: RawResponse(5, 200),
        7: RawResponse(5, 404),
        8: RawResponse(5, 200, Measure.WAIT),
    }
    responses[9] = RawResponse(5, 404, Measure.WAIT)
    deltas = [delta(5, counted=6), answered(6, 3), answered(7, 3)]
    all_rows.take(Reading(endpoints={5: endpoint("/a")}, responses=responses, deltas=deltas))
    all_rows.take(Reading(deltas=[answered(8, 2), answered(9, 1)]))
    (row,) = all_rows.by_path().values()
    assert (row.requests, row.wait_total.count, row.sending_total) == (3, 2, NO_LATENCY)
