"""The rows behind a snapshot: what has been counted for each endpoint, and for each side.

For the collector's thread alone; ``slot`` is the number of the window's current slot (window.py).
"""

from __future__ import annotations

from collections import deque
from itertools import zip_longest
from typing import Final

from httptop.collect import histogram
from httptop.collect.accumulator import Accumulator, Tally, count_in_four
from httptop.collect.source import CellDelta
from httptop.collect.timings import Timings
from httptop.collect.window import Window
from httptop.model import MOST_PIDS, NO_LATENCY, EndpointKey, EndpointStats, Latency, Totals

#: Ticks of an endpoint's trend; those of the totals are a setting.
TREND_TICKS: Final = 40
_SHORTEST_TICK_S: Final = 0.02


class Row:
    """One endpoint."""

    __slots__ = (
        "_recent", "_since_start", "_tick_count", "_tick_sum_ns", "_trend", "_trend_counts",
        "_trend_tick", "_trend_ticks", "key", "pids", "timings", "total", "window",
    )  # fmt: skip

    def __init__(self, key: EndpointKey, trend_ticks: int = TREND_TICKS) -> None:
        self.key = key
        self.pids: tuple[int, ...] = ()
        self.total = Tally()
        self.window = Window()
        self.timings = Timings()
        #: Summaries over the window and since start; None: out of date.
        self._recent: Latency | None = NO_LATENCY
        self._since_start: Latency | None = NO_LATENCY
        self._tick_sum_ns = 0
        self._tick_count = 0
        # Lists, not deques, which take 760 bytes each: there may be ten thousand rows.
        self._trend: list[float | None] = []
        self._trend_counts: list[int] = []
        self._trend_ticks = trend_ticks
        self._trend_tick = 0

    def count_responses(self, slot: int, status: int, delta: CellDelta, side: Tally) -> None:
        """Count responses of one status, or more bytes of them, here and in the side's tick."""
        _, count, size, spent_ns, max_ns, truncated, unmeasured, _, latencies = delta
        for tally in (self.total, side):
            tally.truncated += truncated
            tally.response_bytes += size
            if max_ns > tally.finished.max_ns:
                tally.finished.max_ns = max_ns
            if count:
                tally.status[status] = tally.status.get(status, 0) + count
        if not count and not latencies:
            return
        window = self.window
        into = (self.total.finished, side.finished, window.sum, window.slot(slot))
        count_in_four(into, count, count if status >= 400 else 0, spent_ns, latencies)
        self._tick_sum_ns += spent_ns
        self._tick_count += count - unmeasured
        self._recent = self._since_start = None

    def count_unanswered(self, slot: int, count: int, side: Tally) -> None:
        """Count requests that will get no response, here and in the side's tick."""
        self.total.unanswered += count
        side.unanswered += count
        window = self.window
        into = (self.total.finished, side.finished, window.sum, window.slot(slot))
        count_in_four(into, count, count, 0, {})

    def expire(self, slot: int) -> bool:
        """Drop what the window no longer covers; return whether anything is left in it."""
        if self.window.expire(slot):
            self._recent = None
        return bool(self.window.slots)

    def end_tick(self, tick: int) -> None:
        """End a tick, by number: its mean latency joins the trend."""
        self._skip_to(tick - 1)
        count = max(0, self._tick_count)  # of several counters, read one after the other
        self._trend.append(self._tick_sum_ns / count if count else None)
        self._trend_counts.append(count)
        self._trend_tick = tick
        self._cut_trend()
        self._tick_sum_ns = self._tick_count = 0

    def _skip_to(self, tick: int) -> None:
        """Fill the trend up to this tick: the row was not active since its last one."""
        missed = tick - self._trend_tick
        if missed > 0:
            missed = min(missed, self._trend_ticks)
            self._trend += [None] * missed
            self._trend_counts += [0] * missed
            self._trend_tick = tick
            self._cut_trend()

    def _cut_trend(self) -> None:
        if len(self._trend) > self._trend_ticks:
            del self._trend[: -self._trend_ticks]
            del self._trend_counts[: -self._trend_ticks]

    def absorb(self, other: Row) -> None:
        """Add all of another row, its trend and processes included."""
        self.total.add(other.total)
        self.window.add(other.window)
        self._recent = self._since_start = None
        self.pids = tuple(sorted({*self.pids, *other.pids})[:MOST_PIDS])
        self.timings.absorb(other.timings)
        self._tick_sum_ns += other._tick_sum_ns
        self._tick_count += other._tick_count
        last = max(self._trend_tick, other._trend_tick)
        self._skip_to(last)
        other._skip_to(last)
        ours = zip(reversed(self._trend), reversed(self._trend_counts), strict=True)
        theirs = zip(reversed(other._trend), reversed(other._trend_counts), strict=True)
        means: list[float | None] = []
        counts: list[int] = []
        for (mean, count), (more, many) in zip_longest(ours, theirs, fillvalue=(None, 0)):
            counts.append(count + many)
            spent = (mean or 0.0) * count + (more or 0.0) * many
            means.append(spent / (count + many) if count + many else None)
        self._trend, self._trend_counts = means[::-1], counts[::-1]

    def stats(self, covered_s: float) -> EndpointStats:
        """Return the row as it is now; ``covered_s``: the seconds that the window covers."""
        total, finished = self.total, self.total.finished
        if self._recent is None:
            self._recent = self.window.sum.latency(finished.max_ns)
        if self._since_start is None:
            # As long as nothing has left the window, both are the same.
            same = self._recent.count == finished.requests - total.unanswered
            self._since_start = self._recent if same else finished.latency(finished.max_ns)
        # By position, in the order of the fields: every active row comes here in every tick, and
        # keywords would cost 4 % of it.
        return EndpointStats(
            self.key,
            self.pids,
            finished.requests,
            self.window.sum.requests / covered_s if covered_s > 0 else 0.0,
            max(0, total.open),
            total.unanswered,
            dict(total.status),
            total.request_bytes,
            total.response_bytes,
            self._recent,
            self._since_start,
            tuple(self._trend),
            *self.timings.summaries(finished, self._since_start),
            total.truncated,
        )


