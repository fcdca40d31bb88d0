"""Map kernel counters to endpoint rows, and add them up.

A source counts in cells (source.py); a row is an endpoint as the screen shows it. Several cells
share a row if their keys have become the same: through a path template of the user's
(path_rules.py), or because a process has more paths than ``paths.max_distinct``. Paths beyond that
number, in order of appearance, are counted under ``~other``. Whether a cell is in the scope of the
run is decided once, by the key it had when it was registered.

When the path rules change, rows that now have the same path are merged with all they have counted,
so every sum stays the same. What a row has counted is never split again: if cells part later, each
takes only its requests in flight along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from httptop.collect.measure import Measure
from httptop.collect.path_rules import PathRules
from httptop.collect.rows import TREND_TICKS, Row, SideRow
from httptop.collect.source import LEFT_OUT, CellDelta, RawEndpoint, RawResponse, Reading
from httptop.config.scope import Scope
from httptop.model import (
    BAD_REQUEST_PATH,
    MOST_PIDS,
    OVERFLOW_PATH,
    SIDES,
    STATUS_UNKNOWN,
    EndpointKey,
    EndpointStats,
    Side,
    Totals,
    clean,
)

#: Paths of rows that have a place however many others there are.
_ALWAYS: Final = (OVERFLOW_PATH, BAD_REQUEST_PATH)


class _RequestCell:
    """A cell of requests: the row and side it counts in."""

    __slots__ = ("counts_unanswered", "key", "open", "row", "scope_key", "side")

    def __init__(self, key: EndpointKey, scope_key: EndpointKey, side: SideRow) -> None:
        self.key = key  # as the source has it
        self.scope_key = scope_key  # as the path rules had it when the cell was registered
        self.side = side
        self.counts_unanswered = True  # whether unanswered requests are in scope
        self.row: Row | None = None  # None: out of scope
        self.open = 0  # its part of row.total.open


class _ResponseCell:
    """A cell of responses: the cell of its requests, and what it counts of them."""

    __slots__ = ("counts", "measure", "requests", "status")

    def __init__(self, requests: _RequestCell, raw: RawResponse, counts: bool) -> None:
        self.requests = requests
        self.status, self.measure = raw.status, raw.measure
        self.counts = counts  # whether its status is in scope; its requests are over anyway


class EndpointRows:
    """All rows of a run, and the sums of both sides; for the collector's thread alone."""

    def __init__(
        self,
        scope: Scope,
        rules: PathRules,
        *,
        max_distinct: int,
        history: int,
    ) -> None:
        """``history``: ticks in the trends of both sides; a row keeps at most TREND_TICKS."""
        self._scope, self._rules, self._max_distinct = scope, rules, max_distinct
        self._trend_ticks = min(TREND_TICKS, history)
        self._request_cells: dict[int, _RequestCell] = {}
        self._response_cells: dict[int, _ResponseCell] = {}  # of those that have grown
        self._responses: dict[int, RawResponse] = {}
        self._rows: dict[EndpointKey, Row] = {}
        self._overflow: list[Row] = []  # the rows of ~other; no rule applies to them
        self._paths: dict[tuple[Side, str, str], set[str]] = {}
        self._sides: dict[Side, SideRow] = {side: SideRow(history) for side in SIDES}
        self._active: set[Row] = set()  # with something in their window
        self._stats: dict[Row, EndpointStats] = {}  # up to date for rows that are not active
        self._slot = 0  # of the window
        #: Latencies for which the kernel had no histogram, since start.
        self.unmeasured_latencies = 0

    @property
    def overflow_requests(self) -> int:
        """Requests counted under ``~other``."""
        return sum(row.total.finished.requests for row in self._overflow)

    def totals(self, covered_s: float) -> dict[Side, Totals]:
        """Return the sums of each side; ``covered_s``: the seconds that the window covers."""
        return {side: row.totals(covered_s) for side, row in self._sides.items()}

    def stats(self, covered_s: float) -> tuple[EndpointStats, ...]:
        """Return the rows with requests, in no order; ``covered_s`` as in :meth:`totals`."""
        for row in self._active:
            self._stats[row] = row.stats(covered_s)
        return tuple(stats for stats in self._stats.values() if stats.requests or stats.in_flight)

    def key_of(self, cell: int, status: int) -> EndpointKey | None:
        """Return the key of the row that a request of a cell is counted in; None: in none."""
        known = self._request_cells.get(cell)
        if known is None or known.row is None or not self._scope.admits(known.scope_key, status):
            return None
        return known.row.key

    # ---- time --------------------------------------------------------------------------------

    def move_window(self, slot: int) -> None:
        """Move the window on to a slot, by number; drop what is older than the window."""
        if slot == self._slot:
            return
        self._slot = slot
        for side in self._sides.values():
            side.window.expire(slot)
        for row in list(self._active):
            if not row.expire(slot):
                self._active.discard(row)
                self._stats[row] = row.stats(1.0)

    def fold(self) -> None:
        """Bring the sums of the sides up to date; the tick goes on."""
        for side in self._sides.values():
            side.fold(self._slot)

    def end_tick(self, tick: int, elapsed_s: float) -> None:
        """End tick number ``tick``, which lasted ``elapsed_s``: its value joins the trends."""
        for side in self._sides.values():
            side.end_tick(self._slot, elapsed_s)
        for row in self._active:
            row.end_tick(tick)

    # ---- what cells are for ------------------------------------------------------------------

    def register(self, reading: Reading) -> None:
        """Register new cells, and the processes active on endpoints."""
        self._responses.update(reading.responses)
        # A lower number was given out earlier.
        for cell in sorted(reading.endpoints.keys() - self._request_cells.keys()):
            key = _key(reading.endpoints[cell])
            shown = self._by_rules(key)
            known = self._request_cells[cell] = _RequestCell(key, shown, self._sides[key.side])
            if self._scope.admits_key(shown):
                known.counts_unanswered = self._scope.admits(shown, STATUS_UNKNOWN)
                known.row = self._row(shown)
        if reading.processes is not None:
            self._note_processes(reading.processes)

    def _note_processes(self, processes: Iterable[tuple[int, int]]) -> None:
        pids: dict[Row, set[int]] = {}
        for cell, pid in processes:
            known = self._request_cells.get(cell)
            if known is not None and known.row is not None:
                pids.setdefault(known.row, set()).add(pid)
        for row, seen in pids.items():
            row.pids = tuple(sorted(seen)[:MOST_PIDS])

    def _by_rules(self, key: EndpointKey) -> EndpointKey:
        path = self._rules.apply(key.path)
        return key if path == key.path else replace(key, path=path)

    def _row(self, key: EndpointKey) -> Row:
        """Return the row of a key, or that of ``~other`` if there are too many."""
        row = self._rows.get(key)
        if row is not None:
            return row
        paths = self._paths.setdefault((key.side, key.process, key.method), set())
        if key.path not in _ALWAYS and key.path not in paths:
            if len(paths) >= self._max_distinct:
                return self._row(replace(key, path=OVERFLOW_PATH))
            paths.add(key.path)
        row = self._rows[key] = Row(key, self._trend_ticks)
        if key.path == OVERFLOW_PATH:
            self._overflow.append(row)
        return row

    # ---- counting ----------------------------------------------------------------------------

    def add(self, deltas: Iterable[CellDelta]) -> None:
        """Add what cells have counted to their rows and sides; unknown cells are passed over."""
        request_cells, response_cells = self._request_cells, self._response_cells
        for delta in deltas:
            cell = delta.cell
            requests = request_cells.get(cell)
            if requests is not None:
                self._add_requests(requests, delta)
            elif (responses := response_cells.get(cell) or self._response_cell(cell)) is not None:
                if responses.measure is Measure.LATENCY:
                    self._add_responses(responses, delta)
                else:
                    self._add_times(responses, delta)

    def _response_cell(self, cell: int) -> _ResponseCell | None:
        """Return what is known of a cell of responses, which has grown for the first time."""
        raw = self._responses.get(cell)
        requests = None if raw is None else self._request_cells.get(raw.endpoint)
        if raw is None or requests is None:
            return None
        counts = raw.status != LEFT_OUT and self._scope.admits(requests.scope_key, raw.status)
        made = self._response_cells[cell] = _ResponseCell(requests, raw, counts)
        return made

    def _add_requests(self, cell: _RequestCell, delta: CellDelta) -> None:
        row = cell.row
        if row is None:
            return
        self._active.add(row)
        tick = cell.side.tick
        unanswered = delta.unanswered
        opened = delta.counted - unanswered - delta.moved
        cell.open += opened
        row.total.open += opened
        row.total.request_bytes += delta.bytes
        tick.open += opened
        tick.request_bytes += delta.bytes
        if unanswered and cell.counts_unanswered:
            row.count_unanswered(self._slot, unanswered, tick)

    def _add_responses(self, cell: _ResponseCell, delta: CellDelta) -> None:
        requests = cell.requests
        row = requests.row
        if row is None:
            return
        self._active.add(row)
        tick = requests.side.tick
        counted = delta.counted
        requests.open -= counted
        row.total.open -= counted
        tick.open -= counted
        if cell.counts:
            row.count_responses(self._slot, cell.status, delta, tick)
            self.unmeasured_latencies += delta.unmeasured

    def _add_times(self, cell: _ResponseCell, delta: CellDelta) -> None:
        row = cell.requests.row
        if row is not None and cell.counts:
            row.timings.add(cell.measure, delta)
            self._active.add(row)

    # ---- other rules -------------------------------------------------------------------------

    def regroup(self, rules: PathRules) -> Mapping[EndpointKey, EndpointKey]:
        """Apply other path rules; return the former keys of rows, each with its new one."""
        self._rules = rules
        renamed: dict[EndpointKey, EndpointKey] = {}
        merged: dict[Row, Row] = {}
        for old, row in list(self._rows.items()):
            key = self._by_rules(old)
            if key == old:
                continue
            renamed[old] = key
            del self._rows[old]
            into = self._rows.setdefault(key, row)
            if into is row:
                row.key = key
            else:
                into.absorb(row)
                merged[row] = into
        self._paths.clear()
        for key in self._rows:
            if key.path not in _ALWAYS:
                self._paths.setdefault((key.side, key.process, key.method), set()).add(key.path)
        for cell in self._request_cells.values():
            if cell.row is not None:
                self._move(cell, merged.get(cell.row, cell.row))
        self._active = {merged.get(row, row) for row in self._active}
        self._stats = {row: row.stats(1.0) for row in self._rows.values()}
        return renamed

    def _move(self, cell: _RequestCell, row: Row) -> None:
        """Have a cell that has counted in ``row`` count in the row of its key from now on."""
        cell.row = self._row(self._by_rules(cell.key))
        row.total.open -= cell.open
        cell.row.total.open += cell.open


def protocol_of(version: int) -> str:
    """Return the protocol that a source's number of a version stands for."""
    major, minor = divmod(version - 100, 10) if version >= 100 else (1, version)
    return f"HTTP/{major}.{minor}"


def _key(raw: RawEndpoint) -> EndpointKey:
    path = clean(raw.path) + ("…" if raw.truncated else "")
    protocol = protocol_of(raw.version)
    return EndpointKey(SIDES[raw.side], clean(raw.process), protocol, False, raw.method, path)
