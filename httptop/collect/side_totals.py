"""The totals of a side: its sums of a moment, and the trends of the ticks before."""

from __future__ import annotations

from collections import deque
from typing import Final

from httptop.collect import histogram
from httptop.collect.sums import RowFigures, SideFigures
from httptop.model import Totals

_SHORTEST_TICK_S: Final = 0.02


class SideTotals:
    """The trends of a side, which :meth:`totals` joins with its sums; for one thread."""

    def __init__(self, history: int) -> None:
        """``history``: ticks in the trends."""
        self._rps: deque[float] = deque(maxlen=history)
        self._error_share: deque[float | None] = deque(maxlen=history)
        self._p50: deque[float | None] = deque(maxlen=history)
        self._p99: deque[float | None] = deque(maxlen=history)

    def end_tick(self, row: RowFigures, side: SideFigures, elapsed_s: float) -> None:
        """End a tick, which lasted ``elapsed_s``: its rates and percentiles join the trends."""
        if elapsed_s < _SHORTEST_TICK_S:
            return  # the last snapshot of a run may come right behind a tick: no rate
        requests, latencies = side.tick_requests, side.tick
        self._rps.append(requests / elapsed_s)
        self._error_share.append(side.tick_errors / requests if requests else None)
        max_ns = row.latency_max_ns
        for trend, share in ((self._p50, 0.5), (self._p99, 0.99)):
            trend.append(histogram.quantile(latencies, share, max_ns) if latencies else None)

    def totals(self, row: RowFigures, side: SideFigures, covered_s: float) -> Totals:
        """Return the totals; ``covered_s``: the seconds that the window covers."""
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
            error_share=row.window_errors / requests if requests else 0.0,
            trend_rps=tuple(self._rps),
            trend_error_share=tuple(self._error_share),
            trend_p50_ns=tuple(self._p50),
            trend_p99_ns=tuple(self._p99),
        )
