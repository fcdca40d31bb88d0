"""The totals of what the screen's filter picks, as long as there is one.

Requests are counted by endpoint and status, each in a cell of its own. So cells are marked whose
requests the filter picks, and the source adds up what these count from then on, as it does for a
side (``Sums.kept``). A part of a filter that asks what single requests are not counted by, such as
a process or a p99, is asked of their row, once a tick; then the trends are of what it has picked in
each tick. Its figures of the window are known of rows (view/picked_requests.py), but for the
latencies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from httptop.collect import histogram
from httptop.collect.histogram import MIDDLES
from httptop.collect.row_glance import Glanced, RowGlance
from httptop.collect.row_ledger import RowLedger
from httptop.collect.row_names import RowNames
from httptop.collect.side_totals import SideTotals
from httptop.collect.sums import SideFigures
from httptop.filters.on_screen import ScreenFilter
from httptop.linux.stretches import give_way
from httptop.model import SIDES, STATUS_UNKNOWN, EndpointKey, Filtered, Totals, class_of

_MOST_KNOWN: Final = 65536


class _Side:
    """What the filter picks of a side."""

    def __init__(self, history: int) -> None:
        self.trends = SideTotals(history)
        self.requests = 0  # until the end of the last tick
        #: Responses for whose status there was no cell, by class; those of this tick.
        self.rest: Counter[int] = Counter()
        self.tick_rest: Counter[int] = Counter()

    def figures(self, found: SideFigures) -> SideFigures:
        """Return the sums with the responses for whose status there was no cell."""
        if not self.rest:
            return found
        errors = sum(count for code, count in self.tick_rest.items() if class_of(code) >= 4)
        return replace(
            found,
            tick_requests=found.tick_requests + self.tick_rest.total(),
            tick_errors=found.tick_errors + errors,
            status=Counter(found.status) + self.rest,
        )

    def end_tick(self, found: SideFigures, elapsed_s: float, ticks: int) -> None:
        figures = self.figures(found)
        self.requests += figures.tick_requests
        unanswered = self.requests - sum(figures.status.values())
        self.trends.end_tick(figures, unanswered, _highest(figures), elapsed_s, ticks)
        self.tick_rest.clear()

    def totals(self, found: SideFigures) -> Totals:
        sum_ns = sum(round(MIDDLES[bucket]) * count for bucket, count in found.window.items())
        return self.trends.with_trends(Totals(latency=histogram.summary(found.window, sum_ns, 0)))


def _highest(figures: SideFigures) -> int:
    """Return a latency that none exceeds by more than half a bucket."""
    return round(MIDDLES[max(figures.tick)]) if figures.tick else 0


class FilteredTotals:
    """Marks cells, and has the totals of what they count; for the collector's thread alone."""

    def __init__(self, ledger: RowLedger, glanced: Callable[[], Glanced], history: int) -> None:
        """``glanced`` returns the rows as they are now; ``history``: ticks in the trends."""
        self._ledger, self._glanced, self._history = ledger, glanced, history
        self._ready: ScreenFilter | None = None
        self._began_s = 0.0
        self._sides = (_Side(history), _Side(history))
        self._marked: set[int] = set()  # cells
        self._names: RowNames | None = None  # of which the marks are
        #: Of a filter that does not vary: whether it picks a key and status.
        self._known: dict[tuple[EndpointKey, int], bool] = {}

    def select(self, ready: ScreenFilter | None, now_s: float) -> None:
        """Have it be of another filter from now on, an uptime; None: of none."""
        if ready is self._ready or (ready and self._ready and ready.text == self._ready.text):
            return
        self._ready, self._began_s = ready, now_s
        self._ledger.sums.keep(self._marked, kept=False)
        self._ledger.sums.keep_anew()
        self._ledger.changed()
        self._sides = (_Side(self._history), _Side(self._history))
        self._marked, self._names, self._known = set(), None, {}
        self.mark()

    def mark(self, *, anew: bool = False) -> None:
        """Mark the cells whose requests the filter picks now; ``anew``: there may be others."""
        ready, names = self._ready, self._ledger.book.names()
        if ready is None or not (anew or ready.varies or names is not self._names):
            return
        self._names = names
        kept = set(self._picked(ready))
        self._ledger.sums.keep(self._marked - kept, kept=False)
        self._ledger.sums.keep(kept, kept=True)
        self._marked = kept

    def _picked(self, ready: ScreenFilter) -> Iterator[int]:
        """Yield the cells whose requests are picked."""
        glanced, picks = self._glanced(), self._picks
        for known in (self._ledger.cells.endpoints, self._ledger.cells.retired):
            for cell, endpoint in known.items():
                if endpoint.row is None:
                    continue
                give_way()
                row = RowGlance(glanced, endpoint.row, since_start=False)
                unanswered = picks(ready, row, STATUS_UNKNOWN)
                if unanswered:
                    yield cell
                for response, code in endpoint.responses:
                    if code is not None and (
                        unanswered if ready.picks_whole else picks(ready, row, code)
                    ):
                        yield response

    def _picks(self, ready: ScreenFilter, row: RowGlance, code: int) -> bool:
        if ready.varies:
            return ready.keeps_status(row, code)
        what = row.key, code
        found = self._known.get(what)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[what] = ready.keeps_status(row, code)
        return found

    def add_rest(self, row: int, code: int, count: int) -> None:
        """Add responses of a row that are in no cell of their own; ``code``: their class."""
        if self._ready is None:
            return
        glance = RowGlance(self._glanced(), row, since_start=False)
        if self._ready.keeps_status(glance, code):
            side = self._sides[SIDES.index(glance.key.side)]
            side.rest[code] += count
            side.tick_rest[code] += count

    def end_tick(self, elapsed_s: float, ticks: int) -> None:
        """End a tick; see SideTotals."""
        if self._ready is not None:
            for side, found in zip(self._sides, self._ledger.now().kept, strict=True):
                side.end_tick(found, elapsed_s, ticks)

    def now(self) -> Filtered | None:
        """Return what is known; None: there is no filter."""
        if self._ready is None:
            return None
        found = zip(SIDES, self._sides, self._ledger.now().kept, strict=True)
        totals = {name: side.totals(figures) for name, side, figures in found}
        return Filtered(self._ready.text, self._began_s, totals)
