"""Synthetic snapshots for the screen: no clock, no randomness but a fixed little generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from httptop.model import (
    NO_LATENCY,
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


@cache  # a run has one object for each
def _key(number: int) -> EndpointKey:
    path = f"/service-{number % 40}/resource-{number}/{{id}}"
    return EndpointKey("server", f"worker-{number % 12}", "HTTP/1.1", False, "GET", path)


def _endpoint(number: int, tick: int) -> EndpointStats:
    rps, p50_ms = 1 + 500 * noise(number + tick), 0.2 + 40 * noise(number * 3 + tick)
    status = {200: 1_000 + tick * number % 977, 404: number % 7, 500: number % 3}
    requests = sum(status.values())
    return EndpointStats(
        _key(number),
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
        recent=_samples(rows[:50]) if rows else (),
        overhead=_OVERHEAD,
    )


def live(tick: int, endpoints: int = 60) -> Snapshot:
    """Return a snapshot as of a busy host: from tick to tick figures drift, and few rows change.

    A fifth of the rows is idle; on the others rates and latencies vary around their own, as they
    do over a window, and 12 requests are new.
    """
    rows = tuple(_drifting(number, tick) for number in range(endpoints))
    return replace(
        many(0, tick),
        window_s=10.0,
        totals={"server": _moving(rows, tick), "client": NO_TOTALS},
        endpoints=rows,
        recent=_newest(rows, tick),
        overhead=replace(
            _OVERHEAD,
            cpu_percent=1.2 + 0.3 * noise(tick),
            bpf_ns_per_call=120 + 4 * noise(tick + 1),
            bpf_calls=1_000_000 + 900 * tick,
        ),
    )


def idle(tick: int, since: int) -> Snapshot:
    """Return a snapshot of a host that is idle since a tick, for longer than graphs reach."""
    before = live(since)
    rows = tuple(replace(row, **_IDLE) for row in before.endpoints)
    totals = before.total("server")
    return replace(
        before,
        taken_at=_NOON + tick,
        uptime_s=float(tick),
        endpoints=rows,
        totals={
            "server": replace(
                NO_TOTALS,
                requests=totals.requests,
                status=totals.status,
                trend_rps=(0.0,) * 180,
                trend_classes=((0.0,) * 6,) * 180,
                trend_bands=((),) * 180,
            ),
            "client": NO_TOTALS,
        },
        overhead=replace(_OVERHEAD, cpu_percent=0.3 + 0.1 * (tick % 2)),
    )


_IDLE: Final[dict[str, Any]] = {
    "rps": 0.0,
    "in_flight": 0,
    "latency": NO_LATENCY,
    "trend_ns": (None,) * 60,
    "window_requests": 0,
    "window_errors": 0,
}


def _drifting(number: int, tick: int) -> EndpointStats:
    usual = replace(_endpoint(number, 0), key=_name(number))
    if number % 5 == 0:
        return replace(usual, **_IDLE)
    rps = 900 * noise(number) ** 3 * (1 + 0.1 * noise(number + 7 * tick))
    total = 1_000 + int(tick * rps)
    p50_ms = (0.2 + 40 * noise(number * 3)) * (1 + 0.15 * noise(number + 5 * tick))
    errors = number % 7 == 0
    return replace(
        usual,
        rps=rps,
        requests=total,
        status={200: total - total // 50, 500: total // 50} if errors else {200: total},
        in_flight=int(3 * noise(number + tick)),
        latency=_latency(p50_ms, int(rps * 10)),
        trend_ns=tuple(1e6 * (1 + noise(number + tick + i)) for i in range(60)),
        usual_p99_ns=p50_ms * 5e6,
        p99_change=1.0,
        window_requests=int(rps * 10),
        window_errors=int(rps / 5) if errors else 0,
    )


_WORDS: Final = (
    "api", "users", "orders", "checkout", "static", "search", "v2", "inventory", "login", "metrics",
    "carts", "images", "recommendations", "export", "healthz", "t",
)  # fmt: skip
_PROCESSES: Final = ("nginx", "gunicorn", "java", "node", "shop-catalog", "envoy", "php-fpm")


@cache
def _name(number: int) -> EndpointKey:
    """Return a name unlike its neighbours'."""
    words = [_WORDS[int(noise(number * 7 + i) * len(_WORDS))] for i in range(1 + number % 4)]
    return EndpointKey(
        "server",
        _PROCESSES[number % len(_PROCESSES)],
        "HTTP/1.1",
        False,
        ("GET", "GET", "POST", "DELETE")[number % 4],
        "/" + "/".join([*words, f"{number}{{id}}"]),
    )


def _moving(rows: Sequence[EndpointStats], tick: int) -> Totals:
    """Return totals whose graphs move by a tick."""
    totals, ticks = _totals(rows), range(tick, tick + 180)
    return replace(
        totals,
        trend_rps=tuple(totals.rps * (0.7 + 0.5 * noise(i)) for i in ticks),
        trend_classes=tuple(
            (0.0, 0.0, totals.rps * (0.7 + 0.5 * noise(i)), 3.0, 2.0 * noise(i + 1), 9.0 * noise(i))
            for i in ticks
        ),
        trend_bands=tuple(
            tuple((band, int(900 * noise(i * 31 + band))) for band in range(16, 34)) for i in ticks
        ),
    )


def _newest(rows: Sequence[EndpointStats], tick: int, each: int = 12) -> tuple[Transaction, ...]:
    """Return the newest samples, of which a tick brings so many."""
    samples = _samples(rows[:50])
    return tuple(
        replace(
            samples[serial % len(samples)],
            serial=serial,
            started_at=_NOON + serial / each,
            latency_ns=int(1e6 * (1 + 40 * noise(serial))),
        )
        for serial in range(each * (tick + 5), each * tick, -1)
    )
