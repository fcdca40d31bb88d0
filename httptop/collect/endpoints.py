"""The ledger: which row every cell counts in, and what the rows have come to.

A source counts in cells (source.py), a screen shows rows, one for each endpoint key. Several cells
share a row where their keys have become the same: by a template of the user's (path_rules.py), or
because a process has more paths than ``paths.max_distinct``; those beyond it, in the order in which
they came, are added up under ``~other``. A cell is in scope, or not, by the key that it had when it
was learnt.

When the rules of paths change, rows that go by the same path from then on become one, with all
that they have counted, so every sum stays what it was. What a row has counted is never taken apart:
where cells part again, each takes only its requests in flight along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from httptop.collect.path_rules import PathRules
from httptop.collect.rows import TREND_TICKS, Row, SideRow
from httptop.collect.source import (
    LEFT_OUT,
    Growth,
    Measure,
    RawEndpoint,
    RawResponse,
    Reading,
)
from httptop.config.scope import Scope
from httptop.model import (
    MOST_PIDS,
    OVERFLOW_PATH,
    SIDES,
    EndpointKey,
    EndpointStats,
    Side,
    Totals,
    clean,
)


class _Place:
    """Where the requests of an endpoint's cell are counted."""

    __slots__ = ("key", "open", "row", "scope_key", "side", "unanswered_count")

    def __init__(self, key: EndpointKey, scope_key: EndpointKey, side: SideRow) -> None:
        self.key = key  # as the source has it
        self.scope_key = scope_key
        self.side = side
        self.unanswered_count = True
        self.row: Row | None = None  # None: out of scope
        self.open = 0  # the cell's part of the row's


class _Outcome:
    """Where a cell of responses is counted."""

    __slots__ = ("counts", "measure", "place", "status")

    def __init__(self, place: _Place, raw: RawResponse, counts: bool) -> None:
        self.place, self.status, self.measure, self.counts = place, raw.status, raw.measure, counts


