"""Turn the lines of a capture of schema 1 into snapshots; nothing that a file holds is trusted.

httptop 0.1 to this schema's end wrote JSON lines, compressed with gzip where the name ended so. The
first one is a header, ``{"httptop": "capture", "schema": 1}``; each other is a snapshot:

- an endpoint's key is written once, in ``keys`` of the line where it first appears; from then on
  it is replaced by its number (0, 1, 2, ...);
- an endpoint that has not changed since the previous line is only its number;
- a trend is how many values went at the front, and those that were added;
- a sampled request that was in the previous line is only its serial.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Final, NamedTuple

from httptop.capture.checked import checked, checked_row, numbers
from httptop.capture.line_values import (
    Line,
    RequestList,
    RowList,
    TotalsList,
    header_of,
    health_of,
    line_of,
)
from httptop.capture.lines import LineReader
from httptop.capture.problems import CaptureError
from httptop.capture.trends import TRENDS, TotalsTrends, Trend, follow
from httptop.model import (
    MOST_IN_FLIGHT,
    EndpointKey,
    EndpointStats,
    RequestInFlight,
    Side,
    Snapshot,
    Totals,
    Transaction,
)

_MOST_KEYS: Final = 1 << 20
#: The most of these in a line, by which they take memory before anything can be checked. A line has
#: 130 values and 20 lists for each endpoint, 385 and 68 with as many processes and peers as can be.
_MOST_VALUES: Final = 4_000_000
_MOST_LISTS: Final = 640_000
#: About what a row takes, besides its trend, and a value of that.
_ROW_BYTES: Final = 2500
_VALUE_BYTES: Final = 32


class _Held(NamedTuple):
    """A row as of the latest line that has changed it."""

    cells: RowList
    trend_ns: Trend


class LineUnits:
    """Reads the lines of a capture, each of which has a snapshot; can be forked."""

    def __init__(self, lines: LineReader) -> None:
        """Read the first line; raise :class:`CaptureError`."""
        self._lines = lines
        line = lines.line()
        try:
            header = header_of(bounded(line))
        except CaptureError:
            raise CaptureError("is not a capture of httptop") from None
        if header.httptop != "capture":
            raise CaptureError("is not a capture of httptop")
        if header.schema != 1:
            raise CaptureError("was written by another version of httptop")

    def fork(self) -> LineUnits:
        """Return a reader that goes on from here, too."""
        other = copy.copy(self)
        other._lines = self._lines.fork()
        return other

    def unit(self) -> Line | None:
        """Return the next line; None: there is no other.

        Raises :class:`CutOff` if the file ends within it, :class:`CaptureError` if it is damaged.
        """
        line = self._lines.line()
        return line_of(bounded(line)) if line else None


def bounded(line: bytes) -> bytes:
    """Return a line that takes a few times its length once it is parsed, not many times that."""
    if line.count(b",") > _MOST_VALUES or line.count(b"[") > _MOST_LISTS:
        raise CaptureError("has a line of too many values")
    return line


class LineDecoder:
    """Turns lines into snapshots, in order; raises :class:`CaptureError` for an invalid one."""

    def __init__(self) -> None:
        self._keys: list[EndpointKey] = []  # shared with forks, which may have read more of them
        self._keys_read = 0
        self._rows: dict[int, _Held] = {}
        self._made: dict[int, tuple[_Held, EndpointStats]] = {}
        self._recent: dict[int, Transaction] = {}
        self._trends = TotalsTrends()

    def fork(self) -> LineDecoder:
        """Return a decoder that goes on from here, too."""
        other = copy.copy(self)
        other._trends = self._trends.fork()
        return other

    @property
    def size_bytes(self) -> int:
        """About the memory that a fork keeps."""
        longest = max([len(row.trend_ns) for row in self._rows.values()], default=0)
        return len(self._rows) * (_ROW_BYTES + _VALUE_BYTES * longest)

    def pass_over(self, line: Line) -> None:
        """Take from a line only what later ones refer to: faster than to make its snapshot."""
        self._take(line)

    def snapshot(self, line: Line, *, rows: bool = True) -> Snapshot:
        """Return the snapshot of a line; without ``rows`` faster."""
        totals = self._take(line)
        covered_s = line.covered_s
        if covered_s is None:  # older captures lack it
            covered_s = min(line.window_s, line.uptime_s)
        found = checked(
            Snapshot(
                taken_at=line.taken_at,
                host=line.host,
                uptime_s=line.uptime_s,
                interval_s=line.interval_s,
                window_s=line.window_s,
                covered_s=covered_s,
                totals=totals,
                endpoints=(),
                health=health_of(line.health),
                overhead=line.overhead.overhead(),
                final=line.final,
                notes=line.notes,
                other_protocols={
                    (pid, kind): connections for pid, kind, connections in line.other_protocols
                },
                in_flight=self._in_flight(line),
                in_flight_cut=line.in_flight_cut,
                in_flight_age_s=line.in_flight_after_s,
            )
        )
        return replace(
            found,
            endpoints=self._make_rows() if rows else (),
            recent=tuple(self._recent.values()),
            in_flight_age_s=-found.in_flight_age_s if found.in_flight_age_s else 0.0,
        )

    def _take(self, line: Line) -> dict[Side, Totals]:
        keys, start = [checked(one.key()) for one in line.keys], self._keys_read
        self._keys[start : start + len(keys)] = keys
        self._keys_read += len(keys)
        if self._keys_read > _MOST_KEYS:
            raise CaptureError("has too many endpoints")
        rows = dict(map(self._held, line.endpoints))
        if len(rows) != len(line.endpoints):
            raise CaptureError("is damaged: an endpoint appears twice")
        self._rows = rows
        recent = [self._request(request) for request in line.recent]
        self._recent = {request.serial: request for request in recent}
        return {side: self._totals(side, totals) for side, totals in line.totals.items()}

    def _held(self, row: int | RowList) -> tuple[int, _Held]:
        if isinstance(row, int):
            known = self._rows.get(row)
            if known is None:
                raise CaptureError("is damaged: an endpoint refers to what is not there")
            return row, known
        self._key(row.number)
        before = self._rows.get(row.number)
        dropped, added = row.trend
        numbers(value for value in added if value is not None)
        return row.number, _Held(row, follow(before.trend_ns if before else (), dropped, added))

    def _key(self, number: int) -> EndpointKey:
        if not 0 <= number < self._keys_read:
            raise CaptureError("is damaged: an endpoint has no key")
        return self._keys[number]

    def _request(self, request: int | RequestList) -> Transaction:
        if not isinstance(request, int):
            return checked(request.request())
        known = self._recent.get(request)
        if known is None:
            raise CaptureError("is damaged: a request refers to what is not there")
        return known

    def _totals(self, side: Side, found: TotalsList) -> Totals:
        trends: dict[str, Trend] = {}
        for name in TRENDS:
            dropped, added = getattr(found.trends, name.removeprefix("trend_"))
            trends[name] = self._trends.follow(side + name, dropped, checked(tuple(added)))
        return Totals(
            requests=found.requests,
            rps=found.rps,
            in_flight=found.in_flight,
            unanswered=found.unanswered,
            status=dict(found.status),
            request_bytes=found.request_bytes,
            response_bytes=found.response_bytes,
            latency=found.latency.latency(),
            latency_total=found.latency_total.latency(),
            error_share=found.error_share,
            **trends,
        )

    def _in_flight(self, line: Line) -> tuple[RequestInFlight, ...] | None:
        if line.in_flight is None:
            return None
        if len(line.in_flight) > MOST_IN_FLIGHT:
            raise CaptureError("has too many requests in flight")
        return tuple(one.request(self._key(one.number)) for one in line.in_flight)

    def _make_rows(self) -> tuple[EndpointStats, ...]:
        made: dict[int, tuple[_Held, EndpointStats]] = {}
        for number, held in self._rows.items():
            before = self._made.get(number)
            if before is None or before[0] is not held:
                row = held.cells.row(self._keys[number], held.trend_ns)
                before = held, checked_row(row)
            made[number] = before
        self._made = made
        if len({row.key for _, row in made.values()}) != len(made):
            raise CaptureError("is damaged: an endpoint appears twice")
        return tuple([row for _, row in made.values()])
