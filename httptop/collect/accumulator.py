"""Sums over requests, for any stretch of time: since start, the window, one of its slots, a tick.

For the collector's thread alone.
"""

from __future__ import annotations

from httptop.collect import histogram
from httptop.collect.histogram import Histogram
from httptop.model import Latency


class Accumulator:
    """Requests that are over, and the latencies of their responses."""

    __slots__ = ("errors", "histogram", "max_ns", "requests", "sum_ns")

    def __init__(self) -> None:
        self.requests = 0  # with their final response, or without one for good
        self.errors = 0  # of these: a status of 400 or more, or no response
        self.sum_ns = 0
        self.max_ns = 0
        self.histogram: Histogram = {}

    def add(self, more: Accumulator) -> None:
        """Add all of another one."""
        self.requests += more.requests
        self.errors += more.errors
        self.sum_ns += more.sum_ns
        self.max_ns = max(self.max_ns, more.max_ns)
        histogram.add(self.histogram, more.histogram)

    def subtract(self, less: Accumulator) -> None:
        """Subtract all of another one, except the maximum; nothing falls below 0."""
        self.requests = max(0, self.requests - less.requests)
        self.errors = max(0, self.errors - less.errors)
        self.sum_ns = max(0, self.sum_ns - less.sum_ns)
        histogram.subtract(self.histogram, less.histogram)

    def latency(self, max_ns: int) -> Latency:
        """Return the summary of the latencies; ``max_ns``: the maximum of a longer time."""
        return histogram.summary(self.histogram, self.sum_ns, max_ns)


class Tally:
    """What a row or a side shows of a stretch of time."""

    __slots__ = (
        "finished", "open", "request_bytes", "response_bytes", "status", "truncated", "unanswered",
    )  # fmt: skip

    def __init__(self) -> None:
        self.finished = Accumulator()
        #: Requests begun, less those that are over, including those out of scope. May be below 0
        #: for a moment: the two are read one after the other.
        self.open = 0
        self.unanswered = 0
        self.status: dict[int, int] = {}  # status code -> responses
        self.truncated = 0  # of the responses: cut off by the connection's end
        self.request_bytes = 0
        self.response_bytes = 0

    def add(self, more: Tally) -> None:
        """Add all of another one."""
        self.finished.add(more.finished)
        self.open += more.open
        self.unanswered += more.unanswered
        self.truncated += more.truncated
        histogram.add(self.status, more.status)
        self.request_bytes += more.request_bytes
        self.response_bytes += more.response_bytes


def count_in_four(
    accumulators: tuple[Accumulator, Accumulator, Accumulator, Accumulator],
    requests: int,
    errors: int,
    sum_ns: int,
    latencies: Histogram,
) -> None:
    """Count the same requests in four accumulators, except for the maximum.

    Written out, since every active endpoint comes here in every tick.
    """
    for one in accumulators:
        one.requests += requests
        one.errors += errors
        one.sum_ns += sum_ns
    first, second, third, fourth = [one.histogram for one in accumulators]
    for bucket, count in latencies.items():
        first[bucket] = first.get(bucket, 0) + count
        second[bucket] = second.get(bucket, 0) + count
        third[bucket] = third.get(bucket, 0) + count
        fourth[bucket] = fourth.get(bucket, 0) + count
