"""Latencies by status: exact sums of all rows, percentiles of some."""

from __future__ import annotations

import pytest

from httptop.collect import status_latencies
from httptop.collect.histogram import MIDDLES, Histogram, bucket_of
from httptop.collect.path_rules import PathRules
from httptop.collect.source import RawResponse
from httptop.config.settings import DEFAULTS
from httptop.model import STATUS_UNKNOWN, EndpointKey, EndpointStats, StatusLatency
from tests.collect.cells import FedRows, Reading, collecting, delta, endpoint, rows_of
from tests.collect.reference_sums import CellDelta

FAST_NS, SLOW_NS = 10_000, 90_000_000
FAST, SLOW = (MIDDLES[bucket_of(time_ns)] for time_ns in (FAST_NS, SLOW_NS))
#: Cells: an endpoint's, and those of its responses.
OK, FAILED = 100, 200


def _served(cell: int, fast: int = 0, slow: int = 0, code: int = 500) -> Reading:
    """Return requests that a cell has had: some fast with 200, some slow with another code."""
    responses = {cell + OK: RawResponse(cell, 200), cell + FAILED: RawResponse(cell, code)}
    deltas = [
        delta(cell, counted=fast + slow, bytes=1),
        _times(cell + OK, FAST_NS, fast),
        _times(cell + FAILED, SLOW_NS, slow),
    ]
    return Reading(endpoints={cell: endpoint(f"/{cell}")}, responses=responses, deltas=deltas)


def _times(cell: int, time_ns: int, count: int, unmeasured: int = 0) -> CellDelta:
    histogram: Histogram = {bucket_of(time_ns): count - unmeasured} if count > unmeasured else {}
    return delta(
        cell, counted=count, sum_ns=time_ns * (count - unmeasured), max_ns=time_ns * bool(count),
        unmeasured=unmeasured, histogram=histogram,
    )  # fmt: skip


def _row(rows: FedRows, path: str = "/5", *, written: bool = False) -> EndpointStats:
    (found,) = [row for row in rows.table(1.0, written=written) if row.key.path == path]
    return found


def _looked_at(rows: FedRows, path: str = "/5") -> dict[int, StatusLatency]:
    found = rows.look_at(_row(rows, path).key)
    assert found is not None
    return dict(found.latency_by_status)


def test_of_one_status_it_is_the_rows() -> None:
    rows = FedRows()
    rows.take(_served(5, fast=3))
    row = _row(rows)
    assert row.latency_by_status == {200: StatusLatency(3, FAST_NS, FAST_NS, FAST_NS)}
    assert row.latency_total.p99_ns == FAST_NS


def test_of_several_the_sums_are_known_and_percentiles_only_where_somebody_looks() -> None:
    rows = FedRows()
    rows.take(_served(5, fast=3, slow=1))
    rows.take(_served(6, fast=1, slow=1))
    sums = {200: StatusLatency(3, FAST_NS), 500: StatusLatency(1, SLOW_NS)}
    assert _row(rows).latency_by_status == sums
    both = {
        200: StatusLatency(3, FAST_NS, FAST, FAST), 500: StatusLatency(1, SLOW_NS, SLOW_NS, SLOW_NS)
    }  # fmt: skip
    assert _looked_at(rows) == both
    assert _row(rows).latency_by_status == sums, "what rows have does not depend on who looks"
    assert rows.look_at(EndpointKey("client", "", "", False, "", "")) is None
    assert _row(rows, written=True).latency_by_status == both
    rows.take(_served(5, slow=1))
    assert _looked_at(rows)[500] == StatusLatency(2, SLOW_NS, SLOW, SLOW_NS)
    assert (_row(rows, written=True).latency_by_status or {})[500].count == 2


def test_responses_without_a_latency() -> None:
    """No histogram was left, no outcome was seen, or the status has no cell."""
    rows = FedRows()
    rows.take(_served(5, fast=2, code=STATUS_UNKNOWN))
    lost = [delta(5, counted=6, rest=(0, 0, 0, 0, 0, 3)), _times(5 + OK, FAST_NS, 2, unmeasured=1)]
    rows.take(Reading(deltas=[*lost, delta(5 + FAILED, counted=1)]))
    row = _row(rows)
    assert row.status == {200: 4, STATUS_UNKNOWN: 1, 5: 3}
    assert row.latency_by_status == {200: StatusLatency(3, FAST_NS, FAST_NS, FAST_NS)}
    assert _looked_at(rows) == row.latency_by_status


def test_rows_that_become_one() -> None:
    rows = FedRows()
    rows.take(_served(5, fast=3, slow=1))
    rows.take(_served(6, fast=2, slow=2))
    rows.regroup(PathRules(["/*"]))
    assert _looked_at(rows, "/{id}") == {
        200: StatusLatency(5, FAST_NS, FAST, FAST), 500: StatusLatency(3, SLOW_NS, SLOW, SLOW_NS)
    }  # fmt: skip


