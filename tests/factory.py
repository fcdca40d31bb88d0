"""Synthetic snapshots: deterministic, no clock, no randomness but a fixed little generator.

Two kinds: a small shop at work, with lifelike figures that look like something on a screen
(:func:`busy`, of :func:`endpoint`); and a run from tick to tick, with round figures that a test can
assert (:func:`snapshot_at`, of :func:`row`). Values for every field of every dataclass are in
``tests.filled``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, TypeVar

from httptop.model import (
    BANDS_PER_OCTAVE,
    LEAST_BAND_NS,
    NO_TOTALS,
    OTHER_PEERS,
    OTHER_PIDS,
    SIDES,
    STATUS_UNKNOWN,
    UNIX_PEER,
    Bands,
    EndpointKey,
    EndpointStats,
    Health,
    Latency,
    LookedAt,
    Overhead,
    PartyStats,
    RequestInFlight,
    Side,
    Snapshot,
    StatusLatency,
    Totals,
    Transaction,
    errors_of,
)

NOON = 1_767_268_800.0  # 2026-01-01 12:00:00 UTC
OVERHEAD = Overhead(
    cpu_percent=1.2,
    rss_bytes=58 * 2**20,
    open_fds=41,
    context_switches=1200,
    bpf_cpu_percent=3.4,
    bpf_ns_per_call=120.0,
    bpf_calls=1_000_000,
    samples_per_s=50.0,
)
#: A latency in round figures.
LATENCY = Latency(10, 1.5e6, 1e6, 2e6, 2.5e6, 3e6, 4e6, 5e6)


def noise(seed: int) -> float:
    """Return a number from 0 to 1 that looks random and never changes."""
    return (math.sin(seed * 12.9898) * 43_758.5453) % 1.0


def latency(p50_ms: float, count: int = 100, spread: float = 1.0) -> Latency:
    """Return a latency whose quantiles follow from its median."""
    p50 = p50_ms * 1e6
    return Latency(
        count=count,
        mean_ns=p50 * (1 + 0.3 * spread),
        p50_ns=p50,
        p90_ns=p50 * (1 + 1.1 * spread),
        p95_ns=p50 * (1 + 1.9 * spread),
        p99_ns=p50 * (1 + 4.2 * spread),
        p999_ns=p50 * (1 + 9.0 * spread),
        max_ns=p50 * (1 + 14.0 * spread),
    )


def status_latency(p50_ms: float, count: int) -> StatusLatency:
    """Return the latencies of a status, whose quantiles follow from their median."""
    whole = latency(p50_ms, count)
    return StatusLatency(count, whole.mean_ns, whole.p50_ns, whole.p99_ns)


def key(
    path: str = "/users/{id}",
    method: str = "GET",
    process: str = "nginx",
    side: Side = "server",
    tls: bool = False,
    user: str = "",
) -> EndpointKey:
    """Return an endpoint's key."""
    return EndpointKey(side, process, "HTTP/1.1", tls, method, path, user)


_Name = TypeVar("_Name", int, str)


def endpoint(
    name: EndpointKey,
    rps: float = 10.0,
    p50_ms: float = 1.2,
    status: Mapping[int, int] | None = None,
    unanswered: int = 0,
    in_flight: int = 0,
    trend: Sequence[float | None] | None = None,
    seed: int = 1,
) -> EndpointStats:
    """Return the figures of an endpoint that has been there for a minute."""
    status = {200: int(rps * 60)} if status is None else status
    requests = sum(status.values()) + unanswered
    if trend is None:
        trend = [
            p50_ms * 1e6 * (0.8 + 0.5 * noise(seed + i) + 0.4 * math.sin((seed + i) / 5))
            for i in range(60)
        ]
    return EndpointStats(
        key=name,
        pids=(1000 + seed % 50, 1001 + seed % 50),
        requests=requests,
        rps=rps,
        in_flight=in_flight,
        unanswered=unanswered,
        status=status,
        request_bytes=requests * 310,
        response_bytes=requests * 4_200,
        latency=latency(p50_ms, count=min(requests, int(rps * 60))),
        latency_total=latency(p50_ms * 1.1, count=requests - unanswered),
        trend_ns=tuple(trend),
        latency_by_status={
            code: status_latency(p50_ms * (6 if code >= 500 else 1.1), n)
            for code, n in status.items()
            if code != STATUS_UNKNOWN
        },
        window_requests=int(rps * 10),
        window_errors=int(rps * 10 * errors_of(status, unanswered) / max(requests, 1)),
        by_pid=split_among(requests, p50_ms, (1000 + seed % 50, 1001 + seed % 50)),
        by_peer=split_among(requests, p50_ms, ("203.0.113.7", "2001:db8::9:1", "unix")),
    )


