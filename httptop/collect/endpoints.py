"""The rows of a run, an endpoint each as the screen shows it, and the totals of both sides.

Which row a cell counts in says placing.py; what becomes of idle rows, row_upkeep.py; what is known
of them stands in row_ledger.py.

When the path rules change, rows that now have the same path are merged with all they have counted,
so every sum stays the same. What a row has counted is never split again: if cells part later, each
takes only its requests in flight along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from httptop.collect.containers import Containers
from httptop.collect.filtered_totals import FilteredTotals
from httptop.collect.histogram import bands_of
from httptop.collect.in_flight import InFlight, in_flight_of
from httptop.collect.parties import PartySource
from httptop.collect.party_figures import RowHad
from httptop.collect.path_rules import PathRules
from httptop.collect.placing import Placing
from httptop.collect.row_glance import Glanced
from httptop.collect.row_ledger import RowLedger
from httptop.collect.row_table import RowTable, total_of
from httptop.collect.row_upkeep import RowUpkeep
from httptop.collect.side_totals import SideTotals, totals_of
from httptop.collect.source import Names, RawInFlight
from httptop.collect.status_latencies import Percentiles, StatusLatencies, latency_by_status
from httptop.collect.sums import (
    SIDE_ROWS,
    Answered,
    CellReturns,
    RowFigures,
    RowSums,
    SideFigures,
    Slots,
)
from httptop.config.scope import Scope
from httptop.filters.on_screen import ScreenFilter
from httptop.linux import heap
from httptop.model import (
    SIDES,
    EndpointKey,
    Filtered,
    LookedAt,
    Side,
    Totals,
)

if TYPE_CHECKING:
    from httptop.collect.exported_series import ExportedSeries

#: The most ticks of an endpoint's trend; those of the totals are a setting.
TREND_TICKS: Final = 120


class EndpointRows:
    """All rows of a run, and the sums of both sides; for the collector's thread alone."""

    def __init__(
        self,
        sums: RowSums,
        returns: CellReturns,
        parties: PartySource,
        scope: Scope,
        rules: PathRules,
        *,
        max_distinct: int,
        max_not_found: int,
        history: int,
        max_series: int = 0,
        methods: frozenset[str] | None = None,
    ) -> None:
        """``history``: ticks in the trends of both sides; a row has at most TREND_TICKS.

        ``max_not_found``: how many rows with no outcome but 404 and the like a process and side may
        have before they become one; 0: any number. ``max_series``: how many there may be of what
        outputs of metrics have; 0: there are no such outputs. ``methods``: those that these tell
        apart; None: all.
        """
        self._ledger = RowLedger(sums, returns, parties, min(TREND_TICKS, history))
        self._placing = Placing(self._ledger, returns, scope, rules, max_distinct)
        self._upkeep = RowUpkeep(self._ledger, self._placing, returns, max_not_found)
        self._scope = scope
        self._containers = Containers()
        self._statuses = StatusLatencies(sums)
        self._sides = {side: SideTotals(history) for side in SIDES}
        #: What outputs of metrics have; None: nobody asks for it.
        self.series: ExportedSeries | None = None
        if max_series:
            from httptop.collect.exported_series import ExportedSeries

            self.series = ExportedSeries(self._ledger, scope, max_series, methods)
            self._ledger.cells.leaving = self.series.keep
        self._filtered = FilteredTotals(self._ledger, self._glanced, history)

    @property
    def overflow_requests(self) -> int:
        """Requests counted under ``~other``."""
        return self._ledger.book.overflow_requests(self._ledger.now().rows)

    @property
    def crowding(self) -> str | None:
        """A sentence about tables that had no room in the last tick, and who has most of it."""
        return self._upkeep.crowding

    @property
    def unmeasured_latencies(self) -> int:
        """Latencies for which the kernel had no histogram, since start."""
        return self._ledger.now().unmeasured

    def totals(self, covered_s: float) -> dict[Side, Totals]:
        """Return the sums of each side; ``covered_s``: the seconds that the window covers."""
        return {
            side: self._sides[side].with_trends(totals_of(*self._side(number), covered_s))
            for number, side in enumerate(SIDES)
        }

    def _side(self, number: int) -> tuple[RowFigures, SideFigures]:
        now = self._ledger.now()
        row = RowFigures.of(now.rows, SIDE_ROWS[number])
        return row, now.sides[number]

    def filter_by(self, ready: ScreenFilter | None, now_s: float) -> None:
        """Have :meth:`filtered` be what a filter picks from ``now_s`` on, an uptime."""
        self._filtered.select(ready, now_s)

    def filtered(self) -> Filtered | None:
        """Return what is known of what the filter picks; None: there is no filter."""
        return self._filtered.now()

    def _glanced(self) -> Glanced:
        parties = self._ledger.parties.table(split=not self._scope.by_status)
        names = self._ledger.book.names()
        return Glanced(self._ledger.now(), names, parties, self._containers, None)

    @property
    def any_in_flight(self) -> bool:
        """Whether any request is in flight, by what was counted."""
        rows = self._ledger.now().rows
        return any(RowFigures.of(rows, number).open > 0 for number in SIDE_ROWS)

    def in_flight(self, requests: Iterable[RawInFlight], now_ns: float) -> InFlight:
        """Note the requests in flight at ``now_ns``, monotonic, and return them."""

        def row_of(cell: int) -> int | None:
            known = self._ledger.cells.get(cell)
            return None if known is None else known.row

        self._ledger.in_flight = in_flight_of(requests, now_ns, row_of, self._ledger.book.key_of)
        return self._ledger.in_flight

    def look_at(self, key: EndpointKey) -> LookedAt | None:
        """Return what is known besides of the row with a key; None: there is none."""
        row = self._ledger.book.number_of(key)
        if row is None:
            return None
        now, names = self._ledger.now(), self._ledger.book.names()
        figures, answered = RowFigures.of(now.rows, row), names.answered(now.cells, row)
        total = total_of(figures)
        found = self._statuses.of(now, names, row)
        by_status = latency_by_status(answered, total, found.percentiles)
        bands = bands_of(found.latencies)
        parties = self._ledger.parties.table(split=not self._scope.by_status)
        if not parties.has_window:
            return LookedAt(key, by_status, bands)
        errors = figures.unanswered + names.failed(now.cells, [row])[0]
        had = RowHad(figures.requests, errors)
        window = RowHad(figures.window_requests, figures.window_errors)
        by_pid = parties.window_by_pid(row, had, window)
        return LookedAt(key, by_status, bands, by_pid, parties.window_by_peer(row, had, window))

    def table(self, covered_s: float, *, written: bool = False) -> RowTable:
        """Return the rows with requests, in no order; ``covered_s`` as in :meth:`totals`.

        ``written``: with percentiles by status of the busiest rows, for who writes them down.
        """
        now = self._ledger.now()
        shown = self._ledger.book.shown(now.rows)
        names, trends = self._ledger.book.names(), tuple(self._ledger.trends)
        parties = self._ledger.parties.table(split=not self._scope.by_status)
        oldest_ns = self._ledger.in_flight.oldest_ns
        percentiles: Mapping[int, Percentiles] = {}
        if written:
            percentiles = self._statuses.of_busiest(now, names, shown.numbers)
        usual, places = self._ledger.usual.table(), self._containers
        return RowTable(
            now, shown, names, trends, usual, covered_s, parties, oldest_ns, places, percentiles,
            self._ledger.ago.oldest,
        )  # fmt: skip

    def key_of(self, cell: int, status: int) -> EndpointKey | None:
        """Return the key of the row that a request of a cell is counted in; None: in none."""
        known = self._ledger.cells.get(cell)
        if known is None or known.row is None or not self._scope.admits(known.scope_key, status):
            return None
        return self._ledger.book.key_of(known.row)

    def _place_of(self, cell: int) -> int | None:
        """Return the row of a cell of requests, None: it is in none; raise KeyError."""
        known = self._ledger.cells.get(cell)
        if known is None:
            raise KeyError(cell)
        return known.row

    def count(self, slots: Slots, names: Names) -> None:
        """Add what cells have counted; the window has these slots then."""
        self._filtered.mark()
        self._ledger.begin_slot(slots)
        self._ledger.changed()
        self._ledger.in_flight = InFlight()
        unknown = self._ledger.sums.add(self._ledger.tick, slots)
        if unknown:
            with heap.apart():
                self._placing.register(*names(unknown))
            self._filtered.mark(anew=True)
            self._ledger.sums.add(self._ledger.tick, slots)
            self._ledger.changed()
        for cell, status, count in self._ledger.sums.take_rest():
            known = self._ledger.cells.get(cell)
            if known is not None and known.row is not None:
                self._placing.take_out_found(cell, known, status)
                self._ledger.book.add_apart(known.row, status, Answered(count, 0, 0))
                self._filtered.add_rest(known.row, status, count)
        self._ledger.cells.count_retired()
        self._upkeep.fold_not_found()
        with heap.apart():
            self._ledger.parties.take(self._place_of)

    def end_tick(self, elapsed_s: float, ticks: int = 1) -> None:
        """End the tick, which lasted ``elapsed_s``: its values join the trends.

        ``ticks``: how many it should have been. In trends it stands for as many, since these have
        an axis of time.
        """
        for number, side in enumerate(SIDES):
            row, figures = self._side(number)
            self._sides[side].end_tick(
                figures, row.unanswered, row.latency_max_ns, elapsed_s, ticks
            )
        self._filtered.end_tick(elapsed_s, ticks)
        self._ledger.end_tick(ticks)

    def forget(self, now_s: float, forget_s: float, names: Names) -> None:
        """Forget rows at the end of a tick; see RowUpkeep."""
        self._upkeep.forget(now_s, forget_s, names)

    def regroup(self, rules: PathRules) -> Mapping[EndpointKey, EndpointKey]:
        """Apply other path rules; see Placing."""
        return self._placing.regroup(rules)
