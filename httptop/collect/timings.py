"""Times beside the latency: of requests that waited to be read, and of responses sent in pieces.

Waits are looked at in windows (bpf/c/wait.h), so they are a sample.

Of a response sent in one call, sending takes no time and the duration is the latency. The kernel
measures the others when they are over, so the durations of all are: the latencies, without those of
the others, with their durations. A response still under way counts with its latency.
"""

from __future__ import annotations

from httptop.collect import histogram
from httptop.collect.histogram import Histogram
from httptop.collect.source import Growth, Measure
from httptop.model import NO_LATENCY, Latency


class _Times:
    """A histogram since start."""

    __slots__ = ("histogram", "max_ns", "sum_ns")

    def __init__(self) -> None:
        self.histogram: Histogram = {}
        self.sum_ns = 0
        self.max_ns = 0

    def add(self, more: Histogram, sum_ns: int, max_ns: int) -> None:
        histogram.add(self.histogram, more)
        self.sum_ns += sum_ns
        self.max_ns = max(self.max_ns, max_ns)


class Spans:
    """What is known of an endpoint's requests beside their latency."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: dict[Measure, _Times] = {}

    def add(self, measure: Measure, grown: Growth) -> None:
        """Add what the kernel has measured."""
        times = self._times.setdefault(measure, _Times())
        times.add(grown.histogram, grown.latency_sum_ns, grown.latency_max_ns)

    def absorb(self, other: Spans) -> None:
        """Add all of another endpoint."""
        for measure, times in other._times.items():
            mine = self._times.setdefault(measure, _Times())
            mine.add(times.histogram, times.sum_ns, times.max_ns)

    def wait(self) -> Latency:
        """Return the summary of the time from bytes ready to the read, of requests looked at."""
        return self._summary(Measure.WAIT)

    def sending(self) -> Latency:
        """Return the summary of the time from first to last byte, of responses sent in pieces."""
        return self._summary(Measure.SENDING)

    def _summary(self, measure: Measure) -> Latency:
        times = self._times.get(measure)
        if times is None:
            return NO_LATENCY
        return histogram.summary(times.histogram, times.sum_ns, times.max_ns)

    def duration(self, latencies: Histogram, sum_ns: int, max_ns: int, known: Latency) -> Latency:
        """Return the summary of the whole time of all responses, whose latencies these are.

        ``known`` is their summary.
        """
        handling = self._times.get(Measure.HANDLING)
        duration = self._times.get(Measure.DURATION)
        if handling is None or duration is None:
            return known
        whole = dict(latencies)
        for bucket, count in handling.histogram.items():
            # The three are read at slightly different moments.
            whole[bucket] = max(0, whole.get(bucket, 0) - count)
        histogram.add(whole, duration.histogram)
        whole = {bucket: count for bucket, count in whole.items() if count}
        spent_ns = max(0, sum_ns - handling.sum_ns + duration.sum_ns)
        return histogram.summary(whole, spent_ns, max(max_ns, duration.max_ns))
