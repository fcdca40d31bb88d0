"""The rows of a moment, made when somebody looks at one.

With thousands of rows a tick is cheap as long as they stay numbers, and few are ever looked at. A
table has the sums of its moment (sums.py), and shares with those of other moments what seldom
changes: names, and the trends of former ticks. Nothing of it changes, so any thread may look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import add
from typing import Final

from httptop.collect.containers import Containers
from httptop.collect.counted_ago import Counted
from httptop.collect.histogram import SHARES, percentile, summary_of, top_of
from httptop.collect.measure import Measure
from httptop.collect.packed_rows import PackedRows
from httptop.collect.parties import NO_PARTIES, PartyTable
from httptop.collect.party_division import RowColumns
from httptop.collect.row_glance import Glanced, RowGlance
from httptop.collect.row_names import RowNames
from httptop.collect.row_trends import (
    Buckets,
    UsualTable,
    p50_buckets,
    p99_buckets,
    trend_of,
)
from httptop.collect.shown_rows import RowsShown, ShownRows
from httptop.collect.status_division import (
    CountedRow,
    by_status_in_window,
    by_status_since_start,
)
from httptop.collect.status_latencies import Percentiles, latency_by_status
from httptop.collect.sums import (
    ROW,
    ROW_TIME,
    TIMES,
    RowFigures,
    Sums,
    TimeFigures,
)
from httptop.model import (
    NO_LATENCY,
    EndpointStats,
    Latency,
    PartyStats,
    errors_of,
)
from httptop.view.by_status import ByStatus, StatusPart
from httptop.view.parts import Divided, PartedBy

_WORDS: Final = ROW.size // 8
#: Where the figures of a row stand: those of 64 bits, in words; the number of those of the tick.
_WORD: Final = {name: at for at, name in enumerate(RowFigures._fields[:15])}
_PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p999", "max")
#: Percentiles by name: since start they begin with ``total_``.
_PERCENTILE_AT: Final = {
    f"{prefix}{name}": (span, RowFigures._fields.index(f"{span}_p50"), at)
    for prefix, span in (("", "window"), ("total_", "total"))
    for at, name in enumerate(_PERCENTILES)
}


class RowTable(RowsShown):
    """The rows of a moment."""

    def __init__(
        self,
        sums: Sums,
        shown: ShownRows,
        names: RowNames,
        trends: Sequence[Buckets],
        usual: UsualTable,
        covered_s: float,
        parties: PartyTable,
        oldest_ns: Mapping[int, float],
        containers: Containers,
        percentiles: Mapping[int, Percentiles],
        ago: Counted | None,
    ) -> None:
        """``trends``: of ticks, oldest first; ``covered_s``: the seconds that the window covers.

        ``oldest_ns``: the age of rows' oldest request in flight, as far as it is known.
        ``percentiles``: of some rows, by status; see status_latencies.py.
        ``ago``: what had been counted when the window began.
        """
        super().__init__(shown)
        self._sums, self._names = sums, names
        self._containers = containers
        self._trends, self._usual, self._covered_s = trends, usual, covered_s
        self._parties, self._oldest_ns = parties, oldest_ns
        self._by_status, self._ago = percentiles, ago
        self._made: dict[int, EndpointStats] = {}

    @property
    def size_bytes(self) -> int:
        """That of the sums; see RowsOnDemand."""
        return len(self._sums.rows) + len(self._sums.times) + len(self._sums.cells)

    def packed(self) -> PackedRows:
        """Return the same in less memory; see RowsOnDemand."""
        shown, names, trends, usual = self._shown, self._names, self._trends, self._usual
        covered_s, oldest_ns, containers = self._covered_s, self._oldest_ns, self._containers
        percentiles, ago = self._by_status, None if self._ago is None else self._ago.packed

        def unpacked(sums: Sums) -> RowTable:
            return RowTable(
                sums, shown, names, trends, usual, covered_s, NO_PARTIES, oldest_ns, containers,
                percentiles, None if ago is None else ago.whole(),
            )  # fmt: skip

        return PackedRows(self._sums, shown, unpacked, ago.size_bytes if ago else 0)

    # ---- one row -----------------------------------------------------------------------------

    def row(self, index: int) -> EndpointStats:
        """Return a row, which is made the first time."""
        made = self._made.get(index)
        if made is None:
            made = self._made[index] = self._make(self._shown.numbers[index])
        return made

    def passing(self, index: int) -> EndpointStats:
        """Return a row without keeping it; see RowsOnDemand."""
        return self._made.get(index) or self._make(self._shown.numbers[index])

    def _make(self, number: int) -> EndpointStats:
        key = self._names.keys[number]
        assert key is not None
        row = RowFigures.of(self._sums.rows, number)
        max_ns = row.latency_max_ns
        total = total_of(row)
        window = _latency(row.window_count, row.window_sum_ns, max_ns, *row[21:27])
        sending, duration, wait = NO_LATENCY, total, NO_LATENCY
        if row.measures:
            sending, duration, wait = self._times(number, row, total)
        answered = self._names.answered(self._sums.cells, number)
        status = {code: count for code, (count, _, _) in answered.items()}
        usual = self._usual.of(number, row.window_p99, row.window_count, row.window_p50)
        pids = self._parties.pids(number)
        paths, more_paths = self._names.paths.get(number, (None, False))
        by_pid: Mapping[int, PartyStats] | None = None
        by_peer: Mapping[str, PartyStats] | None = None
        if self._parties.split:
            errors = errors_of(status, row.unanswered)
            by_pid = self._parties.by_pid(number, row.requests, errors)
            by_peer = self._parties.by_peer(number, row.requests, errors)
        return EndpointStats(
            key,
            pids,
            row.requests,
            row.window_requests / self._covered_s if self._covered_s > 0 else 0.0,
            max(0, row.open),
            row.unanswered,
            status,
            row.request_bytes,
            row.response_bytes,
            window,
            total,
            trend_of(number, self._trends),
            sending,
            duration,
            wait,
            row.truncated,
            paths,
            more_paths,
            by_pid,
            by_peer,
            self._oldest_ns.get(number),
            self._containers.of(pids),
            latency_by_status(answered, total, self._by_status.get(number, {})),
            usual and usual.median_ns,
            usual and usual.change,
            window_requests=row.window_requests,
            window_errors=row.window_errors,
            window_status=self._glanced.by_status(number).window,
        )

    def _times(
        self, number: int, row: RowFigures, total: Latency
    ) -> tuple[Latency, Latency, Latency]:
        """Return the summaries of sending, of duration and of wait."""
        waits, handling, sending, durations = (
            TimeFigures(*ROW_TIME.unpack_from(self._sums.times, at * ROW_TIME.size))
            for at in range(number * len(TIMES), (number + 1) * len(TIMES))
        )
        duration = total
        if _has(row, Measure.HANDLING) and _has(row, Measure.DURATION):
            # The latencies of responses that one call sent, and the durations of the others.
            spent_ns = max(0, row.latency_sum_ns - handling.sum_ns) + durations.sum_ns
            max_ns = max(row.latency_max_ns, durations.max_ns)
            duration = _latency(durations.measured, spent_ns, max_ns, *durations[4:])
        return (
            _latency(sending.measured, sending.sum_ns, sending.max_ns, *sending[4:]),
            duration,
            _latency(waits.measured, waits.sum_ns, waits.max_ns, *waits[4:]),
        )

    # ---- what filters ask of a row -------------------------------------------------------------

    def facts(self, index: int, *, since_start: bool = False) -> RowGlance:
        """Return what filters ask of a row, without making it; see RowsOnDemand."""
        return RowGlance(self._glanced, self._shown.numbers[index], since_start=since_start)

    @cached_property
    def _glanced(self) -> Glanced:
        return Glanced(self._sums, self._names, self._parties, self._containers, self._ago)

    def by_status(self, index: int) -> ByStatus:
        """Return the counts of a row by status, without making it; see RowsOnDemand."""
        return self._glanced.by_status(self._shown.numbers[index])

    def window_parts(self, of: Mapping[int, Collection[int]]) -> list[StatusPart]:
        """Return what some statuses have of rows in the window; see RowsOnDemand."""
        numbers = self._shown.numbers
        return self._glanced.window_parts((numbers[at], codes) for at, codes in of.items())

    # ---- one thing of some rows --------------------------------------------------------------

    def divided(self, by: PartedBy, indices: Iterable[int], *, window: bool) -> Divided:
        """Return what each has of rows, without making these; see RowsOnDemand."""
        if by == "status":
            return self._divided_by_status(indices, window=window)
        columns = RowColumns(
            self._shown.numbers,
            self._shown.keys,
            self._column("requests"),
            self.values("errors") or (),
            self._column("window_requests"),
            self._column("window_errors"),
        )
        return self._parties.divide(by, columns, indices, window=window)

    def _divided_by_status(self, indices: Iterable[int], *, window: bool) -> Divided:
        unanswered, requests = self._column("unanswered"), self._column("window_requests")
        numbers, keys = self._shown.numbers, self._shown.keys
        rows = (
            CountedRow(numbers[at], keys[at].process, int(unanswered[at]), int(requests[at]))
            for at in indices
        )
        if window and self._ago is not None:
            now = Counted.of(self._sums, self._names)
            return Divided(by_status_in_window(now, self._ago, rows), since_start=False)
        found = by_status_since_start(self._names, self._sums.cells, rows)
        return Divided(found, since_start=True)

    def containers(self, indices: Iterable[int]) -> Iterator[tuple[str, ...]]:
        """Yield the containers of rows, without making these."""
        for index in indices:
            yield self._containers.of(self._parties.pids(self._shown.numbers[index]))

    # ---- one figure of all rows --------------------------------------------------------------

    def values(self, figure: str) -> Sequence[float] | None:
        """Return a figure of each row; see RowsOnDemand."""
        if figure in _WORD:
            return self._column(figure)
        if figure in _PERCENTILE_AT:
            return self._percentiles(*_PERCENTILE_AT[figure])
        match figure:
            case "rps" | "share":
                seconds = self._covered_s
                requests = self._column("window_requests")
                return [count / seconds for count in requests] if seconds > 0 else requests
            case "in_flight":
                return [max(0, count) for count in self._column("open")]
            case "change":
                return self._changes()
            case "errors":
                failed = self._names.failed(self._sums.cells, self._shown.numbers)
                return list(map(add, failed, self._column("unanswered")))
            case "error_share":
                return self._ratios("window_errors", "window_requests")
            case "oldest":
                oldest_ns = self._oldest_ns
                return [oldest_ns.get(number, -1.0) for number in self._shown.numbers]
            case "mean":
                return self._ratios("window_sum_ns", "window_count")
            case "total_mean":
                return self._ratios("latency_sum_ns", "total_count")
        return None

    def _changes(self) -> list[float]:
        """Return how much each row's 99th percentile has changed; 0: that is not known."""
        numbers, rows = self._shown.numbers, self._sums.rows
        p99s, p50s = map(self._shown.pick, (p99_buckets(rows), p50_buckets(rows)))
        return self._usual.changes(numbers, p99s, self._column("window_count"), p50s)

    def _column(self, name: str) -> Sequence[float]:
        """Return a figure of 64 bits of each row shown."""
        words = memoryview(self._sums.rows).cast("q")[_WORD[name] :: _WORDS]
        return self._shown.pick(words.tolist())

    def _ratios(self, above: str, below: str) -> list[float]:
        """Return the ratio of two figures of each row; -1 where the second one is 0."""
        pairs = zip(self._column(above), self._column(below), strict=True)
        return [some / count if count else -1.0 for some, count in pairs]

    def _percentiles(self, span: str, first: int, number: int) -> list[float]:
        """Return a percentile of each row's latencies in a span; -1 where there are none.

        ``first``: where those of the span stand in RowFigures.
        """
        found = []
        share = (*SHARES, 1.0)[number]
        sum_at = _WORD["window_sum_ns" if span == "window" else "latency_sum_ns"]
        count_at, max_at = _WORD[f"{span}_count"], _WORD["latency_max_ns"]
        for row in self._shown.numbers:
            figures = ROW.unpack_from(self._sums.rows, row * ROW.size)
            if count := figures[count_at]:
                top = top_of(figures[first + 5], figures[max_at], figures[sum_at] / count)
                found.append(percentile(figures[first + number], share, count, top))
            else:
                found.append(-1.0)
        return found


def total_of(row: RowFigures) -> Latency:
    """Return the summary of a row's latencies since start."""
    return _latency(row.total_count, row.latency_sum_ns, row.latency_max_ns, *row[15:21])


def _latency(count: int, sum_ns: int, max_ns: int, *buckets: int) -> Latency:
    return summary_of(count, sum_ns, max_ns, buckets) if count else NO_LATENCY


def _has(row: RowFigures, measure: Measure) -> bool:
    return bool(row.measures >> TIMES.index(measure) + 1 & 1)
