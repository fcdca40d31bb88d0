"""Latencies by status, against a server that takes a known time for each."""

from __future__ import annotations

import time

import pytest

from httptop.model import SIDES, Snapshot, StatusLatency
from tests.live.live import (
    SOCKETS,
    SYSCALLS,
    TAIL_CALLS,
    Watch,
    connected,
    new_path,
    receive,
    request,
    response,
    rows_of,
)

pytestmark = pytest.mark.ebpf

#: Seconds that each status takes, at least.
DELAYS_S = {200: 0.002, 404: 0.02, 500: 0.06}
TIMES = 7


@pytest.mark.parametrize("front", [SOCKETS, SYSCALLS, TAIL_CALLS])
def test_each_status_has_the_times_that_it_took(front: str) -> None:
    path = new_path()
    took_ns: dict[int, list[int]] = {code: [] for code in DELAYS_S}
    with Watch(front=front) as watch, connected() as (client, server):
        for code in [*DELAYS_S] * TIMES:
            began_ns = time.perf_counter_ns()
            client.sendall(request(path))
            receive(server, len(request(path)))
            time.sleep(DELAYS_S[code])
            server.sendall(response(code))
            receive(client, len(response(code)))
            took_ns[code].append(time.perf_counter_ns() - began_ns)
        snapshot = watch.until(lambda seen: _responses(seen, path) == 2 * TIMES * len(DELAYS_S))
        for side in SIDES:
            (row,) = rows_of(snapshot, path, side)
            assert row.latency_by_status is not None
            assert sum(one.count for one in row.latency_by_status.values()) == (
                row.latency_total.count
            )
            watch.collector.look_at(row.key)
            looked_at = watch.step().looked_at
            assert looked_at is not None
            assert looked_at.key == row.key
            for code, times_ns in took_ns.items():
                one, sums = looked_at.latency_by_status[code], row.latency_by_status[code]
                assert one.count == TIMES
                assert sums == StatusLatency(TIMES, one.mean_ns)
                least, mean = DELAYS_S[code] * 1e9, sum(times_ns) / TIMES
                assert least <= one.mean_ns <= mean
                assert one.p50_ns is not None
                assert one.p99_ns is not None
                # Within the width of a bucket; what the client saw lasts longer.
                middle = sorted(times_ns)[TIMES // 2]
                assert least * 0.98 <= one.p50_ns <= middle * 1.02
                assert one.p50_ns <= one.p99_ns <= max(times_ns) * 1.02


def _responses(snapshot: Snapshot, path: str) -> int:
    return sum(sum(row.status.values()) for row in rows_of(snapshot, path))
