"""Endpoints that have only ever said that there is nothing: many of them are one row."""

from __future__ import annotations

from httptop.collect.measure import Measure
from httptop.collect.not_found import _MOST_PATHS, DistinctPaths
from httptop.collect.path_rules import PathRules
from httptop.collect.source import RawEndpoint, RawResponse
from httptop.config.scope import limited
from httptop.config.settings import DEFAULTS
from httptop.model import EndpointStats
from tests.collect.cells import FedRows, Reading, answered, delta, endpoint
from tests.collect.reference_sums import CellDelta

MOST_ROWS = DEFAULTS.paths.max_not_found


class Served:
    """A process whose endpoints have outcomes; each (path, status) is a request."""

    def __init__(self, *templates: str, most_rows: int = 1000, scope: str = "") -> None:
        self.rows = FedRows(
            *templates,
            most_rows=most_rows,
            scope=limited(scope) if scope else None,
            max_not_found=MOST_ROWS,
        )
        self._cells: dict[str, int] = {}
        self._responses: dict[tuple[str, int], int] = {}
        self._next = 10

    def serve(self, *outcomes: tuple[str, int], unanswered: str = "") -> dict[str, EndpointStats]:
        """Count requests; return the rows."""
        endpoints: dict[int, RawEndpoint] = {}
        responses: dict[int, RawResponse] = {}
        deltas: list[CellDelta] = []
        for path, status in outcomes:
            cell = self._cell(path, endpoints)
            if (path, status) not in self._responses:
                self._responses[path, status], self._next = self._next, self._next + 1
            at = self._responses[path, status]
            responses[at] = RawResponse(cell, status, Measure.LATENCY)
            deltas += [delta(cell, counted=1), answered(at, 1, 7)]
        if unanswered:
            deltas.append(delta(self._cell(unanswered, endpoints), counted=1, unanswered=1))
        self.rows.take(Reading(endpoints=endpoints, responses=responses, deltas=deltas))
        found = self.rows.by_path()
        self.rows.end_tick(1.0)
        return found

    def _cell(self, path: str, endpoints: dict[int, RawEndpoint]) -> int:
        if path not in self._cells:
            self._cells[path], self._next = self._next, self._next + 1
        endpoints[self._cells[path]] = endpoint(path)
        return self._cells[path]


def _missing(count: int, at: int = 0) -> list[tuple[str, int]]:
    return [(f"/m{number}", (404, 400, 405)[number % 3]) for number in range(at, at + count)]


def test_few_have_rows_of_their_own() -> None:
    rows = Served().serve(*_missing(MOST_ROWS), ("/a", 200))
    assert len(rows) == MOST_ROWS + 1


def test_many_are_one_row_that_knows_how_many_paths() -> None:
    served = Served()
    served.serve(*_missing(MOST_ROWS), ("/a", 200), ("/failing", 500))
    rows = served.serve(*_missing(60))
    assert set(rows) == {"/a", "/failing", "~not found"}
    assert (rows["~not found"].paths, rows["~not found"].more_paths) == (60, False)
    assert rows["~not found"].requests == 60 + MOST_ROWS
    assert sum(rows["~not found"].status.values()) == 60 + MOST_ROWS
    assert rows["~not found"].shown_path == "~not found (60)"
    assert rows["/a"].paths is None
    # From now on no new one has a row, not even for a tick; and the paths seen are no more.
    rows = served.serve(*_missing(70))
    assert set(rows) == {"/a", "/failing", "~not found"}
    assert (rows["~not found"].paths, rows["~not found"].requests) == (70, 130 + MOST_ROWS)
    assert served.rows.totals(1.0)["server"].requests == 132 + MOST_ROWS


def test_what_is_found_after_all_has_a_row() -> None:
    served = Served()
    served.serve(*_missing(60))
    rows = served.serve(("/m0", 200), ("/m1", 503))
    assert rows["/m0"].status == {200: 1}
    assert rows["/m1"].status == {503: 1}
    assert sum(rows["~not found"].status.values()) == rows["~not found"].requests == 60
    rows = served.serve(("/m0", 404))
    assert rows["/m0"].status == {200: 1, 404: 1}
    assert sum(row.requests for row in rows.values()) == 63


def test_an_unanswered_request_is_another_outcome() -> None:
    served = Served()
    served.serve(("/hangs", 404), unanswered="/hangs")
    rows = served.serve(*_missing(60))
    assert rows["/hangs"].unanswered == 1
    assert rows["~not found"].paths == 60


def test_what_was_found_once_is_never_folded() -> None:
    served = Served()
    served.serve(*((path, 200) for path, _ in _missing(60)))
    assert len(served.serve(*_missing(60))) == 60


def test_an_outcome_out_of_scope_is_one() -> None:
    served = Served(scope="status = 404")
    found = [(f"/f{number}", status) for number in range(60) for status in (200, 404)]
    missing = [(f"/m{number}", 404) for number in range(60)]
    rows = served.serve(*found, *missing)
    assert len(rows) == 61
    assert rows["~not found"].requests == 60


def test_path_rules_leave_it_alone() -> None:
    served = Served()
    served.serve(*_missing(60), ("/a/1", 200))
    served.rows.regroup(PathRules(("/a/*",)))
    rows = served.serve(*_missing(60))
    assert rows["~not found"].requests == 120
    assert rows["~not found"].paths == 60
    assert len(rows) == 2


def test_what_one_rule_merges_has_the_outcomes_of_all() -> None:
    served = Served()
    served.serve(*((f"/a/{number}", 404) for number in range(20)), ("/a/x", 200))
    served.rows.regroup(PathRules(("/a/*",)))
    rows = served.serve(*_missing(60))
    assert {path for path in rows if path.startswith("/a")} == {"/a/{id}"}


def test_paths_that_nobody_can_tell_apart_any_more() -> None:
    paths = DistinctPaths()
    paths.add(1, ("/a", "/b", "/a"))
    paths.add(2, ("/a",))
    assert paths.counts == {1: (2, False), 2: (1, False)}
    paths.add(2, (f"/{number}" for number in range(_MOST_PATHS)))
    assert paths.counts[2] == (_MOST_PATHS - 2, True)
    paths.drop(1)
    paths.add(3, ("/c",))
    assert paths.counts == {2: (_MOST_PATHS - 2, True), 3: (1, False)}
