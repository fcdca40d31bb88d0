"""The rows behind a snapshot: what has been counted for each endpoint, and for each side."""

from __future__ import annotations

from collections import deque
from itertools import zip_longest
from typing import Final

from httptop.collect import histogram
from httptop.collect.histogram import Histogram
from httptop.collect.timings import Spans
from httptop.collect.window import Window
from httptop.model import MOST_PIDS, EndpointKey, EndpointStats, Latency, Totals

#: Ticks of an endpoint's trend; those of the totals are a setting.
TREND_TICKS: Final = 40
_SHORTEST_TICK_S: Final = 0.02


class Tally:
    """Counts since start and over the window."""

    __slots__ = (
        "_total", "answered", "histogram", "max_ns", "open", "request_bytes", "response_bytes",
        "status", "sum_ns", "unanswered", "window",
    )  # fmt: skip

    def __init__(self) -> None:
        self.open = 0  # requests begun and not over, whether their end counts here or not
        self.answered = 0
        self.unanswered = 0
        self.status: dict[int, int] = {}
        self.request_bytes = 0
        self.response_bytes = 0
        self.sum_ns = 0
        self.max_ns = 0
        self.histogram: Histogram = {}
        self.window = Window()
        self._total: Latency | None = None

    @property
    def requests(self) -> int:
        """Answered and unanswered."""
        return self.answered + self.unanswered

    @property
    def in_flight(self) -> int:
        """Begun and not over; beginnings and ends are read at slightly different moments."""
        return max(0, self.open)

    def count_responses(
        self,
        slot: int,
        status: int,
        count: int,
        size: int,
        sum_ns: int,
        max_ns: int,
        more: Histogram,
    ) -> None:
        """Count responses of one status, or further bytes of them."""
        self.response_bytes += size
        self.max_ns = max(self.max_ns, max_ns)
        if not count and not more:
            return
        self.answered += count
        self.status[status] = self.status.get(status, 0) + count
        self.sum_ns += sum_ns
        histogram.add(self.histogram, more)
        self._total = None
        self.window.add(slot, count, count if status >= 400 else 0, sum_ns, more)

    def count_unanswered(self, slot: int, count: int) -> None:
        """Count requests that will have no response."""
        self.unanswered += count
        self.window.add(slot, count, count, 0, {})

    def absorb(self, other: Tally) -> None:
        """Add all that another one has counted."""
        self.open += other.open
        self.answered += other.answered
        self.unanswered += other.unanswered
        histogram.add(self.status, other.status)
        self.request_bytes += other.request_bytes
        self.response_bytes += other.response_bytes
        self.sum_ns += other.sum_ns
        self.max_ns = max(self.max_ns, other.max_ns)
        histogram.add(self.histogram, other.histogram)
        self.window.absorb(other.window)
        self._total = None

    def latency_total(self) -> Latency:
        """Return the summary since start."""
        if self._total is None:
            recent = self.window.latency(self.max_ns)
            everything = recent.count == self.answered  # nothing has left the window yet
            self._total = (
                recent
                if everything
                else histogram.summary(self.histogram, self.sum_ns, self.max_ns)
            )
        return self._total


class Row(Tally):
    """One endpoint."""

    __slots__ = (
        "_trend", "_trend_counts", "_trend_tick", "key", "pids", "spans", "tick_count",
        "tick_sum_ns",
    )  # fmt: skip

    def __init__(self, key: EndpointKey, trend_ticks: int = TREND_TICKS) -> None:
        super().__init__()
        self.key = key
        self.pids: tuple[int, ...] = ()
        self.spans = Spans()
        self.tick_sum_ns = 0
        self.tick_count = 0
        self._trend: deque[float | None] = deque(maxlen=trend_ticks)
        self._trend_counts: deque[int] = deque(maxlen=trend_ticks)
        self._trend_tick = 0

    def end_tick(self, tick: int) -> None:
        """Close the trend's current tick."""
        self._skip_to(tick - 1)
        count = self.tick_count
        self._trend.append(self.tick_sum_ns / count if count else None)
        self._trend_counts.append(count)
        self._trend_tick = tick
        self.tick_sum_ns = self.tick_count = 0

    def _skip_to(self, tick: int) -> None:
        """Note that the ticks up to this one brought nothing."""
        missed = tick - self._trend_tick
        if missed > 0:
            missed = min(missed, TREND_TICKS)
            self._trend.extend([None] * missed)
            self._trend_counts.extend([0] * missed)
            self._trend_tick = tick

    def absorb_row(self, other: Row) -> None:
        """Add all of another row, its trend and processes, too."""
        self.absorb(other)
        self.pids = tuple(sorted({*self.pids, *other.pids})[:MOST_PIDS])
        self.spans.absorb(other.spans)
        self.tick_sum_ns += other.tick_sum_ns
        self.tick_count += other.tick_count
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
        self._trend = deque(reversed(means), self._trend.maxlen)
        self._trend_counts = deque(reversed(counts), self._trend.maxlen)

    def stats(self, covered_s: float) -> EndpointStats:
        """Return the row as it stands."""
        total = self.latency_total()
        return EndpointStats(
            self.key,
            self.pids,
            self.requests,
            self.window.requests / covered_s if covered_s > 0 else 0.0,
            self.in_flight,
            self.unanswered,
            dict(self.status),
            self.request_bytes,
            self.response_bytes,
            self.window.latency(self.max_ns),
            total,
            tuple(self._trend),
            self.spans.sending(),
            self.spans.duration(self.histogram, self.sum_ns, self.max_ns, total),
            self.spans.wait(),
        )


