"""What is known of all rows, in the places that know it: these change together.

A source counts in cells and adds up what they count by row (sums.py). The book has the rows' keys
(row_book.py); beside it stand the cells that count in them, their parties and their trends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import repeat

from httptop.collect.counted_ago import Counted, CountedAgo
from httptop.collect.endpoint_cells import Endpoint, EndpointCells
from httptop.collect.in_flight import InFlight
from httptop.collect.parties import PartyBook, PartySource
from httptop.collect.row_book import RowBook
from httptop.collect.row_trends import Buckets, UsualP99s, merged, p50_buckets, p99_of
from httptop.collect.sums import NOT_ANSWERED, CellReturns, RowSums, Slots, Sums


class RowLedger:
    """All rows of a run; for the collector's thread alone."""

    def __init__(
        self, sums: RowSums, returns: CellReturns, parties: PartySource, trend_ticks: int
    ) -> None:
        """``trend_ticks``: how many ticks a row's trend has."""
        self.sums = sums
        self.book = RowBook(sums.most_rows)
        self.cells = EndpointCells(sums, returns, self.book)
        self.parties = PartyBook(parties)
        self.trends: deque[Buckets] = deque(maxlen=trend_ticks)
        self.usual = UsualP99s()
        self.in_flight = InFlight()
        self.ago = CountedAgo()
        self.tick = 1
        self._latest: Sums | None = None  # None: out of date

    def now(self) -> Sums:
        """Return the sums of all rows as they are."""
        if self._latest is None:
            self._latest = self.sums.read(self.tick, self.book.end)
        return self._latest

    def changed(self) -> None:
        """Note that the sums of rows are others now."""
        self._latest = None

    def begin_slot(self, slots: Slots) -> None:
        """Note what was counted before the last slot of the window, which has these from now on."""
        self.ago.begin(slots, lambda: Counted.of(self.now(), self.book.names()))
        self.parties.begin_slot(slots)

    def end_tick(self, ticks: int) -> None:
        """End a tick: its latencies join the trends, where it stands for ``ticks``."""
        rows = self.now().rows
        buckets, counts = p99_of(rows)
        self.trends.extend(repeat(buckets, min(ticks, self.trends.maxlen or ticks)))
        self.usual.learn(buckets, counts, p50_buckets(rows))
        self.sums.end_tick()
        self.tick += 1

    def merge(self, rows: Mapping[int, int]) -> None:
        """Merge rows into others, none of which is merged itself."""
        self._move(rows)
        self.book.merge(rows)

    def forget(self, rows: Mapping[int, int]) -> dict[int, Endpoint]:
        """Forget rows, which others stand for; return their endpoints, whose cells count there.

        What they have had of statuses is not known of the others: see :meth:`RowBook.apart`.
        """
        taken = {cell: self.cells.endpoints.pop(cell) for cell in self._move(rows)}
        self.book.forget(rows)
        return taken

    def move_down(self) -> None:
        """Have rows use low numbers, if few of many are left."""
        if moves := self.book.scattered():
            self._move(moves)
            self.book.renumber(moves)
            self.in_flight = self.in_flight.moved(moves)

    def part(self, cell: int, endpoint: Endpoint, row: int) -> None:
        """Have a cell count in another row from now on; what it has counted stays."""
        former, endpoint.row = endpoint.row, row
        assert former is not None
        cells = [response for response, _ in endpoint.responses]
        found = self.sums.part(cell, cells, row)
        self.book.drop_cells(former, cells)
        self.parties.end([cell])
        for (response, code), so_far in zip(endpoint.responses, found, strict=True):
            if code is not None:
                self.book.add_apart(former, code, so_far)
                self.book.add_apart(row, code, NOT_ANSWERED.plus(so_far, -1))
                self.book.add_status(row, code, response)
        self.changed()

    def refit(self) -> None:
        """Have no more room than is used; see :meth:`EndpointCells.refit`."""
        for part in (self.cells, self.book, self.parties):
            part.refit()
        self.usual.cut(self.book.end)
        self._trends(lambda buckets: buckets[: self.book.end])

    def _move(self, rows: Mapping[int, int]) -> list[int]:
        """Have all that rows have counted be others'; see :meth:`EndpointCells.move`."""
        moved = self.cells.move(rows)
        self.parties.move(rows)
        self.usual.merge(rows)
        self.ago.move(rows)
        self._trends(lambda buckets: merged(buckets, rows))
        self.changed()
        return moved

    def _trends(self, change: Callable[[Buckets], Buckets]) -> None:
        self.trends = deque(map(change, self.trends), self.trends.maxlen)
