"""Encode and decode the lines of a capture; each is a snapshot that refers to the previous one.

The first line is a header: ``{"httptop": "capture", "schema": 1}``. To keep the others short,

- an endpoint's key is written once, in ``keys`` of the line where it first appears; from then on
  it is replaced by its number (0, 1, 2, ...);
- an endpoint that has not changed since the previous line is only its number;
- a trend is written as ``[values dropped at the front, [values added at the end]]``;
- a sampled request that was in the previous line is only its serial.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain
from typing import Final

from httptop.capture.fields import (
    Json,
    health_json,
    key_json,
    latency_json,
    other_protocols_json,
    overhead_json,
    totals_json,
    transaction_json,
)
from httptop.capture.in_flight import in_flight_json
from httptop.capture.parties import parties_json
from httptop.capture.status_latencies import status_latencies_json
from httptop.capture.trends import READERS, Trend, trend_json
from httptop.linux.stretches import give_way
from httptop.model import (
    SIDES,
    EndpointKey,
    EndpointStats,
    Snapshot,
    Transaction,
)

SCHEMA: Final = 1


class Encoder:
    """Turns snapshots into lines, in order; remembers the previous one."""

    def __init__(self) -> None:
        self._numbers: dict[EndpointKey, int] = {}
        self._rows: dict[EndpointKey, EndpointStats] = {}
        self._recent: frozenset[Transaction] = frozenset()
        self._trends: dict[str, Trend] = {}

    def header(self) -> str:
        """Return the first line."""
        return _dump({"httptop": "capture", "schema": SCHEMA})

    def line(self, snapshot: Snapshot) -> str:
        """Return the line of the next snapshot."""
        keys: list[Json] = []
        rows: list[str] = []

        def number_of(key: EndpointKey) -> int:
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = len(self._numbers)
                keys.append(key_json(key))
            return number

        endpoints = snapshot.endpoints
        if snapshot.in_flight_for_screen:
            endpoints = [_without_oldest(row) for row in endpoints]
        for row in endpoints:
            rows.append(_dump(self._row(number_of(row.key), row)))
            give_way()
        in_flight = None
        if not snapshot.in_flight_for_screen:
            in_flight = in_flight_json(snapshot.in_flight, number_of)
        totals: dict[str, Json] = {}
        for side in SIDES:
            if side in snapshot.totals:
                totals[side] = self._totals(side, snapshot)
        recent: list[Json] = [
            request.serial if request in self._recent else transaction_json(request)
            for request in snapshot.recent
        ]
        self._rows = {row.key: row for row in endpoints}
        self._recent = frozenset(snapshot.recent)
        members: dict[str, Json] = {
            "taken_at": snapshot.taken_at,
            "host": snapshot.host,
            "uptime_s": snapshot.uptime_s,
            "interval_s": snapshot.interval_s,
            "window_s": snapshot.window_s,
            "covered_s": snapshot.covered_s,
            "final": snapshot.final,
            "totals": totals,
            "keys": keys,
        }
        others: dict[str, Json] = {
            "recent": recent,
            "health": health_json(snapshot.health),
            "overhead": overhead_json(snapshot.overhead),
            "notes": list(snapshot.notes),
            "other_protocols": other_protocols_json(snapshot.other_protocols),
            **({} if in_flight is None else {"in_flight": in_flight}),
            **({"in_flight_cut": True} if in_flight and snapshot.in_flight_cut else {}),
            **({"in_flight_after_s": max(0.0, -snapshot.in_flight_age_s)} if in_flight else {}),
        }
        # Row by row: to make one text of thousands holds up all other threads for 0.1 s.
        return f'{_dump(members)[:-1]},"endpoints":[{",".join(rows)}],{_dump(others)[1:]}'

    def _row(self, number: int, row: EndpointStats) -> Json:
        before = self._rows.get(row.key)
        if row == before:
            return number
        return [
            number,
            list(row.pids),
            row.requests,
            row.rps,
            row.in_flight,
            row.unanswered,
            [[code, n] for code, n in row.status.items()],
            row.request_bytes,
            row.response_bytes,
            latency_json(row.latency),
            latency_json(row.latency_total),
            trend_json(before.trend_ns if before else (), row.trend_ns),
            latency_json(row.sending_total),
            latency_json(row.duration_total),
            latency_json(row.wait_total),
            row.truncated,
            row.paths,
            row.more_paths,
            parties_json(row.by_pid),
            parties_json(row.by_peer),
            row.oldest_in_flight_ns,
            list(row.containers),
            status_latencies_json(row.latency_by_status),
            row.usual_p99_ns,
            row.p99_change,
            row.window_requests,
            row.window_errors,
            None if row.window_status is None else list(chain(*row.window_status.items())),
        ]

    def _totals(self, side: str, snapshot: Snapshot) -> Json:
        totals = snapshot.total("server" if side == "server" else "client")
        trends: list[Json] = []
        for name in READERS:
            trend: Trend = getattr(totals, f"trend_{name}")
            trends.append(trend_json(self._trends.get(side + name, ()), trend))
            self._trends[side + name] = trend
        return totals_json(totals, trends)


#: json.dumps would make one for each row.
_dump: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


def _without_oldest(row: EndpointStats) -> EndpointStats:
    """Return a row without the age of its oldest request in flight."""
    return row if row.oldest_in_flight_ns is None else replace(row, oldest_in_flight_ns=None)
