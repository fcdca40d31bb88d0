"""Turn the lines of a capture into snapshots; nothing that a file holds is trusted.

See :mod:`httptop.capture.codec` for what is in a line.
"""

from __future__ import annotations

import copy
import json
from functools import partial
from typing import Final, NamedTuple

from httptop.capture.codec import SCHEMA
from httptop.capture.fields import (
    CaptureError,
    Json,
    read_health,
    read_key,
    read_latency,
    read_other_protocols,
    read_overhead,
    read_totals,
    read_transaction,
    trends_of_totals,
)
from httptop.capture.fields import Fields as F
from httptop.capture.in_flight import read_in_flight
from httptop.capture.parties import read_parties
from httptop.capture.status_latencies import read_status_latencies
from httptop.capture.trends import LEAST_TRENDS, READERS, Trend, read_trend
from httptop.model import (
    MOST_PIDS,
    NO_LATENCY,
    SIDES,
    EndpointKey,
    EndpointStats,
    Snapshot,
    Transaction,
)

_MOST_KEYS: Final = 1 << 20
#: The most of these in a line, by which they take memory before anything can be checked. A line has
#: 130 values and 20 lists for each endpoint, 385 and 68 with as many processes and peers as can be.
_MOST_VALUES: Final = 4_000_000
_MOST_LISTS: Final = 640_000
_MOST_OBJECTS: Final = 1000
_MOST_MEMBERS: Final = 100_000
#: What ends the name of a member; the writer puts no space there.
_NAME_ENDS: Final = (b'":', b'" ', b'"\t', b'"\r')
_LONGEST_CONTAINER: Final = 300
#: About what a row takes, besides its trend, and a value of that.
_ROW_BYTES: Final = 2500
_VALUE_BYTES: Final = 32


class Passed(NamedTuple):
    """A row of a line that was passed over: it is read when a later line refers to it."""

    cells: list[Json]
    trend_ns: Trend


class Line(F):
    """A line whose values have not been looked at."""

    def __init__(self, line: bytes) -> None:
        super().__init__(_load(line))

    @property
    def taken_at(self) -> float:
        """The Unix time of its snapshot, seconds."""
        return self.time("taken_at")