class Ledger:
    """All rows of a run; the collector's thread alone touches it."""

    def __init__(
        self,
        scope: Scope,
        rules: PathRules,
        *,
        max_distinct: int,
        history: int,
    ) -> None:
        """``history``: ticks of the trends, those of endpoints being short anyway."""
        self._scope, self._rules, self._max_distinct = scope, rules, max_distinct
        self._trend_ticks = min(TREND_TICKS, history)
        self._places: dict[int, _Place] = {}
        self._outcomes: dict[int, _Outcome] = {}
        self._responses: dict[int, RawResponse] = {}
        self._rows: dict[EndpointKey, Row] = {}
        self._overflow: list[Row] = []  # the rows of ~other; no rule moves them
        self._paths: dict[tuple[Side, str, str], set[str]] = {}
        self._sides: dict[Side, SideRow] = {side: SideRow(history) for side in SIDES}
        self._active: set[Row] = set()  # with something in their window
        self._shown: dict[Row, EndpointStats] = {}
        self._slot = 0
        #: Latencies for which the kernel had no histogram, since start.
        self.unmeasured_latencies = 0

    @property
    def overflow_requests(self) -> int:
        """Requests counted under ``~other``."""
        return sum(row.total.finished.requests for row in self._overflow)

    def totals(self, covered_s: float) -> dict[Side, Totals]:
        """Return the sums of each side; the window has covered so much."""
        return {side: row.totals(covered_s) for side, row in self._sides.items()}

    def endpoints(self, covered_s: float) -> tuple[EndpointStats, ...]:
        """Return the rows that have something to show."""
        for row in self._active:
            self._shown[row] = row.stats(covered_s)
        return tuple(stats for stats in self._shown.values() if stats.requests or stats.in_flight)

    def key_of(self, cell: int, status: int) -> EndpointKey | None:
        """Return where a request with this outcome counts; None: nowhere."""
        place = self._places.get(cell)
        if place is None or place.row is None or not self._scope.admits(place.scope_key, status):
            return None
        return place.row.key

    # ---- time --------------------------------------------------------------------------------

    def move_window(self, slot: int) -> None:
        """Go on to a slot of the window; forget what is too old."""
        if slot == self._slot:
            return
        self._slot = slot
        for side in self._sides.values():
            side.window.expire(slot)
        for row in list(self._active):
            if not row.expire(slot):
                self._active.discard(row)
                self._shown[row] = row.stats(1.0)

    def fold(self) -> None:
        """Bring the sums of the sides up to date within a tick."""
        for side in self._sides.values():
            side.fold(self._slot)

    def end_tick(self, tick: int, elapsed_s: float) -> None:
        """Close the tick of this number."""
        for side in self._sides.values():
            side.end_tick(self._slot, elapsed_s)
        for row in self._active:
            row.end_tick(tick)

    # ---- what cells are for ------------------------------------------------------------------

    def learn(self, reading: Reading) -> None:
        """Note what new cells are for, and which processes use them."""
        self._responses.update(reading.responses)
        # A lower number was given out earlier.
        for cell in sorted(reading.endpoints.keys() - self._places.keys()):
            key = _key(reading.endpoints[cell])
            shown = self._by_rules(key)
            place = self._places[cell] = _Place(key, shown, self._sides[key.side])
            if self._scope.admits_key(shown):
                place.unanswered_count = self._scope.admits(shown, 0)
                place.row = self._row(shown)
        if reading.processes is not None:
            self._note_processes(reading.processes)

    def _note_processes(self, processes: Iterable[tuple[int, int]]) -> None:
        pids: dict[Row, set[int]] = {}
        for cell, pid in processes:
            place = self._places.get(cell)
            if place is not None and place.row is not None:
                pids.setdefault(place.row, set()).add(pid)
        for row, seen in pids.items():
            row.pids = tuple(sorted(seen)[:MOST_PIDS])

    def _by_rules(self, key: EndpointKey) -> EndpointKey:
        path = self._rules.apply(key.path)
        return key if path == key.path else replace(key, path=path)

    def _row(self, key: EndpointKey) -> Row:
        """Return the row of a key, or that of ``~other`` where there are too many."""
        row = self._rows.get(key)
        if row is not None:
            return row
        paths = self._paths.setdefault((key.side, key.process, key.method), set())
        if key.path != OVERFLOW_PATH and key.path not in paths:
            if len(paths) >= self._max_distinct:
                return self._row(replace(key, path=OVERFLOW_PATH))
            paths.add(key.path)
        row = self._rows[key] = Row(key, self._trend_ticks)
        if key.path == OVERFLOW_PATH:
            self._overflow.append(row)
        return row

    # ---- counting ----------------------------------------------------------------------------

    def count(self, growth: Iterable[Growth]) -> None:
        """Add what cells have grown by to their rows and sides."""
        places, outcomes = self._places, self._outcomes
        for grown in growth:
            cell = grown.cell
            place = places.get(cell)
            if place is not None:
                self._count_requests(place, grown)
            elif (outcome := outcomes.get(cell) or self._outcome(cell)) is not None:
                if outcome.measure is Measure.LATENCY:
                    self._count_responses(outcome, grown)
                else:
                    self._count_time(outcome, grown)

    def _outcome(self, cell: int) -> _Outcome | None:
        """Return what a cell of responses is for when it grows for the first time."""
        raw = self._responses.get(cell)
        if raw is None:
            return None
        place = self._places.get(raw.endpoint)
        if place is None:
            return None
        counts = raw.status != LEFT_OUT and self._scope.admits(place.scope_key, raw.status)
        outcome = self._outcomes[cell] = _Outcome(place, raw, counts)
        return outcome

    def _count_requests(self, place: _Place, grown: Growth) -> None:
        row = place.row
        if row is None:
            return
        self._active.add(row)
        tick = place.side.tick
        lost = grown.unanswered
        opened = grown.counted - lost - grown.moved
        place.open += opened
        row.total.open += opened
        row.total.request_bytes += grown.bytes
        tick.open += opened
        tick.request_bytes += grown.bytes
        if lost and place.unanswered_count:
            row.count_unanswered(self._slot, lost, tick)

    def _count_responses(self, outcome: _Outcome, grown: Growth) -> None:
        place = outcome.place
        row = place.row
        if row is None:
            return
        self._active.add(row)
        tick = place.side.tick
        counted = grown.counted
        place.open -= counted
        row.total.open -= counted
        tick.open -= counted
        if outcome.counts:
            row.count_responses(self._slot, outcome.status, grown, tick)
            self.unmeasured_latencies += grown.unmeasured

    def _count_time(self, outcome: _Outcome, grown: Growth) -> None:
        row = outcome.place.row
        if row is not None and outcome.counts:
            row.spans.add(outcome.measure, grown)
            self._active.add(row)

    # ---- other rules -------------------------------------------------------------------------

    def regroup(self, rules: PathRules) -> Mapping[EndpointKey, EndpointKey]:
        """Go by other rules from now on; return the keys that rows had, with those they have."""
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
            if key.path != OVERFLOW_PATH:
                self._paths.setdefault((key.side, key.process, key.method), set()).add(key.path)
        for place in self._places.values():
            if place.row is not None:
                self._move(place, merged.get(place.row, place.row))
        self._active = {merged.get(row, row) for row in self._active}
        self._shown = {row: row.stats(1.0) for row in self._rows.values()}
        return renamed

    def _move(self, place: _Place, row: Row) -> None:
        """Let a cell that has counted in a row do so in the one that its key means now."""
        place.row = self._row(self._by_rules(place.key))
        row.total.open -= place.open
        place.row.total.open += place.open


def _key(raw: RawEndpoint) -> EndpointKey:
    path = clean(raw.path) + ("…" if raw.truncated else "")
    protocol = f"HTTP/1.{raw.minor}"
    return EndpointKey(SIDES[raw.side], clean(raw.process), protocol, False, raw.method, path)
