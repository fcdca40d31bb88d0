"""Rows of the past: the same figures in less memory."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

from httptop.collect.packed_rows import PackedRows
from httptop.collect.source import RawResponse
from httptop.model import EndpointStats
from httptop.view.sorts import SORTS
from tests.collect.cells import FedRows, Reading, answered, delta, endpoint


def _fed(rows: int) -> FedRows:
    fed = FedRows()
    fed.take(
        Reading(
            endpoints={5 + n: endpoint(f"/{n}") for n in range(rows)},
            responses={500 + n: RawResponse(5 + n, 200) for n in range(rows)},
            deltas=[
                *(delta(5 + n, counted=3) for n in range(rows)),
                *(answered(500 + n, 2) for n in range(rows)),
            ],
        )
    )
    fed.end_tick(1.0)
    return fed


def _without_parties(row: EndpointStats) -> EndpointStats:
    return replace(row, pids=(), by_pid=None, by_peer=None, containers=())


def test_packed_rows_say_the_same() -> None:
    table = _fed(40).table(1.0)
    packed = table.packed()
    assert packed.keys == table.keys
    assert packed.size_bytes < table.size_bytes / 5
    assert packed.packed() is packed
    assert [_without_parties(row) for row in table] == [_without_parties(row) for row in packed]
    assert packed.passing(3) == packed.row(3)
    for side in ("server", "client"):
        assert packed.by_name(side) == table.by_name(side)
    assert packed.index_of(table.keys[7]) == 7
    for figure in SORTS:
        assert packed.values(figure) == table.values(figure)


def test_what_nobody_looks_at_stays_packed() -> None:
    fed = _fed(3)
    several = [fed.table(1.0).packed() for _ in range(5)]
    assert all(isinstance(one, PackedRows) for one in several)
    unpacked = [weakref.ref(one._whole()) for one in several]
    gc.collect()
    assert sum(ref() is not None for ref in unpacked) == 2  # the latest ones
    assert several[0].row(0) == several[4].row(0)