class Decoder:
    """Turns lines into snapshots, in order; raises :class:`CaptureError` for an invalid line."""

    def __init__(self) -> None:
        self._keys: list[EndpointKey] = []  # shared with forks, which may have read more of them
        self._keys_read = 0
        self._rows: dict[EndpointKey, EndpointStats | Passed] = {}
        self._recent: dict[int, Transaction | list[Json]] = {}
        self._trends: dict[str, Trend] = {}

    def fork(self) -> Decoder:
        """Return a decoder that goes on from here, too."""
        other = copy.copy(self)
        other._trends = dict(self._trends)
        return other

    @property
    def size_bytes(self) -> int:
        """About the memory that a fork keeps."""
        longest = max([len(row.trend_ns) for row in self._rows.values()], default=0)
        return len(self._rows) * (_ROW_BYTES + _VALUE_BYTES * longest)

    def header(self, line: bytes) -> None:
        """Check the first line."""
        document = _load(line)
        if not isinstance(document, dict) or document.get("httptop") != "capture":
            raise CaptureError("is not a capture of httptop")
        if document.get("schema") != SCHEMA:
            raise CaptureError("was written by another version of httptop")

    def pass_over(self, f: Line) -> None:
        """Take from a line only what later ones refer to.

        That is many times as fast as to make its snapshot. Values are checked once they are used.
        """
        self._read_keys(f)
        self._pass_rows(f)
        totals = F(f["totals"])
        for side in SIDES:
            if side in totals:
                self._trends_of(side, trends_of_totals(totals.items(side)))
        self._recent = dict(map(self._passed_request, f.items("recent")))

    def snapshot(self, line: bytes | Line, *, rows: bool = True) -> Snapshot:
        """Return the snapshot of a line; without ``rows`` many times as fast."""
        f = line if isinstance(line, Line) else Line(line)
        self._read_keys(f)
        endpoints = self._read_rows(f) if rows else self._pass_rows(f)
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
            endpoints=endpoints,
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
            in_flight_age_s=-f.number("in_flight_after_s") if "in_flight_after_s" in f else 0.0,
        )
        self._recent = {request.serial: request for request in recent}
        return snapshot

    def _read_rows(self, f: Line) -> tuple[EndpointStats, ...]:
        rows = tuple(self._row(row) for row in f.items("endpoints"))
        by_key: dict[EndpointKey, EndpointStats | Passed] = {row.key: row for row in rows}
        if len(by_key) != len(rows):
            raise CaptureError("an endpoint appears twice")
        self._rows = by_key
        return rows

    def _pass_rows(self, f: Line) -> tuple[EndpointStats, ...]:
        rows = map(self._passed, f.items("endpoints"))
        self._rows = {self._key(cells[0]): row for cells, row in rows}
        return ()

    def _read_keys(self, f: Line) -> None:
        keys, start = [read_key(key) for key in f.items("keys")], self._keys_read
        self._keys[start : start + len(keys)] = keys
        self._keys_read += len(keys)
        if self._keys_read > _MOST_KEYS:
            raise CaptureError("too many endpoints")

    def _known(self, number: int) -> EndpointStats | Passed:
        known = self._rows.get(self._key(number))
        if known is None:
            raise CaptureError("an endpoint refers to a line that does not hold it")
        return known

    def _trend(self, key: EndpointKey, cells: list[Json]) -> Trend:
        before = self._rows.get(key)
        return read_trend(before.trend_ns if before else (), cells[11], READERS["p99_ns"])

    def _passed(self, row: Json) -> tuple[list[Json], EndpointStats | Passed]:
        if isinstance(row, int):
            return [row], self._known(row)
        cells = F.as_list(row)
        if len(cells) < 12:
            raise CaptureError("an endpoint has too few values")
        return cells, Passed(cells, self._trend(self._key(cells[0]), cells))

    def _row(self, row: Json) -> EndpointStats:
        if isinstance(row, int):
            known = self._known(row)
            return self._read_row(*known) if isinstance(known, Passed) else known
        return self._read_row(F.as_list(row))

    def _read_row(self, cells: list[Json], trend: Trend | None = None) -> EndpointStats:
        # Older captures lack the last ones, newer ones may have more.
        if len(cells) < 28 and len(cells) not in (12, 14, 15, 16, 18, 21, 22, 23, 25, 27):
            raise CaptureError("an endpoint has too few values")
        key = self._key(cells[0])
        return EndpointStats(
            key=key,
            pids=tuple(F.as_count(pid) for pid in F.as_list(cells[1])),
            requests=F.as_count(cells[2]),
            rps=F.as_number(cells[3]),
            in_flight=None if cells[4] is None else F.as_count(cells[4]),
            unanswered=F.as_count(cells[5]),
            status=F.as_status(cells[6]),
            request_bytes=F.as_count(cells[7]),
            response_bytes=F.as_count(cells[8]),
            latency=read_latency(cells[9]),
            latency_total=read_latency(cells[10]),
            trend_ns=self._trend(key, cells) if trend is None else trend,
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
            window_status=_read_statuses(cells, 27),
        )

    def _key(self, number: Json) -> EndpointKey:
        index = F.as_count(number)
        if index >= self._keys_read:
            raise CaptureError("an endpoint has no key")
        return self._keys[index]

    def _request(self, request: Json) -> Transaction:
        if isinstance(request, int):
            known = self._recent.get(request)
            if known is None:
                raise CaptureError("a request refers to a line that does not hold it")
            return read_transaction(known) if isinstance(known, list) else known
        return read_transaction(request)

    def _passed_request(self, request: Json) -> tuple[int, Transaction | list[Json]]:
        if isinstance(request, int):
            known = self._recent.get(request)
            if known is None:
                raise CaptureError("a request refers to a line that does not hold it")
            return request, known
        cells = F.as_list(request)
        return F.as_count(cells[0] if cells else None), cells

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


def _read_statuses(cells: list[Json], at: int) -> dict[int, int] | None:
    """Return codes and how often each was seen, from one list; None: it is not known."""
    if len(cells) <= at or cells[at] is None:
        return None
    values = F.as_list(cells[at])
    return F.as_status([list(pair) for pair in zip(values[::2], values[1::2], strict=False)])


def _read_containers(containers: Json) -> tuple[str, ...]:
    found = F.as_list(containers)
    if len(found) > MOST_PIDS:
        raise CaptureError("holds too many containers of an endpoint")
    return tuple(F.as_text(name, _LONGEST_CONTAINER) for name in found)


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
