"""Times of an endpoint's responses besides the latency: wait, sending, duration.

Waits are noted in a part of each tick only (bpf/ticks.py), so they are a sample.

If one call sends a response, sending takes no time and the duration is the latency. The kernel
measures the others once they are over. So the durations of all responses are the latencies of all,
without those of the others, and with their durations instead. A response that is still being sent
counts with its latency.
"""

from __future__ import annotations

from httptop.collect import histogram
from httptop.collect.accumulator import Accumulator
from httptop.collect.measure import Measure
from httptop.collect.source import CellDelta
from httptop.model import NO_LATENCY, Latency


class Timings:
    """Times of an endpoint's responses since start; for the collector's thread alone."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: dict[Measure, Accumulator] = {}

    def add(self, measure: Measure, delta: CellDelta) -> None:
        """Add times of one measure, which is not LATENCY."""
        times = self._of(measure)
        times.requests += delta.counted
        times.sum_ns += delta.sum_ns
        histogram.add(times.histogram, delta.histogram)
        times.max_ns = max(times.max_ns, delta.max_ns)

    def absorb(self, other: Timings) -> None:
        """Add all of another endpoint's."""
        for measure, times in other._times.items():
            self._of(measure).add(times)

    def _of(self, measure: Measure) -> Accumulator:
        times = self._times.get(measure)
        if times is None:
            times = self._times[measure] = Accumulator()
        return times

    def summaries(self, responses: Accumulator, known: Latency) -> tuple[Latency, Latency, Latency]:
        """Return the summaries of sending, of duration and of wait.

        ``responses`` are the endpoint's, all of them, and ``known`` is the summary of their
        latencies. Sending is that of responses which more than one call sent.
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