class SideRow:
    """All endpoints of one side."""

    __slots__ = ("_error_share", "_folded", "_p50", "_p99", "_rps", "_total", "tick", "window")

    def __init__(self, history: int = 120) -> None:
        """``history``: ticks in the trends."""
        self._total = Tally()
        self.window = Window()
        self.tick = Tally()  # since the last fold(): not yet in the sums
        self._folded = Accumulator()  # of the current tick, in the sums already
        self._rps: deque[float] = deque(maxlen=history)
        self._error_share: deque[float | None] = deque(maxlen=history)
        self._p50: deque[float | None] = deque(maxlen=history)
        self._p99: deque[float | None] = deque(maxlen=history)

    def fold(self, slot: int) -> None:
        """Add what came since the last call to the sums; the tick goes on."""
        tick, self.tick = self.tick, Tally()
        self._total.add(tick)
        finished = tick.finished
        self._folded.add(finished)
        if finished.requests or finished.histogram:
            self.window.slot(slot).add(finished)
            self.window.sum.add(finished)

    def end_tick(self, slot: int, elapsed_s: float) -> None:
        """End a tick, which lasted ``elapsed_s``: its rates and percentiles join the trends."""
        self.fold(slot)
        tick, self._folded = self._folded, Accumulator()
        if elapsed_s < _SHORTEST_TICK_S:
            return  # the last snapshot of a run may come right behind a tick: no rate
        self._rps.append(tick.requests / elapsed_s)
        self._error_share.append(tick.errors / tick.requests if tick.requests else None)
        latencies, max_ns = tick.histogram, self._total.finished.max_ns
        for trend, share in ((self._p50, 0.5), (self._p99, 0.99)):
            trend.append(histogram.quantile(latencies, share, max_ns) if latencies else None)

    def totals(self, covered_s: float) -> Totals:
        """Return the sums as they are now; ``covered_s``: the seconds that the window covers."""
        total, window = self._total, self.window.sum
        return Totals(
            requests=total.finished.requests,
            rps=window.requests / covered_s if covered_s > 0 else 0.0,
            in_flight=max(0, total.open),
            unanswered=total.unanswered,
            status=dict(total.status),
            request_bytes=total.request_bytes,
            response_bytes=total.response_bytes,
            latency=window.latency(total.finished.max_ns),
            error_share=window.errors / window.requests if window.requests else 0.0,
            trend_rps=tuple(self._rps),
            trend_error_share=tuple(self._error_share),
            trend_p50_ns=tuple(self._p50),
            trend_p99_ns=tuple(self._p99),
        )
