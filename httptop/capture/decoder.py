"""Turn the frames of a capture into snapshots; nothing that a file holds is trusted.

See :mod:`httptop.capture.parts` for what is in a frame.
"""

from __future__ import annotations

import copy
import struct
from dataclasses import replace
from typing import Any, Final, NamedTuple

from httptop.capture.checked import checked, checked_row, number, numbers
from httptop.capture.parts import MOST_ROWS, Part, Row, RowDecoder, Tick, Unit, row_decoder
from httptop.capture.problems import CaptureError
from httptop.capture.trends import TRENDS, TotalsTrends, Trend, follow
from httptop.model import (
    SIDES,
    EndpointKey,
    EndpointStats,
    Side,
    Snapshot,
    Totals,
    Transaction,
)

#: The most values of trends of all rows, and entries of rows that are made for a snapshot: of
#: statuses, processes, peers and containers.
_MOST_TREND_VALUES: Final = 6_000_000
_MOST_ENTRIES: Final = 4_000_000
_LARGEST_ROW: Final = 64 << 10
#: About what a row takes besides its values and its trend, and a value of that.
_ROW_BYTES: Final = 400
_VALUE_BYTES: Final = 32


class _Held(NamedTuple):
    """A row as of the latest snapshot that has changed it."""

    values: bytes
    trend_ns: Trend


class Decoder:
    """Turns units into snapshots, in order; raises :class:`CaptureError` for an invalid one."""

    def __init__(self) -> None:
        self._forget()
        self._names: tuple[str, ...] = ()
        self._decoder: RowDecoder | None = None
        # The rows that were made latest, by their numbers.
        self._made: dict[int, tuple[_Held, EndpointStats]] = {}

    def _forget(self) -> None:
        self._keys: list[EndpointKey] = []
        self._known: set[EndpointKey] = set()
        self._rows: dict[int, _Held] = {}
        self._order: tuple[int, ...] = ()
        self._recent: dict[int, Transaction] = {}
        self._trends = TotalsTrends()
        self._trend_values = 0

    def fork(self) -> Decoder:
        """Return a decoder that goes on from here, too."""
        other = copy.copy(self)
        other._keys, other._known = list(self._keys), set(self._known)
        other._rows, other._recent = dict(self._rows), dict(self._recent)
        other._trends = self._trends.fork()
        return other

    @property
    def size_bytes(self) -> int:
        """About the memory that a fork keeps."""
        values = sum(len(row.values) for row in self._rows.values())
        return values + len(self._rows) * _ROW_BYTES + self._trend_values * _VALUE_BYTES

    def pass_over(self, unit: Unit) -> None:
        """Take from a unit what later ones refer to: many times as fast as to make its snapshot."""
        self._take(unit)

    def snapshot(self, unit: Unit, *, rows: bool = True) -> Snapshot:
        """Return the snapshot of a unit; without ``rows`` many times as fast."""
        recent, totals = self._take(unit)
        tick = unit.tick
        return replace(
            tick.snapshot,
            totals=totals,
            endpoints=self._make_rows() if rows else (),
            recent=recent,
            in_flight_age_s=-number(tick.in_flight_after_s) if tick.in_flight_after_s else 0.0,
        )

    # What a unit changes

    def _take(self, unit: Unit) -> tuple[tuple[Transaction, ...], dict[Side, Totals]]:
        if unit.whole:
            self._forget()
        elif self._decoder is None:
            raise CaptureError("is damaged: it begins with what has changed")
        if self._decoder is None or unit.names != self._names:
            self._names, self._decoder = unit.names, row_decoder(unit.names)
            self._made = {}
        for part in unit.parts:
            self._take_part(part)
        if len(self._keys) > MOST_ROWS * 4:
            raise CaptureError("has too many endpoints")
        if self._trend_values > _MOST_TREND_VALUES:
            raise CaptureError("holds trends that are too long")
        if unit.tick.order is not None:
            self._order = self._numbers(unit.tick.order)
            gone = self._rows.keys() - set(self._order)
            for one in gone:
                self._trend_values -= len(self._rows.pop(one).trend_ns)
        if len(self._order) != len(self._rows):
            raise CaptureError("is damaged: an endpoint refers to what is not there")
        return self._take_recent(unit.tick), self._take_totals(unit.tick)

    def _take_part(self, part: Part) -> None:
        for key in map(checked, part.keys):
            if key in self._known:
                raise CaptureError("is damaged: an endpoint appears twice")
            self._known.add(key)
            self._keys.append(key)
        for request in map(checked, part.requests):
            self._recent[request.serial] = request
        for row in part.rows:
            self._take_row(row)

    def _take_row(self, row: Row) -> None:
        if not 0 <= row.number < len(self._keys):
            raise CaptureError("is damaged: an endpoint has no key")
        numbers(value for value in row.added if value is not None)
        before = self._rows.get(row.number)
        values = row.values
        if values is None:
            if before is None:
                raise CaptureError("is damaged: an endpoint refers to what is not there")
            values = before.values
        if len(values) > _LARGEST_ROW:
            raise CaptureError("has a row that is too large")
        trend = follow(before.trend_ns if before else (), row.dropped, row.added)
        self._trend_values += len(trend) - (len(before.trend_ns) if before else 0)
        self._rows[row.number] = _Held(values, trend)

    def _numbers(self, order: bytes) -> tuple[int, ...]:
        if len(order) % 4 or len(order) > 4 * MOST_ROWS:
            raise CaptureError("is damaged: its endpoints have no order")
        found: tuple[int, ...] = struct.unpack(f"<{len(order) // 4}I", order)
        if len(set(found)) != len(found):
            raise CaptureError("is damaged: an endpoint appears twice")
        if not self._rows.keys() >= set(found):
            raise CaptureError("is damaged: an endpoint refers to what is not there")
        return found

    def _take_recent(self, tick: Tick) -> tuple[Transaction, ...]:
        try:
            recent = tuple(self._recent[serial] for serial in tick.recent)
        except KeyError:
            raise CaptureError("is damaged: a request refers to what is not there") from None
        self._recent = {request.serial: request for request in recent}
        return recent

    def _take_totals(self, tick: Tick) -> dict[Side, Totals]:
        totals: dict[Side, Totals] = {}
        for side in SIDES:
            found = tick.snapshot.totals.get(side)
            if found is not None:
                trends: dict[str, Any] = {
                    name: self._trends.follow(
                        side + name, tick.dropped.get(side + name, 0), getattr(found, name)
                    )
                    for name in TRENDS
                }
                totals[side] = replace(found, **trends)
        return totals

    # Rows

    def _make_rows(self) -> tuple[EndpointStats, ...]:
        decoder = self._decoder
        assert decoder is not None
        made: dict[int, tuple[_Held, EndpointStats]] = {}
        entries = 0
        for one in self._order:
            held, before = self._rows[one], self._made.get(one)
            if before is None or before[0] is not held:
                row = checked_row(decoder.row(self._keys[one], held.trend_ns, held.values))
                entries += len(row.status) + len(row.by_pid or ()) + len(row.by_peer or ())
                if entries > _MOST_ENTRIES:
                    raise CaptureError("has rows of too many statuses, processes and peers")
                before = held, row
            made[one] = before
        self._made = made
        return tuple([row for _, row in made.values()])
