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
from functools import partial
from typing import Final

from httptop.capture.fields import (
    CaptureError,
    Json,
    health_json,
    key_json,
    latency_json,
    other_protocols_json,
    overhead_json,
    read_health,
    read_key,
    read_latency,
    read_other_protocols,
    read_overhead,
    read_totals,
    read_transaction,
    totals_json,
    transaction_json,
)
from httptop.capture.fields import Fields as F
from httptop.capture.in_flight import in_flight_json, read_in_flight
from httptop.capture.parties import parties_json, read_parties
from httptop.capture.status_latencies import read_status_latencies, status_latencies_json
from httptop.capture.trends import LEAST_TRENDS, READERS, Trend, read_trend, trend_json
from httptop.model import (
    MOST_PIDS,
    NO_LATENCY,
    SIDES,
    EndpointKey,
    EndpointStats,
    Snapshot,
    Transaction,
)

SCHEMA: Final = 1
_MOST_KEYS: Final = 1 << 20
#: The most of these in a line, by which they take memory before anything can be checked. A line has
#: 129 values and 19 lists for each endpoint, 352 and 52 with as many processes and peers as can be.
_MOST_VALUES: Final = 4_000_000
_MOST_LISTS: Final = 640_000
_MOST_OBJECTS: Final = 1000
_MOST_MEMBERS: Final = 100_000
#: What ends the name of a member; the writer puts no space there.
_NAME_ENDS: Final = (b'":', b'" ', b'"\t', b'"\r')
_LONGEST_CONTAINER: Final = 300


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
        rows: list[Json] = []

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
            rows.append(self._row(number_of(row.key), row))
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
        return _dump(
            {
                "taken_at": snapshot.taken_at,
                "host": snapshot.host,
                "uptime_s": snapshot.uptime_s,
                "interval_s": snapshot.interval_s,
                "window_s": snapshot.window_s,
                "covered_s": snapshot.covered_s,
                "final": snapshot.final,
                "totals": totals,
                "keys": keys,
                "endpoints": rows,
                "recent": recent,
                "health": health_json(snapshot.health),
                "overhead": overhead_json(snapshot.overhead),
                "notes": list(snapshot.notes),
                "other_protocols": other_protocols_json(snapshot.other_protocols),
                **({} if in_flight is None else {"in_flight": in_flight}),
                **({"in_flight_cut": True} if in_flight and snapshot.in_flight_cut else {}),
            }
        )

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
        ]

    def _totals(self, side: str, snapshot: Snapshot) -> Json:
        totals = snapshot.total("server" if side == "server" else "client")
        trends: list[Json] = []
        for name in READERS:
            trend: Trend = getattr(totals, f"trend_{name}")
            trends.append(trend_json(self._trends.get(side + name, ()), trend))
            self._trends[side + name] = trend
        return totals_json(totals, trends)


