"""The totals of a side: its sums of a moment, and the trends of the ticks before."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Final

from httptop.collect import histogram
from httptop.collect.sums import RowFigures, SideFigures
from httptop.model import STATUS_CLASSES, Bands, ClassRates, Totals, class_of

_SHORTEST_TICK_S: Final = 0.02


class SideTotals:
    """The trends of a side, or of what a filter picks of it; for one thread."""

    def __init__(self, history: int) -> None:
        """``history``: ticks in the trends."""
        self._rps: deque[float] = deque(maxlen=history)
        self._error_share: deque[float | None] = deque(maxlen=history)
        self._p50: deque[float | None] = deque(maxlen=history)
        self._p99: deque[float | None] = deque(maxlen=history)
        self._classes: deque[ClassRates] = deque(maxlen=history)
        self._bands: deque[Bands] = deque(maxlen=history)
        self._counted: tuple[int, ...] = (0,) * STATUS_CLASSES

    def end_tick(
        self, side: SideFigures, unanswered: int, max_ns: int, elapsed_s: float, ticks: int
    ) -> None:
        """End a tick, which lasted ``elapsed_s``: its rates and percentiles join the trends.

        There it stands for ``ticks``; its latencies were all measured in the last of these.
        ``unanswered``: requests since start; ``max_ns``: no latency was higher since.
        """
        if elapsed_s < _SHORTEST_TICK_S:
            return  # the last snapshot of a run may come right behind a tick: no rate
        requests, latencies = side.tick_requests, side.tick
        p50, p99 = (
            histogram.quantile(latencies, share, max_ns) if latencies else None
            for share in (0.5, 0.99)
        )
        rates = self._rates_by_class(side, unanswered, elapsed_s)
        bands = histogram.bands_of(latencies)
        for left in range(min(ticks, self._rps.maxlen or ticks) - 1, -1, -1):
            self._rps.append(requests / elapsed_s)
            self._error_share.append(side.tick_errors / requests if requests else None)
            self._p50.append(p50)
            self._p99.append(p99)
            self._classes.append(rates)
            self._bands.append(() if left else bands)

    def _rates_by_class(self, side: SideFigures, unanswered: int, elapsed_s: float) -> ClassRates:
        found = [0] * STATUS_CLASSES
        for code, count in side.status.items():
            at = class_of(code)
            found[at if at < STATUS_CLASSES else 0] += count
        found[0] += unanswered
        before, self._counted = self._counted, tuple(found)
        none, first, second, third, fourth, fifth = (
            (now - then) / elapsed_s for now, then in zip(self._counted, before, strict=True)
        )
        return none, first, second, third, fourth, fifth

    def with_trends(self, totals: Totals) -> Totals:
        """Return totals with the trends of the ticks so far."""
        return replace(
            totals,
            trend_rps=tuple(self._rps),
            trend_error_share=tuple(self._error_share),
            trend_p50_ns=tuple(self._p50),
            trend_p99_ns=tuple(self._p99),
            trend_classes=tuple(self._classes),
            trend_bands=tuple(self._bands),
        )


def totals_of(row: RowFigures, side: SideFigures, covered_s: float) -> Totals:
    """Return a side's totals, without trends; ``covered_s``: seconds that the window covers."""
    requests = row.window_requests
    return Totals(
        requests=row.requests,
        rps=requests / covered_s if covered_s > 0 else 0.0,
        in_flight=max(0, row.open),
        unanswered=row.unanswered,
        status=side.status,
        request_bytes=row.request_bytes,
        response_bytes=row.response_bytes,
        latency=histogram.summary(side.window, row.window_sum_ns, row.latency_max_ns),
        latency_total=histogram.summary(side.total, row.latency_sum_ns, row.latency_max_ns),
        error_share=row.window_errors / requests if requests else 0.0,
    )
