"""Times beside the latency: of requests that waited to be read, and of responses sent in pieces.

Waits are looked at in windows (bpf/c/wait.h), so they are a sample.

Of a response sent in one call, sending takes no time and the duration is the latency. The kernel
measures the others when they are over, so the durations of all are: the latencies, without those of
the others, with their durations. A response still under way counts with its latency.
"""

from __future__ import annotations

from httptop.collect import histogram
from httptop.collect.accumulator import Accumulator
from httptop.collect.source import Growth, Measure
from httptop.model import NO_LATENCY, Latency


class Spans:
    """What is known of an endpoint's requests beside their latency."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: dict[Measure, Accumulator] = {}

    def add(self, measure: Measure, grown: Growth) -> None:
        """Add what the kernel has measured."""
        times = self._of(measure)
        times.requests += grown.counted
        times.sum_ns += grown.latency_sum_ns
        histogram.add(times.histogram, grown.histogram)
        times.max_ns = max(times.max_ns, grown.latency_max_ns)

    def absorb(self, other: Spans) -> None:
        """Add all of another endpoint."""
        for measure, times in other._times.items():
            self._of(measure).add(times)

    def _of(self, measure: Measure) -> Accumulator:
        times = self._times.get(measure)
        if times is None:
            times = self._times[measure] = Accumulator()
        return times

    def summaries(self, responses: Accumulator, known: Latency) -> tuple[Latency, Latency, Latency]:
        """Return the summaries of sending, duration and wait; ``known``: that of latencies.

        Sending is of responses sent in pieces, duration of all responses, wait of requests looked
        at.
        """
        if not self._times:
            return NO_LATENCY, known, NO_LATENCY
        sending, wait = self._summary(Measure.SENDING), self._summary(Measure.WAIT)
        return sending, self._duration(responses, known), wait

    def _summary(self, measure: Measure) -> Latency:
        times = self._times.get(measure)
        return NO_LATENCY if times is None else times.latency(times.max_ns)

    def _duration(self, responses: Accumulator, known: Latency) -> Latency:
        handling = self._times.get(Measure.HANDLING)
        duration = self._times.get(Measure.DURATION)
        if handling is None or duration is None:
            return known
        whole = Accumulator()
        whole.add(responses)
        whole.subtract(handling)
        whole.add(duration)
        return whole.latency(whole.max_ns)
