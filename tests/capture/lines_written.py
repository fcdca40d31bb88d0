"""Write captures of schema 1, as httptop did before schema 2: what reads them has to stay."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from itertools import chain
from pathlib import Path
from typing import Any

from httptop.capture.line_values import HEALTH
from httptop.capture.trends import TRENDS, Trend, difference
from httptop.model import (
    NO_LATENCY,
    SIDES,
    EndpointKey,
    EndpointStats,
    Latency,
    Overhead,
    Snapshot,
    Transaction,
)

HEADER = '{"httptop":"capture","schema":1}'


def in_lines(ticks: Sequence[Snapshot]) -> bytes:
    """Return the lines of a capture."""
    lines = Lines()
    return "".join(f"{line}\n" for line in (HEADER, *map(lines.line, ticks))).encode()


def written_in_lines(path: Path, ticks: Sequence[Snapshot]) -> Path:
    """Write a capture, compressed if its name says so; return its path."""
    content = in_lines(ticks)
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


class Lines:
    """Turns snapshots into lines, in order; remembers the previous one."""

    def __init__(self) -> None:
        self._numbers: dict[EndpointKey, int] = {}
        self._rows: dict[EndpointKey, EndpointStats] = {}
        self._recent: frozenset[Transaction] = frozenset()
        self._trends: dict[str, Trend] = {}

    def line(self, snapshot: Snapshot) -> str:
        """Return the line of the next snapshot."""
        keys: list[Any] = []

        def number_of(key: EndpointKey) -> int:
            if key not in self._numbers:
                self._numbers[key] = len(self._numbers)
                keys.append(key_list(key))
            return self._numbers[key]

        rows = [self._row(number_of(row.key), row) for row in snapshot.endpoints]
        in_flight = [
            [number_of(one.key), one.age_ns, one.pid, one.peer, one.peer_process, one.peer_pid]
            for one in snapshot.in_flight or ()
        ]
        recent = [
            request.serial if request in self._recent else request_list(request)
            for request in snapshot.recent
        ]
        totals = {side: self._totals(side, snapshot) for side in SIDES if side in snapshot.totals}
        self._rows = {row.key: row for row in snapshot.endpoints}
        self._recent = frozenset(snapshot.recent)
        members: dict[str, Any] = {
            name: getattr(snapshot, name)
            for name in (
                *("taken_at", "host", "uptime_s", "interval_s", "window_s", "covered_s", "final"),
            )
        }
        members |= {
            "totals": totals,
            "keys": keys,
            "endpoints": rows,
            "recent": recent,
            "health": [getattr(snapshot.health, name) for name in HEALTH],
            "overhead": overhead_list(snapshot.overhead),
            "notes": list(snapshot.notes),
            "other_protocols": [[*name, n] for name, n in snapshot.other_protocols.items()],
        }
        if snapshot.in_flight is not None:
            members["in_flight"] = in_flight
            members["in_flight_cut"] = snapshot.in_flight_cut
            members["in_flight_after_s"] = max(0.0, -snapshot.in_flight_age_s)
        return json.dumps(members, separators=(",", ":"))

    def _row(self, number: int, row: EndpointStats) -> Any:
        before = self._rows.get(row.key)
        if row == before:
            return number
        by_status = row.latency_by_status
        return [
            number,
            list(row.pids),
            row.requests,
            row.rps,
            row.in_flight,
            row.unanswered,
            list(map(list, row.status.items())),
            row.request_bytes,
            row.response_bytes,
            latency_list(row.latency),
            latency_list(row.latency_total),
            difference(before.trend_ns if before else (), row.trend_ns),
            latency_list(row.sending_total),
            latency_list(row.duration_total),
            latency_list(row.wait_total),
            row.truncated,
            row.paths,
            row.more_paths,
            _named(row.by_pid, astuple),
            _named(row.by_peer, astuple),
            row.oldest_in_flight_ns,
            list(row.containers),
            _named(by_status, astuple),
            row.usual_p99_ns,
            row.p99_change,
            row.window_requests,
            row.window_errors,
            None if row.window_status is None else list(chain(*row.window_status.items())),
        ]

    def _totals(self, side: str, snapshot: Snapshot) -> Any:
        totals = snapshot.total("server" if side == "server" else "client")
        trends = []
        for name in TRENDS:
            trend = getattr(totals, name)
            trends.append(difference(self._trends.get(side + name, ()), trend))
            self._trends[side + name] = trend
        return [
            totals.requests,
            totals.rps,
            totals.in_flight,
            totals.unanswered,
            list(map(list, totals.status.items())),
            totals.request_bytes,
            totals.response_bytes,
            latency_list(totals.latency),
            totals.error_share,
            trends,
            latency_list(totals.latency_total),
        ]


def key_list(key: EndpointKey) -> Any:
    """Return a key as a list."""
    return list(astuple(key))


def latency_list(latency: Latency) -> Any:
    """Return a summary as a list, empty if nothing was measured."""
    return [] if latency == NO_LATENCY else list(astuple(latency))


def request_list(request: Transaction) -> Any:
    """Return a single request as a list."""
    return [
        request.serial,
        request.started_at,
        key_list(request.key),
        *(request.pid, request.path, request.status, request.latency_ns),
        *(request.request_bytes, request.response_bytes, request.peer, request.slow),
        *(list(request.response_head), list(request.request_head)),
    ]


def overhead_list(overhead: Overhead) -> Any:
    """Return the overhead as a list."""
    return [
        *(overhead.cpu_percent, overhead.rss_bytes, overhead.open_fds, overhead.context_switches),
        *(overhead.bpf_cpu_percent, overhead.bpf_ns_per_call, overhead.bpf_calls),
        *(overhead.samples_per_s, list(overhead.shed), overhead.window_bytes),
        list(map(list, overhead.tables.items())),
    ]


def _named(parts: Mapping[Any, Any] | None, values: Callable[[Any], tuple[Any, ...]]) -> Any:
    return None if parts is None else [[name, *values(one)] for name, one in parts.items()]
