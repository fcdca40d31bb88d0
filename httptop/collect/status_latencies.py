"""The latencies of rows by the status of their responses, since start.

How many there are and what they add up to is known of every row, exactly, whatever became of its
cells. Percentiles need histograms: a row whose latencies are all of one status has that of the row;
those of other rows are read from the source, cell by cell, for few rows only: the one that somebody
looks at, and, where snapshots are written, the busiest ones. What was counted in cells that were
given back, or that count in another row now, is in no such histogram; then the status has none.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from httptop.collect import histogram
from httptop.collect.histogram import Histogram
from httptop.collect.row_names import RowNames
from httptop.collect.sums import NOT_ANSWERED, Answered, RowFigures, RowSums, Sums
from httptop.model import STATUS_UNKNOWN, Latency, StatusLatency

#: Cells whose histograms are read at a time, at most; each takes 0.1 ms where times vary widely.
MOST_CELLS: Final = 64
#: Latencies that a histogram may lack: those that are being counted while it is read.
_UNDER_WAY: Final = 64

#: The 50th and the 99th percentile (ns) by status.
Percentiles = Mapping[int, tuple[float, float]]


def latency_by_status(
    answered: Mapping[int, Answered],
    total: Latency,
    percentiles: Percentiles,
) -> dict[int, StatusLatency]:
    """Return a row's latencies by status; ``total``: those of all, since start."""
    measured = {
        code: some
        for code, some in answered.items()
        if some.measured > 0 and code != STATUS_UNKNOWN
    }
    if len(measured) == 1 and total.count:
        percentiles = dict.fromkeys(measured, (total.p50_ns, total.p99_ns))
    return {
        code: StatusLatency(
            some.measured, some.sum_ns / some.measured, *percentiles.get(code, (None, None))
        )
        for code, some in measured.items()
    }


class Found(NamedTuple):
    """What histograms of a row's cells say, and what it had when they were read."""

    cells: tuple[tuple[int, int], ...]
    answered: Mapping[int, Answered]
    percentiles: Percentiles
    latencies: Histogram  # of all statuses


class StatusLatencies:
    """Finds percentiles by status; for the collector's thread alone."""

    def __init__(self, sums: RowSums) -> None:
        self._sums = sums
        self._known: dict[int, Found] = {}  # by row, of the last time
        self._looked: tuple[int, Found] | None = None  # the row that was looked at, likewise

    def of_busiest(
        self, now: Sums, names: RowNames, shown: Iterable[int]
    ) -> dict[int, Percentiles]:
        """Return the percentiles of rows with several statuses, the busiest ones first."""
        several = [row for row in shown if len(names.statuses[row]) > 1 or row in names.apart]
        busiest = heapq.nlargest(
            MOST_CELLS, several, key=lambda row: RowFigures.of(now.rows, row).window_requests
        )
        room = MOST_CELLS
        found: dict[int, Found] = {}
        for row in busiest:
            cells = len(names.statuses[row])
            if cells <= room:
                found[row] = self._of(now, names, row)
                room -= cells
        self._known = found
        return {row: known.percentiles for row, known in found.items()}

    def of(self, now: Sums, names: RowNames, row: int) -> Found:
        """Return percentiles and latencies of a row; none, if it has too many cells."""
        if len(names.statuses[row]) > MOST_CELLS:
            return Found((), {}, {}, {})
        known = self._of(now, names, row)
        self._looked = row, known
        return known

    def _of(self, now: Sums, names: RowNames, row: int) -> Found:
        cells, answered = names.statuses[row], names.answered(now.cells, row)
        known = self._known.get(row)
        if known is None and self._looked is not None and self._looked[0] == row:
            known = self._looked[1]
        if known is not None and (known.cells, known.answered) == (cells, answered):
            return known
        apart = names.apart.get(row, {})
        whole = [
            (code, cell)
            for code, cell in cells
            if code != STATUS_UNKNOWN and not apart.get(code, NOT_ANSWERED).measured
        ]
        by_code: dict[int, Histogram] = {}
        read = self._sums.histograms(row, [cell for _, cell in whole])
        for (code, _), times in zip(whole, read, strict=True):
            histogram.add(by_code.setdefault(code, {}), times)
        max_ns = RowFigures.of(now.rows, row).latency_max_ns
        found: dict[int, tuple[float, float]] = {}
        for code, times in by_code.items():
            count, sum_ns = answered[code].measured, answered[code].sum_ns
            if times and count - sum(times.values()) <= _UNDER_WAY:
                latency = histogram.summary(times, sum_ns, max_ns)
                found[code] = (latency.p50_ns, latency.p99_ns)
        together: Histogram = {}
        for times in by_code.values():
            histogram.add(together, times)
        return Found(cells, answered, found, together)
