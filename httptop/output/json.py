"""A snapshot as one line of JSON, for scripts.

Keys are stable; unknown values are left out. Counters are cumulative, rates and latencies cover the
window, and the values named ``*_total_ms`` cover everything since start.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from httptop.model import (
    SIDES,
    STATUS_UNKNOWN,
    EndpointKey,
    EndpointStats,
    Health,
    HostStats,
    Latency,
    Overhead,
    PartyStats,
    RequestInFlight,
    SinkStats,
    Snapshot,
    StatusLatency,
    Totals,
    class_of,
    status_name,
)
from httptop.output.order import in_order, rows_at

SCHEMA: Final = 1

_Json = dict[str, object]


def to_json(
    snapshot: Snapshot,
    *,
    active: bool = False,
    sort: str = "requests",
    view: Mapping[str, object] | None = None,
) -> str:
    """Return a snapshot as one line, without a line end.

    ``active``: without the endpoints that had no request in the window, but with their number.
    ``sort``: the order, see :func:`in_order`.
    ``view``: what the screen shows of it, which changes nothing else here.
    """
    shown = in_order(snapshot, sort, active=active)
    head: _Json = {
        "schema": SCHEMA,
        "host": snapshot.host,
        "time": _time(snapshot.taken_at),
        "uptime_s": _round(snapshot.uptime_s, 3),
        "interval_s": _round(snapshot.interval_s, 3),
        "window_s": _round(snapshot.window_s, 3),
        "covered_s": _round(snapshot.covered_s, 3),
        "final": snapshot.final,
        "totals": {side: _totals(snapshot.total(side)) for side in SIDES},
    }
    rest: _Json = {
        "health": _health(snapshot.health),
        "overhead": _overhead(snapshot.overhead),
    }
    if active:
        rest["idle_endpoints"] = len(snapshot.endpoints) - len(shown)
    if snapshot.in_flight is not None:
        rest["in_flight"] = [_in_flight(request) for request in snapshot.in_flight]
    if snapshot.hosts:
        rest["hosts"] = [_host(host) for host in snapshot.hosts]
    if snapshot.sinks:
        rest["sinks"] = [_sink(sink) for sink in snapshot.sinks]
    if snapshot.notes:
        rest["notes"] = list(snapshot.notes)
    if view is not None:
        rest["view"] = dict(view)
    # One by one: thousands of endpoints together would take tens of megabytes.
    endpoints = ",".join(_dump(_endpoint(row)) for row in rows_at(snapshot.endpoints, shown))
    return f'{_dump(head)[:-1]},"endpoints":[{endpoints}],{_dump(rest)[1:]}'


def _health(health: Health) -> _Json:
    return {
        "orphan_responses": health.orphan_responses,
        "lost_samples": health.lost_samples,
        "lost_chunks": health.lost_pieces,
        "overflow_requests": health.overflow_requests,
        "parse_errors": health.parse_errors,
        "late_ticks": health.late_ticks,
        "missed_calls": health.missed_calls,
        "overfull_pipelines": health.overfull_pipelines,
        "discarded_requests": health.discarded_requests,
    }


def _host(host: HostStats) -> _Json:
    values = {
        "version": host.version or None,
        "cpu_percent": host.cpu_percent,
        "rss_bytes": host.rss_bytes,
        "bpf_cpu_percent": host.bpf_cpu_percent,
        "health": None if host.health is None else _health(host.health),
    }
    known = {name: value for name, value in values.items() if value is not None}
    return {"name": host.name, "up": host.up, "seen": _time(host.seen_at)} | known


def _sink(sink: SinkStats) -> _Json:
    return {
        "name": sink.name,
        "state": sink.state,
        "unit": sink.unit,
        "sent": sink.sent,
        "waiting": sink.waiting,
        "dropped": sink.dropped,
        "failed": sink.failed,
        "reconnects": sink.reconnects,
        **({"error": sink.error} if sink.error else {}),
    }


def _dump(document: _Json) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _totals(totals: Totals) -> _Json:
    status = {f"{hundreds}xx": totals.status_class(hundreds) for hundreds in range(1, 6)}
    status["unknown"] = sum(totals.status.values()) - sum(status.values())
    return {
        "requests": totals.requests,
        "rps": _round(totals.rps, 3),
        **({} if totals.in_flight is None else {"in_flight": totals.in_flight}),
        "unanswered": totals.unanswered,
        "status": status,
        "request_bytes": totals.request_bytes,
        "response_bytes": totals.response_bytes,
        "latency_ms": _latency(totals.latency),
        "latency_total_ms": _latency(totals.latency_total),
    }


def _endpoint(row: EndpointStats) -> _Json:
    known: _Json = {"wait_total_ms": _latency(row.wait_total)} if row.wait_total.count else {}
    if row.latency_by_status is not None and len(row.latency_by_status) > 1:
        known["latency_by_status_total_ms"] = _by_status(row.latency_by_status)
    if row.by_pid is not None:
        known["by_pid"] = [{"pid": pid} | _party(stats) for pid, stats in row.by_pid.items()]
    if row.by_peer is not None:
        known["peers"] = [{"address": peer} | _party(stats) for peer, stats in row.by_peer.items()]
    if row.oldest_in_flight_ns is not None:
        known["oldest_in_flight_ms"] = _round(row.oldest_in_flight_ns / 1e6, 3)
    if row.window_requests is not None and row.window_errors is not None:
        known["window"] = {"requests": row.window_requests, "errors": row.window_errors}
    return {
        "side": row.key.side,
        "process": row.key.process,
        **_whose(row.key),
        **({} if row.key.host else {"pids": list(row.pids)}),
        **({"containers": list(row.containers)} if row.containers else {}),
        "protocol": row.key.protocol,
        "tls": row.key.tls,
        "method": row.key.method,
        "path": row.key.path,
        **({"stale": True} if row.stale else {}),
        **({} if row.paths is None else {"paths": row.paths, "more_paths": row.more_paths}),
        "requests": row.requests,
        "rps": _round(row.rps, 3),
        **({} if row.in_flight is None else {"in_flight": row.in_flight}),
        "unanswered": row.unanswered,
        "status": _status(row.status),
        "errors": row.errors,
        **({} if row.key.host else {"truncated": row.truncated}),
        "request_bytes": row.request_bytes,
        "response_bytes": row.response_bytes,
        "latency_ms": _latency(row.latency),
        "latency_total_ms": _latency(row.latency_total),
        "sending_total_ms": _latency(row.sending_total),
        "duration_total_ms": _latency(row.duration_total),
    } | known


def _whose(key: EndpointKey) -> _Json:
    """Return what is not known of each endpoint."""
    named: _Json = {"host": key.host} if key.host else {}
    named |= {"user": key.user} if key.user else {}
    return named | ({"port": key.port} if key.port else {})


def _in_flight(request: RequestInFlight) -> _Json:
    key = request.key
    return {
        "age_ms": _round(request.age_ns / 1e6, 3),
        "side": key.side,
        "process": key.process,
        **_whose(key),
        **({} if request.pid is None else {"pid": request.pid}),
        "peer": request.peer,
        **({"peer_process": request.peer_process} if request.peer_process else {}),
        **({} if request.peer_pid is None else {"peer_pid": request.peer_pid}),
        "protocol": key.protocol,
        "method": key.method,
        "path": key.path,
    }


def _party(stats: PartyStats) -> _Json:
    counts: _Json = {"requests": stats.requests, "errors": stats.errors}
    if not stats.answered:
        return counts
    mean, longest = (round(time_ns / 1e6, 6) for time_ns in (stats.mean_ns, stats.max_ns))
    return counts | {"latency_total_ms": {"count": stats.answered, "mean": mean, "max": longest}}


def _by_status(latencies: Mapping[int, StatusLatency]) -> _Json:
    """Return latencies by code."""
    return {status_name(code): _status_latency(latencies[code]) for code in _in_order(latencies)}


def _status_latency(latency: StatusLatency) -> _Json:
    values = {"mean": latency.mean_ns, "p50": latency.p50_ns, "p99": latency.p99_ns}
    return {"count": latency.count} | {
        name: round(value / 1e6, 6) for name, value in values.items() if value is not None
    }


def _status(status: Mapping[int, int]) -> _Json:
    """Return responses by code."""
    return {status_name(code): status[code] for code in _in_order(status)}


def _in_order(codes: Iterable[int]) -> list[int]:
    """Return codes in order, that of unknown outcomes last."""
    return sorted(codes, key=lambda code: (code == STATUS_UNKNOWN, class_of(code), code))


def _latency(latency: Latency) -> _Json:
    if not latency.count:
        return {"count": 0}
    values = {
        "mean": latency.mean_ns,
        "p50": latency.p50_ns,
        "p90": latency.p90_ns,
        "p95": latency.p95_ns,
        "p99": latency.p99_ns,
        "p999": latency.p999_ns,
        "max": latency.max_ns,
    }
    return {"count": latency.count} | {
        name: round(value / 1e6, 6) for name, value in values.items() if math.isfinite(value)
    }


def _overhead(overhead: Overhead) -> _Json:
    values: dict[str, int | float | None] = {
        "cpu_percent": overhead.cpu_percent,
        "rss_bytes": overhead.rss_bytes,
        "open_fds": overhead.open_fds,
        "context_switches": overhead.context_switches,
        "bpf_cpu_percent": overhead.bpf_cpu_percent,
        "bpf_ns_per_call": overhead.bpf_ns_per_call,
        "bpf_calls": overhead.bpf_calls,
        "samples_per_s": overhead.samples_per_s,
        "window_bytes": overhead.window_bytes,
    }
    known: _Json = {
        name: value if isinstance(value, int) else round(value, 3)
        for name, value in values.items()
        if value is not None and math.isfinite(value)
    }
    if overhead.tables:
        known["tables"] = {name: _round(part, 4) for name, part in overhead.tables.items()}
    return known | {"shed": list(overhead.shed)} if overhead.shed else known


def _round(value: float, digits: int) -> float:
    return round(value, digits) if math.isfinite(value) else 0.0


def _time(taken_at: float) -> str:
    """Return a Unix time as RFC 3339 with milliseconds."""
    moment = datetime.fromtimestamp(taken_at, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