class Tick:
    """What came for one side in a tick, or in a part of it; folded into the side as a whole."""

    __slots__ = (
        "histogram", "max_ns", "open", "request_bytes", "response_bytes", "status", "sum_ns",
        "unanswered",
    )  # fmt: skip

    def __init__(self) -> None:
        self.open = 0  # requests begun, less those that are over
        self.unanswered = 0
        self.request_bytes = 0
        self.response_bytes = 0
        self.sum_ns = 0
        self.max_ns = 0
        self.status: dict[int, int] = {}
        self.histogram: Histogram = {}


class SideRow(Tally):
    """All endpoints of one side."""

    __slots__ = ("_error_share", "_folded", "_p50", "_p99", "_rps", "tick")

    def __init__(self, history: int = 120) -> None:
        """``history``: ticks of the trends."""
        super().__init__()
        self.tick = Tick()
        self._folded: list[Tick] = []  # of the trends' current tick, counted already
        self._rps: deque[float] = deque(maxlen=history)
        self._error_share: deque[float | None] = deque(maxlen=history)
        self._p50: deque[float | None] = deque(maxlen=history)
        self._p99: deque[float | None] = deque(maxlen=history)

    def fold(self, slot: int) -> None:
        """Count what has come since the last time; the trends' current tick goes on."""
        tick, self.tick = self.tick, Tick()
        self._folded.append(tick)
        self.open += tick.open
        self.request_bytes += tick.request_bytes
        self.response_bytes += tick.response_bytes
        self.max_ns = max(self.max_ns, tick.max_ns)
        if tick.unanswered:
            self.count_unanswered(slot, tick.unanswered)
        sum_ns, latencies = tick.sum_ns, tick.histogram
        for status, count in tick.status.items():
            self.count_responses(slot, status, count, 0, sum_ns, tick.max_ns, latencies)
            sum_ns, latencies = 0, {}  # the latencies are those of all statuses together

    def end_tick(self, slot: int, elapsed_s: float) -> None:
        """Count what the tick brought, and close the trends' current tick."""
        self.fold(slot)
        ticks, self._folded = self._folded, []
        if elapsed_s < _SHORTEST_TICK_S:
            return  # the last snapshot of a run may come right behind a tick: no rate
        requests = errors = 0
        latencies: Histogram = {}
        for tick in ticks:
            requests += tick.unanswered + sum(tick.status.values())
            errors += tick.unanswered + sum(n for code, n in tick.status.items() if code >= 400)
            histogram.add(latencies, tick.histogram)
        self._rps.append(requests / elapsed_s)
        self._error_share.append(errors / requests if requests else None)
        for trend, share in ((self._p50, 0.5), (self._p99, 0.99)):
            trend.append(histogram.quantile(latencies, share, self.max_ns) if latencies else None)

    def totals(self, covered_s: float) -> Totals:
        """Return the sums as they stand."""
        window = self.window
        return Totals(
            self.requests,
            window.requests / covered_s if covered_s > 0 else 0.0,
            self.in_flight,
            self.unanswered,
            dict(self.status),
            self.request_bytes,
            self.response_bytes,
            window.latency(self.max_ns),
            window.errors / window.requests if window.requests else 0.0,
            tuple(self._rps),
            tuple(self._error_share),
            tuple(self._p50),
            tuple(self._p99),
        )
