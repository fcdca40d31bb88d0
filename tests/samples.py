"""Snapshots for the tests of exporters, captures and batch output."""

from __future__ import annotations

from httptop.model import (
    EndpointKey,
    EndpointStats,
    Health,
    Latency,
    Overhead,
    Side,
    Snapshot,
    Totals,
    Transaction,
)

LATENCY = Latency(10, 1.5e6, 1e6, 2e6, 2.5e6, 3e6, 4e6, 5e6)


def key(
    path: str = "/users/{id}",
    side: Side = "server",
    process: str = "nginx",
    method: str = "GET",
    protocol: str = "HTTP/1.1",
) -> EndpointKey:
    return EndpointKey(side, process, protocol, False, method, path)


def row(
    key_: EndpointKey | None = None,
    status: dict[int, int] | None = None,
    unanswered: int = 0,
    latency: Latency = LATENCY,
    pids: tuple[int, ...] = (12,),
    in_flight: int = 1,
    trend: tuple[float | None, ...] = (),
) -> EndpointStats:
    status = {200: 10} if status is None else status
    requests = sum(status.values()) + unanswered
    return EndpointStats(
        key_ or key(),
        pids,
        requests,
        requests / 10,
        in_flight,
        unanswered,
        status,
        100,
        1000,
        latency,
        latency,
        trend,
    )


def request(serial: int, key_: EndpointKey | None = None, **changes: object) -> Transaction:
    values: dict[str, object] = {
        "serial": serial,
        "started_at": 1.7e9 + serial,
        "key": key_ or key(),
        "pid": 12,
        "path": f"/users/{serial}",
        "status": 200,
        "latency_ns": 1_500_000,
        "request_bytes": 80,
        "response_bytes": 2048,
        "peer": "10.1.2.3:4567",
    }
    return Transaction(**(values | changes))  # type: ignore[arg-type]


def snapshot(
    tick: int = 1, rows: tuple[EndpointStats, ...] | None = None, final: bool = False
) -> Snapshot:
    """Return the snapshot of a tick: counters and trends go on from one to the next."""
    if rows is None:
        trend: tuple[float | None, ...] = (None, *(float(n) for n in range(tick)))[-4:]
        rows = (
            row(key(), {200: 10 * tick, 404: tick}, tick, trend=trend),
            row(key("/static/*", process="python3", method="POST"), {500: 3}),
            row(key("/health", "client", "curl"), {200: tick}, trend=trend),
        )
    totals: dict[Side, Totals] = {}
    for side in ("server", "client"):
        mine = [one for one in rows if one.key.side == side]
        status: dict[int, int] = {}
        for one in mine:
            for code, n in one.status.items():
                status[code] = status.get(code, 0) + n
        totals[side] = Totals(
            requests=sum(one.requests for one in mine),
            rps=sum(one.rps for one in mine),
            in_flight=sum(one.in_flight for one in mine),
            unanswered=sum(one.unanswered for one in mine),
            status=status,
            latency=LATENCY,
            error_share=0.25,
            trend_rps=tuple(float(n) for n in range(tick)),
            trend_error_share=(None,) * tick,
            trend_p50_ns=tuple(1e6 * n for n in range(tick)),
            trend_p99_ns=tuple(None if n % 2 else 2e6 for n in range(tick)),
        )
    recent = tuple(request(n, slow=n % 2 == 0) for n in range(3 * tick, max(0, 3 * tick - 5), -1))
    return Snapshot(
        taken_at=1.7e9 + tick,
        host="box",
        uptime_s=float(tick),
        interval_s=1.0,
        window_s=60.0,
        totals=totals,
        endpoints=rows,
        recent=recent,
        health=Health(orphan_responses=1, lost_samples=2, missed_calls=7),
        overhead=Overhead(cpu_percent=1.25, rss_bytes=31 << 20, bpf_ns_per_call=120.5),
        final=final,
        notes=("a probe was refused",) if tick == 2 else (),
    )
