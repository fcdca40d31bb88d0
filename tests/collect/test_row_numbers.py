"""Rows that are left of many get low numbers: what a tick costs follows what is there."""

from __future__ import annotations

import sys
from array import array
from collections import deque

from httptop.collect.row_book import MOST_MOVED
from httptop.collect.source import RawEndpoint, RawInFlight, RawResponse
from tests.collect.cells import FedRows, Reading, answered, delta, endpoint

MANY = 3000
#: An endpoint's cell and this: that of its responses.
RESPONSES = 10_000
FORGET_S = 10.0


def fed() -> FedRows:
    """Rows of which the last, and some in between, stay in use."""
    return FedRows(most_rows=2 * MANY, max_distinct=2 * MANY)


def count(rows: FedRows, *cells: int, in_flight: int = 0) -> None:
    endpoints: dict[int, RawEndpoint] = {cell: endpoint(f"/{cell}") for cell in cells}
    responses = {cell + RESPONSES: RawResponse(cell, 200) for cell in cells}
    deltas = [delta(cell, counted=1 + in_flight, bytes=10) for cell in cells]
    deltas += [answered(cell + RESPONSES, 1, 7) for cell in cells]
    rows.take(Reading(endpoints=endpoints, responses=responses, deltas=deltas))


def test_what_is_left_of_many_moves_down_with_all_it_has() -> None:
    rows, kept = fed(), (5, 1700, MANY + 4)
    count(rows, *range(5, MANY + 5))
    assert rows._ledger.book.end > MANY
    for tick in range(1, 40):
        count(rows, *kept, in_flight=int(tick == 1))
        rows.in_flight([RawInFlight(MANY + 4, 0, 7, "unix")], float(tick * 1_000_000_000))
        rows.end_tick(1.0)
        rows.forget(float(tick), FORGET_S, rows.source.names)
        found = rows.by_path()
        assert rows.totals(1.0)["server"].requests == MANY + 3 * tick
        assert sum(row.requests for row in found.values()) == MANY + 3 * tick
        for cell in kept:
            row = found[f"/{cell}"]
            assert (row.requests, row.status, row.in_flight) == (tick + 1, {200: tick + 1}, 1)
            assert row.latency_total.count == row.latency.count == tick + 1
            assert len(row.trend_ns) == min(tick, 40)
            assert None not in row.trend_ns
        assert found[f"/{MANY + 4}"].oldest_in_flight_ns == tick * 1e9
    assert set(found) == {"/5", "/1700", f"/{MANY + 4}", "~idle"}
    assert rows._ledger.book.end < 20
    count(rows, 9_000)
    assert rows.by_path()["/9000"].requests == 1


def _large(found: object, seen: set[int], name: str = "") -> dict[str, int]:
    """Return what of an object, or in it, is a container of more than 16 KiB."""
    if id(found) in seen:
        return {}
    seen.add(id(found))
    parts: dict[str, object] = {}
    if isinstance(found, dict):
        parts = {f"{name}[]": list(found.values())}
    elif isinstance(found, (list, tuple, deque, set)):
        parts = {f"{name}[{at}]": part for at, part in enumerate(found)}
    elif type(found).__module__.startswith("httptop."):
        slots = getattr(type(found), "__slots__", ())
        parts = vars(found) if hasattr(found, "__dict__") else {n: getattr(found, n) for n in slots}
        parts = {f"{name}.{attribute}": part for attribute, part in parts.items()}
    size = found.nbytes if isinstance(found, memoryview) else sys.getsizeof(found)
    large = {name: size} if size > 16_384 else {}
    for at, part in parts.items():
        if isinstance(part, (dict, list, tuple, deque, set, array, memoryview, bytes)) or parts:
            large |= _large(part, seen, at)
    return large


def test_nothing_keeps_the_room_that_many_rows_took() -> None:
    rows = fed()
    source = rows.source

    def large() -> dict[str, int]:
        now = rows._ledger.now()  # the source's
        seen = {id(part) for part in (now, source, source.sums, source.returns, source.parties)}
        return _large(rows._upkeep, seen)

    count(rows, *range(5, MANY + 5))
    rows.end_tick(1.0)
    assert {"._ledger.cells.endpoints", "._ledger.book._numbers"} <= large().keys()
    for tick in range(1, 400):
        count(rows, 5)
        rows.end_tick(1.0)
        rows.forget(float(tick), FORGET_S, rows.source.names)
        # A busy machine moves fewer rows a tick, and what has moved stays until the window is over.
        if tick >= 40 and not large():
            break
    assert large() == {}


def test_rows_that_are_used_keep_their_numbers() -> None:
    rows = fed()
    count(rows, *range(5, MANY + 5))
    half = range(5, MANY + 5, 2)
    for tick in range(1, 15):
        count(rows, *half)
        rows.end_tick(1.0)
        before = dict(rows._ledger.book.numbers)
        rows.forget(float(tick), FORGET_S, rows.source.names)
        changed = [
            key for key, row in rows._ledger.book.numbers.items() if before.get(key, row) != row
        ]
        assert changed == []
    assert len(rows.by_path()) == len(half) + 1


def test_a_tick_moves_a_few() -> None:
    rows = fed()
    count(rows, *range(5, MANY + 5))
    kept = range(MANY - 195, MANY + 5)
    moved = 0
    for tick in range(1, 30):
        count(rows, *kept)
        rows.end_tick(1.0)
        before = dict(rows._ledger.book.numbers)
        rows.forget(float(tick), FORGET_S, rows.source.names)
        now = [key for key, row in rows._ledger.book.numbers.items() if before.get(key, row) != row]
        assert len(now) <= MOST_MOVED
        moved += len(now)
    assert moved > 0
    assert rows._ledger.book.end < MANY
    assert {row.requests for row in rows.by_path().values()} == {30, MANY - 200}
