"""What outputs of metrics have of the cells: series, which metrics.py describes.

Rows come from the same cells, but this goes by the cells alone: what becomes of rows does not
matter here. Nothing is done for it in a tick. A reading names the cells that are new since the last
one, by the path rules of when they were registered, in the order in which they were.

A cell that is given back leaves what it has counted with its series. A series without cells has
ended: it stays as it is for a while, so that whoever asks now and then has its last figures.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Final

from httptop.collect.collected_series import (
    CollectedSeries,
    Figures,
    Lanes,
    Pages,
    packed,
    unpacked,
)
from httptop.collect.endpoint_cells import Endpoint
from httptop.collect.histogram import OCTAVES, Histogram, add
from httptop.collect.row_ledger import RowLedger
from httptop.collect.series_names import SeriesNames
from httptop.collect.sums import CELL, CLASSES, SIDE_ROWS, RowFigures
from httptop.collect.wide_counters import LARGE, LOOK_S, PAGE, WideCounters
from httptop.config.scope import Scope
from httptop.linux import heap
from httptop.linux.stretches import give_way
from httptop.model import OVERFLOW_PATH, STATUS_UNKNOWN, Side

#: Counters of which requests in flight are a difference may have wrapped around.
_WRAP: Final = 1 << 32
_NOTHING: Final = (0, 0, 0, 0, 0)
#: Of what a cell counts in: nothing; pairs of ~other are this and their number below it.
_NOWHERE: Final = -1


class ExportedSeries:
    """The series of a run; for the collector's thread alone."""

    def __init__(
        self,
        ledger: RowLedger,
        scope: Scope,
        most: int,
        methods: frozenset[str] | None = None,
    ) -> None:
        """``most``: how many pairs of endpoint and status there may be.

        ``methods``: those that are told apart; None: all.
        """
        self._ledger, self._scope = ledger, scope
        self._names = SeriesNames(most, methods)
        #: Unix time of the latest reading, or of the start: what is new began after it.
        self.since = 0.0
        #: Of cells of requests: their series, and those whose unanswered ones do not count.
        self._numbers: dict[int, int] = {}
        self._silent: set[int] = set()
        #: The pairs of cells of responses; and those of responses without one, by cell and class.
        self._pairs: dict[int, int] = {}
        self._rest_pairs: dict[tuple[int, int], int] = {}
        #: What cells have counted that are gone.
        self._base = Figures()
        self._packed: dict[int, bytes] = {}
        self._wide = WideCounters()
        self._look_s = 0.0  # when to look at large cells
        #: How many pairs are no longer among the series, and their requests.
        self.ended = 0
        self.ended_requests: Counter[Side] = Counter()

    @property
    def folded(self) -> int:
        """How many pairs had no room, and count under ``~other``."""
        return self._names.folded

    # ---- readings ----------------------------------------------------------------------------

    def read(self, now_s: float, unix_s: float) -> CollectedSeries:
        """Return all series as they are; the cells have just been added up."""
        self._expire(now_s)
        self._look_s = now_s + LOOK_S
        cells = self._ledger.now().cells
        known = {
            cell: endpoint
            for cell, endpoint in chain(
                self._ledger.cells.endpoints.items(), self._ledger.cells.retired.items()
            )
            if endpoint.row is not None
        }
        with heap.apart():
            self._bind(known)
        figures = self._base.copy()
        large = self._add(figures, known, cells)
        pages, added = self._read_pages(len(cells) // CELL.size, large)
        self.since = unix_s
        return CollectedSeries(list(self._names.named), figures, pages, dict(self._packed), added)

    def look_after(self, now_s: float, unix_s: float) -> None:
        """Look at cells whose counters may wrap around, at the end of a tick, if it is time to."""
        if now_s < self._look_s:
            return
        rows = self._ledger.now().rows
        if any(RowFigures.of(rows, number).requests >= LARGE for number in SIDE_ROWS):
            self.read(now_s, unix_s)
        self._look_s = now_s + LOOK_S

    def _bind(self, endpoints: Mapping[int, Endpoint]) -> None:
        """Have the series of cells be known, those that are new."""
        base = self._base
        for cell, endpoint in endpoints.items():
            key = endpoint.scope_key
            number = self._numbers.get(cell)
            if number is None:
                number = self._numbers[cell] = self._names.series_of(key, self.since)
                if not self._scope.admits(key, STATUS_UNKNOWN):
                    self._silent.add(cell)
            for response, status in endpoint.responses:
                if status is not None and response not in self._pairs:
                    pair = self._names.pair_of(key, number, status, self.since)
                    self._pairs[response] = pair
            give_way()
        base.extend(len(self._names.owners), len(self._names.named))

    def _add(
        self, figures: Figures, endpoints: Mapping[int, Endpoint], cells: bytes
    ) -> dict[int, int]:
        """Add what cells have counted, but for their histograms.

        Returns those of responses that are large, with their pairs.
        """
        large: dict[int, int] = {}
        end, owners = len(cells) // CELL.size, self._names.owners
        for cell, endpoint in endpoints.items():
            give_way()
            number = self._numbers[cell]
            at = cell * CELL.size
            counted = CELL.unpack_from(cells, at) if cell < end else _NOTHING
            begun, size, rest, unanswered, moved = counted
            over = 0
            for response, status in endpoint.responses:
                if status is None or response >= end:
                    continue
                pair = self._pairs[response]
                count, sent, sum_ns, _, _ = CELL.unpack_from(cells, response * CELL.size)
                over += count
                figures.counts[pair] += count
                figures.sums_ns[pair] += sum_ns
                figures.response_bytes[owners[pair]] += sent
                if count >= LARGE:
                    large[response] = pair
            for response in endpoint.left_out:
                if response < end:
                    over += CELL.unpack_from(cells, response * CELL.size)[0]
            if rest:
                over += self._add_rest(figures, cell, endpoint, number)
            open_ = (begun - unanswered - moved - over + _WRAP // 2) % _WRAP - _WRAP // 2
            figures.in_flight[number] += open_
            figures.request_bytes[number] += size
            if cell not in self._silent:
                figures.unanswered[number] += self._wide.unanswered(cell, begun, unanswered)
        return large

    def _add_rest(self, figures: Figures, cell: int, endpoint: Endpoint, number: int) -> int:
        """Add the responses of an endpoint for whose status it has no cell; return how many."""
        rest = self._ledger.sums.rest(cell)
        for status, count in enumerate(rest.by_class):
            if not count:
                continue
            pair = self._rest_pairs.get((cell, status))
            if pair is None:
                pair = self._names.pair_of(endpoint.scope_key, number, status, self.since)
                self._rest_pairs[cell, status] = pair
                for columns in (figures, self._base):
                    columns.extend(len(self._names.owners), len(self._names.named))
            figures.counts[pair] += count
        figures.response_bytes[number] += rest.bytes
        return sum(rest.by_class)

    def _read_pages(
        self, cells: int, large: Mapping[int, int]
    ) -> tuple[Pages, dict[int, Histogram]]:
        """Return the histograms of all cells: those of single pairs, and those added up."""
        named, owners = self._names.named, self._names.owners
        others = {
            number for number, one in enumerate(named) if one and one.key.path == OVERFLOW_PATH
        }
        counts_in = array("i", [_NOWHERE]) * cells
        for response, pair in self._pairs.items():
            if response < cells:
                counts_in[response] = _NOWHERE - 1 - pair if owners[pair] in others else pair
        for response in large:
            counts_in[response] = _NOWHERE
        pages, lanes = Pages(len(owners)), Lanes()
        for keys, some in self._ledger.sums.pages():
            give_way()
            for at, key in enumerate(keys):
                cell, octave = divmod(key, OCTAVES)
                pair = counts_in[cell] if cell < cells else _NOWHERE
                if pair == _NOWHERE:
                    continue
                page = some[at * PAGE.size : (at + 1) * PAGE.size]
                if pair > _NOWHERE:
                    pages.put(pair, octave, page)
                else:
                    lanes.put(_NOWHERE - 1 - pair, octave, page)
        added = lanes.histograms()
        self._note_large(large)
        for response, pair in large.items():
            add(added.setdefault(pair, {}), self._wide.histogram(response))
        return pages, added

    def _note_large(self, cells: Collection[int]) -> None:
        for cell, octave, page in self._pages_of(cells):
            self._wide.note_page(cell, octave, page)

    def _pages_of(self, cells: Collection[int]) -> Iterator[tuple[int, int, memoryview]]:
        """Yield what there is of the histograms of some cells: cell, octave, and its buckets."""
        for keys, pages in self._ledger.sums.pages(cells) if cells else ():
            give_way()
            for at, key in enumerate(keys):
                cell, octave = divmod(key, OCTAVES)
                yield cell, octave, pages[at * PAGE.size : (at + 1) * PAGE.size]

    # ---- cells that go -----------------------------------------------------------------------

    def keep(self, endpoints: Mapping[int, Endpoint], now_s: float) -> None:
        """Keep what cells have counted that are about to be blanked."""
        known = {cell: one for cell, one in endpoints.items() if one.row is not None}
        with heap.apart():
            self._bind(known)
            large = self._add(self._base, known, self._ledger.now().cells)
            self._keep_histograms(known, large)
        for cell, endpoint in known.items():
            number = self._numbers.pop(cell)
            self._base.in_flight[number] = 0
            self._silent.discard(cell)
            self._wide.forget(cell)
            for response, _ in endpoint.responses:
                self._pairs.pop(response, None)
                self._wide.forget(response)
            for status in range(CLASSES):
                self._rest_pairs.pop((cell, status), None)
            self._names.leave(number, now_s)
        self._expire(now_s)

    def _keep_histograms(self, endpoints: Mapping[int, Endpoint], large: Mapping[int, int]) -> None:
        small = {
            response: self._pairs[response]
            for endpoint in endpoints.values()
            for response, status in endpoint.responses
            if status is not None and response not in large
        }
        lanes = Lanes()
        for cell, octave, page in self._pages_of(small):
            lanes.put(small[cell], octave, page)
        found = lanes.histograms()
        self._note_large(large)
        for response, pair in large.items():
            add(found.setdefault(pair, {}), self._wide.histogram(response))
        for pair, histogram in found.items():
            add(histogram, unpacked(self._packed.get(pair, b"")))
            self._packed[pair] = packed(histogram)

    def _expire(self, now_s: float) -> None:
        for number, named in self._names.expired(now_s):
            requests = self._base.unanswered[number]
            for _, pair in named.pairs:
                requests += self._base.counts[pair]
                self._base.clear_pair(pair)
                self._packed.pop(pair, None)
            self._base.clear_series(number)
            self.ended += max(1, len(named.pairs))
            self.ended_requests[named.key.side] += requests