def test_an_endpoint_that_is_looked_at_has_all_its_latencies() -> None:
    rows = FedRows()
    rows.take(_served(5, fast=3, slow=1))
    looked_at = rows.look_at(_row(rows, "/5").key)
    assert looked_at is not None
    assert [count for _, count in looked_at.bands] == [3, 1]
    rows.take(_served(5, fast=1, slow=2))
    looked_at = rows.look_at(looked_at.key)
    assert looked_at is not None
    assert [count for _, count in looked_at.bands] == [4, 3]


def test_cells_that_part_take_their_next_latencies_along() -> None:
    rows = FedRows()
    rows.take(_served(5, fast=3, slow=1))
    rows.take(_served(6, fast=2, slow=2))
    rows.regroup(PathRules(["/*"]))
    rows.regroup(PathRules())
    rows.take(_served(5, fast=1, slow=1))
    before = {200: StatusLatency(5, FAST_NS), 500: StatusLatency(3, SLOW_NS)}
    assert _looked_at(rows, "/{id}") == _row(rows, "/{id}").latency_by_status == before
    assert _looked_at(rows) == {200: StatusLatency(1, FAST_NS), 500: StatusLatency(1, SLOW_NS)}


def test_what_is_forgotten_leaves_its_sums() -> None:
    """Cells that are on their way back, or are back, have no histogram to read."""
    rows = FedRows()
    rows.take(_served(5, fast=3, slow=1))
    rows.take(_served(6, fast=2, slow=2))
    for tick in range(1, 8):
        rows.end_tick(1.0)
        rows.forget(float(tick), 2.0, rows.source.names)
        rows.take(_served(7, fast=1))
    idle = {200: StatusLatency(5, FAST_NS), 500: StatusLatency(3, SLOW_NS)}
    assert _row(rows, "~idle").latency_by_status == idle
    assert _looked_at(rows, "~idle") == idle
    assert rows.source.sums._histograms.keys() & {5 + OK, 6 + FAILED} == set()


def test_a_histogram_that_lacks_much_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its buckets have 32 bits, and may have wrapped around."""
    rows = FedRows()
    rows.take(_served(5, fast=300, slow=70))
    whole = rows.source.sums.histograms
    monkeypatch.setattr(
        rows.source.sums, "histograms", lambda row, cells: [{**whole(row, cells)[0]}, {}]
    )
    found = _looked_at(rows)
    assert found[200].p99_ns == FAST
    assert found[500] == StatusLatency(70, SLOW_NS)


def test_the_busiest_rows_are_written_with_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is read again only if it has counted, and no more cells than there is room for."""
    monkeypatch.setattr(status_latencies, "MOST_CELLS", 4)
    rows = FedRows()
    for cell in range(5, 10):
        rows.take(_served(cell, fast=cell, slow=1))
    read: list[list[int]] = []
    whole = rows.source.sums.histograms

    def noted(row: int, cells: list[int]) -> list[Histogram]:
        read.append(cells)
        return whole(row, cells)

    monkeypatch.setattr(rows.source.sums, "histograms", noted)

    def known() -> list[str]:
        return [
            row.key.path
            for row in rows.table(1.0, written=True)
            if (row.latency_by_status or {})[500].p99_ns is not None
        ]

    assert known() == ["/8", "/9"]
    assert read == [[9 + OK, 9 + FAILED], [8 + OK, 8 + FAILED]]
    assert known() == ["/8", "/9"]
    assert len(read) == 2
    rows.take(_served(5, fast=9))
    assert known() == ["/5", "/9"]
    assert read[2:] == [[5 + OK, 5 + FAILED]]


def test_who_looks_changes_one_thing_of_a_snapshot() -> None:
    """The endpoint looked at has more; the rows, which go to outputs, are the same."""
    plain = collecting(_served(5, fast=3, slow=1), Reading(), Reading(), settings=DEFAULTS)
    first = plain.step(1001.0, 5001.0)
    assert first.looked_at is None
    row = rows_of(first)["server /5"]
    plain.look_at(row.key)
    second = plain.step(1002.0, 5002.0)
    assert second.looked_at is not None
    assert second.looked_at.key == row.key
    assert second.looked_at.latency_by_status[500].p99_ns == SLOW_NS
    assert rows_of(second)["server /5"].latency_by_status == row.latency_by_status
    plain.look_at(None)
    assert plain.step(1003.0, 5003.0).looked_at is None


def test_the_row_that_is_looked_at_is_read_again_only_if_it_has_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = FedRows()
    rows.take(_served(5, fast=3, slow=1))
    reads: list[int] = []
    whole = rows.source.sums.histograms

    def noted(row: int, cells: list[int]) -> list[Histogram]:
        reads.append(row)
        return whole(row, cells)

    monkeypatch.setattr(rows.source.sums, "histograms", noted)
    first = _looked_at(rows)
    assert (_looked_at(rows), len(reads)) == (first, 1)
    rows.take(_served(5, slow=1))
    assert _looked_at(rows)[500].count == 2
    assert len(reads) == 2