def split_among(requests: int, mean_ms: float, names: Sequence[_Name]) -> dict[_Name, PartyStats]:
    """Return who has so many requests: each has half of what is left, the last one the rest."""
    found: dict[_Name, PartyStats] = {}
    for name in names:
        some = requests if name == names[-1] else (requests + 1) // 2
        requests -= some
        mean_ns = mean_ms * 1e6
        found[name] = PartyStats(some, some // 20, some, mean_ns, 12 * mean_ns)
    return found


def row(
    name: EndpointKey | None = None,
    status: Mapping[int, int] | None = None,
    unanswered: int = 0,
    latency: Latency = LATENCY,
    pids: tuple[int, ...] = (12,),
    in_flight: int = 1,
    trend: tuple[float | None, ...] = (),
) -> EndpointStats:
    """Return an endpoint in round figures."""
    status = {200: 10} if status is None else status
    requests = sum(status.values()) + unanswered
    return EndpointStats(
        name or key(),
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
        window_requests=requests,
        window_errors=errors_of(status, unanswered),
    )


def request(serial: int, name: EndpointKey | None = None, **changes: Any) -> Transaction:
    """Return a sampled request in round figures."""
    sample = Transaction(
        serial=serial,
        started_at=1.7e9 + serial,
        key=name or key(),
        pid=12,
        path=f"/users/{serial}",
        status=200,
        latency_ns=1_500_000,
        request_bytes=80,
        response_bytes=2048,
        peer="10.1.2.3:4567",
    )
    return replace(sample, **changes)


def totals(endpoints: Sequence[EndpointStats], side: Side, seed: int = 3) -> Totals:
    """Return totals that are the true sums of a side's endpoints."""
    rows = [row for row in endpoints if row.key.side == side]
    if not rows:
        return NO_TOTALS
    status: dict[int, int] = {}
    for row in rows:
        for code, n in row.status.items():
            status[code] = status.get(code, 0) + n
    requests = sum(row.requests for row in rows)
    rps = sum(row.rps for row in rows)
    errors = sum(row.errors for row in rows) / max(requests, 1)
    return Totals(
        requests=requests,
        rps=rps,
        in_flight=sum(row.in_flight or 0 for row in rows),
        unanswered=sum(row.unanswered for row in rows),
        status=status,
        request_bytes=sum(row.request_bytes for row in rows),
        response_bytes=sum(row.response_bytes for row in rows),
        latency=latency(2.4, count=int(rps * 60)),
        latency_total=latency(2.6, count=requests),
        error_share=errors,
        **_trends(rps, errors, seed),
    )


@lru_cache(64)
def _trends(rps: float, errors: float, seed: int) -> dict[str, Any]:
    """Return the trends of totals; to compute them takes longer than most tests."""
    waves = [0.75 + 0.3 * math.sin(i / 7 + seed) + 0.2 * noise(i * seed) for i in range(180)]
    waves[-1] = 1.0  # the last tick was as the window
    return {
        "trend_rps": tuple(rps * wave for wave in waves),
        "trend_error_share": tuple(
            errors * (2 * noise(i + 9) if i % 40 > 12 else 0.3) for i in range(180)
        ),
        "trend_p50_ns": tuple(2.4e6 * (0.8 + 0.4 * noise(i + 5)) for i in range(180)),
        "trend_p99_ns": tuple(
            12e6 * (0.6 + wave * 0.5 + (1.4 if i % 47 in (0, 1) else 0.0))
            for i, wave in enumerate(waves)
        ),
        "trend_classes": tuple(
            (
                *(0.0, 0.0),
                rps * wave * (1 - errors),
                0.0,
                rps * wave * errors / 2,
                rps * wave * errors / 2 * (i % 40 > 12),
            )
            for i, wave in enumerate(waves)
        ),
        "trend_bands": tuple(bands(rps * wave, i, 1.6, 140) for i, wave in enumerate(waves)),
    }


def bands(n: float, tick: int, p50_ms: float, slower_from: int, slower: float = 0.02) -> Bands:
    """Return about so many latencies of a tick; from one on a share is eight times as long."""
    usual = BANDS_PER_OCTAVE * math.log2(p50_ms * 1e6 / LEAST_BAND_NS)
    middle = usual + 0.8 * math.sin(tick / 23)
    part = slower if tick >= slower_from else 0.0
    longer = middle + 3 * BANDS_PER_OCTAVE

    def share(band: int) -> float:
        near, far = (math.exp(-((band - at) ** 2) / 8) for at in (middle, longer))
        return (near * (1 - part) + far * part) / 5 * (0.5 + noise(7 * band + 3 * tick))

    lowest = max(0, int(usual) - 9)
    found = ((band, int(n * share(band))) for band in range(lowest, int(longer) + 9))
    return tuple((band, count) for band, count in found if count)


def snapshot(
    endpoints: Sequence[EndpointStats] = (),
    recent: Sequence[Transaction] = (),
    tick: int = 252,
    health: Health | None = None,
    notes: tuple[str, ...] = (),
) -> Snapshot:
    """Return a snapshot at a tick, one second each."""
    return Snapshot(
        taken_at=NOON + tick,
        host="web-1",
        uptime_s=float(tick),
        interval_s=1.0,
        window_s=10.0,
        covered_s=10.0,
        totals={"server": totals(endpoints, "server"), "client": totals(endpoints, "client", 5)},
        endpoints=tuple(endpoints),
        recent=tuple(recent),
        health=health or Health(),
        overhead=OVERHEAD,
        notes=notes,
    )


def snapshot_at(
    tick: int = 1, rows: Sequence[EndpointStats] | None = None, final: bool = False
) -> Snapshot:
    """Return the snapshot of a tick: counters and trends go on from one to the next."""
    if rows is None:
        trend: tuple[float | None, ...] = (None, *(float(n) for n in range(tick)))[-4:]
        rows = (
            row(key(), {200: 10 * tick, 404: tick}, tick, trend=trend),
            row(key("/static/*", "POST", "python3"), {500: 3}),
            row(key("/health", process="curl", side="client"), {200: tick}, trend=trend),
        )
    trends: dict[str, Any] = {
        "trend_rps": tuple(float(n) for n in range(tick)),
        "trend_error_share": (None,) * tick,
        "trend_p50_ns": tuple(1e6 * n for n in range(tick)),
        "trend_p99_ns": tuple(None if n % 2 else 2e6 for n in range(tick)),
        "trend_classes": tuple((0.0, 0.0, float(n), 0.0, 1.0, 0.0) for n in range(tick)),
        "trend_bands": tuple(((20, n), (30, 1)) for n in range(tick)),
    }
    recent = [request(n, slow=n % 2 == 0) for n in range(3 * tick, max(0, 3 * tick - 5), -1)]
    return replace(
        snapshot(rows, recent, tick, Health(orphan_responses=1, lost_samples=2, missed_calls=7)),
        taken_at=1.7e9 + tick,
        host="box",
        window_s=60.0,
        covered_s=60.0,
        totals={
            side: replace(totals(rows, side), latency=LATENCY, error_share=0.25, **trends)
            for side in SIDES
        },
        overhead=Overhead(cpu_percent=1.25, rss_bytes=31 << 20, bpf_ns_per_call=120.5),
        final=final,
        notes=("a probe was refused",) if tick == 2 else (),
    )


_SHOP = (
    ("nginx", "GET", "/", 412.0, 0.9, {200: 24_310, 304: 402}),
    ("nginx", "GET", "/static/{id}", 1_930.5, 0.21, {200: 98_012, 304: 17_818}),
    ("nginx", "GET", "/users/{id}", 388.2, 2.4, {200: 22_800, 404: 492}),
    ("nginx", "POST", "/orders", 61.7, 18.3, {201: 3_611, 422: 80, 503: 11}),
    ("nginx", "GET", "/orders/{id}", 97.0, 6.1, {200: 5_780, 404: 40}),
    ("nginx", "GET", "/search", 44.1, 142.0, {200: 2_590, 500: 56}),
    ("nginx", "GET", "/healthz", 2.0, 0.08, {200: 120}),
    ("nginx", "GET", "/reports/2024-report/export", 0.3, 1_840.0, {200: 17, 504: 1}),
    ("gunicorn", "GET", "/api/v1/users/{id}/sessions", 211.4, 7.7, {200: 12_404, 401: 280}),
    ("gunicorn", "PUT", "/api/v1/users/{id}", 12.9, 11.0, {200: 744, 409: 30}),
    ("gunicorn", "DELETE", "/api/v1/sessions/{id}", 3.1, 5.2, {204: 186}),
    ("gunicorn", "PATCH", "/api/v1/carts/{id}/items", 21.0, 9.4, {200: 1_250, 400: 10}),
    ("node", "GET", "/inventory/{id}", 166.6, 3.3, {200: 9_996}),
    ("node", "POST", "/payments", 9.2, 220.5, {200: 540, 402: 8, 502: 4}),
    ("redis-exporter", "GET", "/metrics", 0.1, 4.0, {200: 6}),
)
_CALLS = (
    ("gunicorn", "GET", "/inventory/{id}", 166.5, 3.6, {200: 9_990}),
    ("gunicorn", "POST", "/payments", 9.2, 221.0, {200: 540, 402: 8, 502: 4}),
    ("curl", "GET", "/healthz", 1.0, 0.3, {200: 60}),
)


def shop() -> list[EndpointStats]:
    """Return the endpoints of a small shop, both sides."""
    rows: list[EndpointStats] = []
    sides: tuple[tuple[Side, Sequence[tuple[str, str, str, float, float, dict[int, int]]]], ...]
    sides = (("server", _SHOP), ("client", _CALLS))
    for side, lines in sides:
        for index, (process, method, path, rps, p50_ms, status) in enumerate(lines):
            name = key(path, method, process, side)
            unanswered = 3 if path == "/payments" else 0
            in_flight = int(rps * p50_ms / 1_000 + 0.9) if p50_ms > 1 else 0
            rows.append(
                endpoint(name, rps, p50_ms, status, unanswered, in_flight, seed=index * 7 + 3)
            )
    # a path that was asked for only now and then
    gaps = tuple(None if noise(i) < 0.7 else 4e6 for i in range(60))
    return [
        replace(row, trend_ns=gaps)
        if row.key.path == "/metrics"
        else with_usual(row, _CHANGES.get(row.key.path, 1.0))
        for row in rows
    ]


#: What has changed in the shop, by path.
_CHANGES: Final = {"/search": 8.1, "/orders": 1.38, "/inventory/{id}": 0.71}


def with_usual(row: EndpointStats, change: float) -> EndpointStats:
    """Return a row whose 99th percentile has been so many times as high for the last 40 ticks."""
    now_ns = row.latency.p99_ns
    trend = tuple(
        now_ns * (0.97 + 0.06 * noise(i)) / (change if i < 60 else 1.0) for i in range(100)
    )
    return replace(row, trend_ns=trend, usual_p99_ns=now_ns / change, p99_change=change)


def samples(endpoints: Sequence[EndpointStats], n: int = 60) -> list[Transaction]:
    """Return sampled requests of the endpoints, newest first."""
    found: list[Transaction] = []
    for i in range(n):
        row = endpoints[int(noise(i + 2) * len(endpoints)) % len(endpoints)]
        codes = sorted(row.status) or [200]
        status = codes[int(noise(i + 31) ** 2 * len(codes)) % len(codes)]
        if row.unanswered and i % 3 == 0:
            status = 0
        ns = int(row.latency.p50_ns * (0.5 + 3 * noise(i + 77)))
        found.append(
            Transaction(
                serial=10_000 - i,
                started_at=NOON + 252 - 0.137 * i - ns / 1e9,
                key=row.key,
                pid=row.pids[0],
                path=row.key.path.replace("{id}", str(1_000 + i * 37)),
                status=status,
                latency_ns=ns,
                request_bytes=310,
                response_bytes=None if status == 0 else int(60 + noise(i) ** 4 * 9e5),
                peer=f"203.0.113.{i % 250}:{40_000 + i}" if i % 4 else None,
                slow=ns > 5e8,
            )
        )
    return found


def busy(tick: int = 252, health: Health | None = None, notes: tuple[str, ...] = ()) -> Snapshot:
    """Return the shop at work."""
    rows = shop()
    return snapshot(rows, samples(rows), tick, health, notes)


def parties(row: EndpointStats, number: int) -> EndpointStats:
    """Return a row, the so-manyth one, whose processes and peers are known, for the most part."""

    def shared(shares: Sequence[tuple[Any, float]], rest: Any) -> dict[Any, PartyStats]:
        mean_ns, found, left, failed = row.latency_total.mean_ns, {}, row.requests, row.errors
        for name, share in shares:
            some, errors = int(row.requests * share), int(row.errors * share * share)
            left, failed = left - some, failed - errors
            if some:
                found[name] = PartyStats(some, errors, some - errors, mean_ns, 9 * mean_ns)
        return {**found, rest: PartyStats(left, failed)} if left or failed else found

    peers = [(f"203.0.113.{1 + number % 3}", 0.5), ("10.0.0.4", 0.3), ("unix", 0.1)]
    pids = [(pid, 0.5) for pid in row.pids]
    return replace(row, by_peer=shared(peers, OTHER_PEERS), by_pid=shared(pids, OTHER_PIDS))


def with_parties() -> Snapshot:
    """Return the shop at work, with what each process and peer has of its requests."""
    shown = busy()
    return replace(
        shown, endpoints=tuple(parties(row, at) for at, row in enumerate(shown.endpoints))
    )


def later() -> Snapshot:
    """Return the shop half a minute later: one path is slower, one fails, one is gone."""
    rows = []
    for row in busy().endpoints:
        match row.key.path:
            case "/users/{id}":
                rows.append(replace(row, latency=latency(19.0, row.latency.count)))
            case "/":
                rows.append(replace(row, window_errors=(row.window_requests or 0) // 10))
            case "/healthz":
                continue
            case _:
                rows.append(row)
    return replace(busy(282), endpoints=tuple(rows))


#: Of the shop's requests in flight: age in ms, endpoint, pid, peer. Usual are p99s of 105 ms,
#: 10.5 s, 1.3 s (payments) and 14 ms (users).
HANG = key("/orders", "POST")
WAITING = (
    (38_200, HANG, 1010, "203.0.113.7"),
    (5_000, key("/reports/2024-report/export"), None, "203.0.113.9"),
    (1_900, HANG, 1010, "2001:db8::7"),
    (1_500, key("/payments", "POST", "gunicorn", "client"), 1004, "127.0.0.1"),
    (150, HANG, 1011, UNIX_PEER),
    (2, HANG, 1010, "127.0.0.1"),
    (1, HANG, 1010, "127.0.0.1"),
    (0.8, key("/users/{id}"), 1016, "127.0.0.1"),
)


def waiting(
    found: Sequence[tuple[float, EndpointKey, int | None, str]] = WAITING, tick: int = 252
) -> Snapshot:
    """Return the shop at work, with requests in flight that have aged since the first tick.

    Of the client's it is known who serves them.
    """
    ends: dict[Side, tuple[str, int | None]] = {"server": ("", None), "client": ("node", 1035)}
    in_flight = tuple(
        RequestInFlight(name, age_ms * 1e6 + (tick - 252) * 1e9, pid, peer, *ends[name.side])
        for age_ms, name, pid, peer in found
    )
    return replace(busy(tick), in_flight=in_flight)


def with_times() -> Snapshot:
    """Return a snapshot whose requests waited, and whose responses came in pieces."""
    shown = busy()
    rows = []
    for row in shown.endpoints:
        total = row.latency_total
        rows.append(
            replace(
                row,
                wait_total=latency(0.3, 1 + total.count // 10),
                sending_total=latency(4.0, total.count),
                duration_total=latency(4.0 + total.p50_ns / 1e6, total.count),
            )
        )
    return replace(shown, endpoints=tuple(rows))


def looked_at(name: EndpointKey, ticks: range) -> list[Snapshot]:
    """Return the shop tick by tick while somebody looks at an endpoint, which gets slower.

    Halfway; the snapshots are of every fourth second.
    """
    shown, all_bands = with_times(), Counter[int]()
    middle = ticks[len(ticks) // 2]
    row = next(row for row in shown.endpoints if row.key == name)
    by_status = row.latency_by_status or {}
    found = []
    for tick in ticks:
        all_bands.update(dict(bands(4 * row.rps, tick, 17.0, middle, 0.9)))
        known = LookedAt(name, by_status, tuple(sorted(all_bands.items())))
        now = replace(shown, taken_at=NOON + tick, uptime_s=float(tick), looked_at=known)
        found.append(replace(now, interval_s=4.0))
    return found


def many(n: int, tick: int) -> Snapshot:
    """Return ``n`` endpoints whose figures differ from tick to tick."""
    rows = [
        endpoint(
            key(f"/service-{i % 40}/resource-{i}/{{id}}", process=f"worker-{i % 12}"),
            rps=1 + 500 * noise(i + tick),
            p50_ms=0.2 + 40 * noise(i * 3 + tick),
            status={200: 1_000 + tick * i % 977, 404: i % 7, 500: i % 3},
            trend=[1e6 * (1 + noise(i + j + tick)) for j in range(60)],
            seed=i,
        )
        for i in range(n)
    ]
    return snapshot(rows, samples(rows[:50]), tick)
