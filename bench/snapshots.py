"""Synthetic snapshots for the screen: no clock, no randomness but a fixed little generator."""

from __future__ import annotations

import math
from collections.abc import Sequence

from httptop.model import (
    NO_TOTALS,
    EndpointKey,
    EndpointStats,
    Latency,
    Overhead,
    Snapshot,
    Totals,
    Transaction,
)

_NOON = 1_767_268_800.0  # 2026-01-01 12:00:00 UTC
_OVERHEAD = Overhead(1.2, 58 << 20, 41, 1200, 3.4, 120.0, 1_000_000, 50.0)


def noise(seed: int) -> float:
    """Return a number from 0 to 1 that looks random and never changes."""
    return (math.sin(seed * 12.9898) * 43_758.5453) % 1.0


def _latency(p50_ms: float, count: int) -> Latency:
    p50 = p50_ms * 1e6
    return Latency(count, *(p50 * n for n in (1.3, 1.0, 2.1, 2.9, 5.2, 10.0, 15.0)))


def _endpoint(number: int, tick: int) -> EndpointStats:
    rps, p50_ms = 1 + 500 * noise(number + tick), 0.2 + 40 * noise(number * 3 + tick)
    status = {200: 1_000 + tick * number % 977, 404: number % 7, 500: number % 3}
    requests = sum(status.values())
    return EndpointStats(
        EndpointKey(
            "server", f"worker-{number % 12}", "HTTP/1.1", False, "GET",
            f"/service-{number % 40}/resource-{number}/{{id}}",
        ),
        (1000 + number % 50, 1001 + number % 50), requests, rps, 0, 0, status,
        requests * 310, requests * 4_200,
        _latency(p50_ms, min(requests, int(rps * 60))), _latency(p50_ms * 1.1, requests),
        tuple(1e6 * (1 + noise(number + i + tick)) for i in range(60)),
    )  # fmt: skip


def _totals(rows: Sequence[EndpointStats]) -> Totals:
    status: dict[int, int] = {}
    for row in rows:
        for code, n in row.status.items():
            status[code] = status.get(code, 0) + n
    requests, rps = sum(row.requests for row in rows), sum(row.rps for row in rows)
    errors = sum(row.errors for row in rows) / max(requests, 1)
    waves = [0.75 + 0.3 * math.sin(i / 7) + 0.2 * noise(i * 3) for i in range(180)]
    return Totals(
        requests, rps, 0, 0, status, requests * 310, requests * 4_200, _latency(2.4, requests),
        error_share=errors,
        trend_rps=tuple(rps * wave for wave in waves),
        trend_error_share=tuple(errors * 2 * noise(i + 9) for i in range(180)),
        trend_p50_ns=tuple(2.4e6 * (0.8 + 0.4 * noise(i + 5)) for i in range(180)),
        trend_p99_ns=tuple(12e6 * (0.6 + wave * 0.5) for wave in waves),
    )  # fmt: skip


def _samples(rows: Sequence[EndpointStats], number: int = 60) -> tuple[Transaction, ...]:
    found = []
    for i in range(number):
        row = rows[int(noise(i + 2) * len(rows)) % len(rows)]
        ns = int(row.latency.p50_ns * (0.5 + 3 * noise(i + 77)))
        found.append(
            Transaction(
                10_000 - i, _NOON + 252 - 0.137 * i, row.key, row.pids[0],
                row.key.path.replace("{id}", str(1_000 + i * 37)), 200 if i % 9 else 500, ns, 310,
                int(60 + noise(i) ** 4 * 9e5), f"203.0.113.{i}:{40_000 + i}", ns > 5e8,
            )
        )  # fmt: skip
    return tuple(found)


def many(endpoints: int, tick: int) -> Snapshot:
    """Return a snapshot of so many endpoints whose figures differ from tick to tick."""
    rows = tuple(_endpoint(number, tick) for number in range(endpoints))
    return Snapshot(
        taken_at=_NOON + tick,
        host="web-1",
        uptime_s=float(tick),
        interval_s=1.0,
        window_s=60.0,
        covered_s=60.0,
        totals={"server": _totals(rows), "client": NO_TOTALS},
        endpoints=rows,
        recent=_samples(rows[:50]),
        overhead=_OVERHEAD,
    )