class Decoder:
    """Turns lines into snapshots, in order; raises :class:`CaptureError` for an invalid line."""

    def __init__(self) -> None:
        self._keys: list[EndpointKey] = []
        self._rows: dict[EndpointKey, EndpointStats] = {}
        self._recent: dict[int, Transaction] = {}
        self._trends: dict[str, Trend] = {}

    def header(self, line: bytes) -> None:
        """Check the first line."""
        document = _load(line)
        if not isinstance(document, dict) or document.get("httptop") != "capture":
            raise CaptureError("is not a capture of httptop")
        if document.get("schema") != SCHEMA:
            raise CaptureError("was written by another version of httptop")

    def snapshot(self, line: bytes) -> Snapshot:
        """Return the snapshot of a line."""
        f = F(_load(line))
        self._keys += [read_key(key) for key in f.items("keys")]
        if len(self._keys) > _MOST_KEYS:
            raise CaptureError("too many endpoints")
        rows = tuple(self._row(row) for row in f.items("endpoints"))
        by_key = {row.key: row for row in rows}
        if len(by_key) != len(rows):
            raise CaptureError("an endpoint appears twice")
        totals = F(f["totals"])
        recent = tuple(self._request(request) for request in f.items("recent"))
        snapshot = Snapshot(
            taken_at=f.time("taken_at"),
            host=f.text("host"),
            uptime_s=f.number("uptime_s"),
            interval_s=f.number("interval_s"),
            window_s=f.number("window_s"),
            covered_s=f.number("covered_s")
            if "covered_s" in f  # older captures lack it
            else min(f.number("window_s"), f.number("uptime_s")),
            totals={
                side: read_totals(totals.items(side), partial(self._trends_of, side))
                for side in SIDES
                if side in totals
            },
            endpoints=rows,
            recent=recent,
            health=read_health(f.items("health")),
            overhead=read_overhead(f.items("overhead")),
            final=f.flag("final"),
            notes=tuple(F.as_text(note, 1000) for note in f.items("notes")),
            other_protocols=read_other_protocols(f.items("other_protocols"))
            if "other_protocols" in f  # older captures lack it
            else {},
            in_flight=read_in_flight(f["in_flight"], self._key) if "in_flight" in f else None,
            in_flight_cut="in_flight_cut" in f and f.flag("in_flight_cut"),
        )
        self._rows = by_key
        self._recent = {request.serial: request for request in recent}
        return snapshot

    def _row(self, row: Json) -> EndpointStats:
        if isinstance(row, int):
            known = self._rows.get(self._key(row))
            if known is None:
                raise CaptureError("an endpoint refers to a line that does not hold it")
            return known
        cells = F.as_list(row)
        # Older captures lack the last ones, newer ones may have more.
        if len(cells) < 27 and len(cells) not in (12, 14, 15, 16, 18, 21, 22, 23, 25):
            raise CaptureError("an endpoint has too few values")
        key = self._key(cells[0])
        before = self._rows.get(key)
        return EndpointStats(
            key=key,
            pids=tuple(F.as_count(pid) for pid in F.as_list(cells[1])),
            requests=F.as_count(cells[2]),
            rps=F.as_number(cells[3]),
            in_flight=F.as_count(cells[4]),
            unanswered=F.as_count(cells[5]),
            status=F.as_status(cells[6]),
            request_bytes=F.as_count(cells[7]),
            response_bytes=F.as_count(cells[8]),
            latency=read_latency(cells[9]),
            latency_total=read_latency(cells[10]),
            trend_ns=read_trend(before.trend_ns if before else (), cells[11], READERS["p99_ns"]),
            sending_total=read_latency(cells[12]) if len(cells) > 12 else NO_LATENCY,
            duration_total=read_latency(cells[13]) if len(cells) > 12 else NO_LATENCY,
            wait_total=read_latency(cells[14]) if len(cells) > 14 else NO_LATENCY,
            truncated=F.as_count(cells[15]) if len(cells) > 15 else 0,
            paths=None if len(cells) < 17 or cells[16] is None else F.as_count(cells[16]),
            more_paths=len(cells) > 16 and F.as_flag(cells[17]),
            by_pid=read_parties(cells[18], F.as_count) if len(cells) > 18 else None,
            by_peer=read_parties(cells[19], F.as_text) if len(cells) > 18 else None,
            oldest_in_flight_ns=_read_known(cells, 20),
            containers=_read_containers(cells[21]) if len(cells) > 21 else (),
            latency_by_status=read_status_latencies(cells[22]) if len(cells) > 22 else None,
            usual_p99_ns=_read_known(cells, 23),
            p99_change=_read_known(cells, 24),
            window_requests=_read_count(cells, 25),
            window_errors=_read_count(cells, 26),
        )

    def _key(self, number: Json) -> EndpointKey:
        index = F.as_count(number)
        if index >= len(self._keys):
            raise CaptureError("an endpoint has no key")
        return self._keys[index]

    def _request(self, request: Json) -> Transaction:
        if isinstance(request, int):
            known = self._recent.get(request)
            if known is None:
                raise CaptureError("a request refers to a line that does not hold it")
            return known
        return read_transaction(request)

    def _trends_of(self, side: str, trends: list[Json]) -> dict[str, Trend]:
        if len(trends) < LEAST_TRENDS:
            raise CaptureError("lacks trends of the totals")
        # Older captures lack the last ones, newer ones may have more.
        for (name, value_of), trend in zip(READERS.items(), trends, strict=False):
            before = self._trends.get(side + name, ())
            self._trends[side + name] = read_trend(before, trend, value_of)
        return {name: self._trends[side + name] for name in READERS if side + name in self._trends}


def _read_known(cells: list[Json], at: int) -> float | None:
    """Return a number; None: it is not known, or older captures lack it."""
    return None if len(cells) <= at or cells[at] is None else F.as_number(cells[at])


def _read_count(cells: list[Json], at: int) -> int | None:
    """Return a count; None: it is not known, or older captures lack it."""
    return None if len(cells) <= at or cells[at] is None else F.as_count(cells[at])


def _read_containers(containers: Json) -> tuple[str, ...]:
    found = F.as_list(containers)
    if len(found) > MOST_PIDS:
        raise CaptureError("holds too many containers of an endpoint")
    return tuple(F.as_text(name, _LONGEST_CONTAINER) for name in found)


def _dump(document: Json) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True)


def _load(line: bytes) -> Json:
    if line.count(b",") > _MOST_VALUES or line.count(b"[") > _MOST_LISTS:
        raise CaptureError("has a line of too many values")
    if sum(map(line.count, _NAME_ENDS)) > _MOST_MEMBERS:
        raise CaptureError("has a line of too many members")
    objects = 0

    def count(members: list[tuple[str, Json]]) -> Json:
        nonlocal objects
        objects += 1
        if objects > _MOST_OBJECTS:
            raise CaptureError("has a line of too many objects")
        return dict(members)

    def refuse(constant: str) -> float:
        raise CaptureError(f"holds {constant}")

    try:
        document: Json = json.loads(line, parse_constant=refuse, object_pairs_hook=count)
    except CaptureError:
        raise
    except MemoryError:
        raise CaptureError("has a line that does not fit into memory") from None
    except (ValueError, RecursionError):
        raise CaptureError("holds a line that is not JSON") from None
    return document


def _without_oldest(row: EndpointStats) -> EndpointStats:
    """Return a row without the age of its oldest request in flight."""
    return row if row.oldest_in_flight_ns is None else replace(row, oldest_in_flight_ns=None)
