"""Durations: the latencies of all responses, with what the pieces of some took on top."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.collect import histogram
from httptop.collect.accumulator import Accumulator
from httptop.collect.histogram import Histogram
from httptop.collect.measure import Measure
from httptop.collect.source import CellDelta
from httptop.collect.timings import Timings
from httptop.model import NO_LATENCY, Latency

MS = 1_000_000
TIMES = st.lists(st.integers(1_000, 10_000 * MS), max_size=20)


def histogram_of(values: list[int]) -> Histogram:
    found: Histogram = {}
    for value in values:
        bucket = histogram.bucket_of(value)
        found[bucket] = found.get(bucket, 0) + 1
    return found


def delta(values: list[int]) -> CellDelta:
    return CellDelta(
        9, len(values), 0, sum(values), max(values, default=0), 0, 0, 0, histogram_of(values)
    )


def responses_of(latencies: list[int]) -> Accumulator:
    found = Accumulator()
    found.requests, found.sum_ns, found.max_ns = len(latencies), sum(latencies), max(latencies)
    found.histogram = histogram_of(latencies)
    return found


def timings_of(handling: list[int], sending: list[int]) -> Timings:
    timings = Timings()
    both = [a + b for a, b in zip(handling, sending, strict=True)]
    for measure, values in (
        (Measure.HANDLING, handling),
        (Measure.SENDING, sending),
        (Measure.DURATION, both),
    ):
        timings.add(measure, delta(values))
    return timings


@given(TIMES, st.lists(st.tuples(*[st.integers(1_000, 10_000 * MS)] * 2), min_size=1, max_size=20))
def test_durations(whole: list[int], pieces: list[tuple[int, int]]) -> None:
    handling, sending = [a for a, _ in pieces], [b for _, b in pieces]
    latencies = whole + handling
    responses = responses_of(latencies)
    known = responses.latency(responses.max_ns)
    _, found, _ = timings_of(handling, sending).summaries(responses, known)
    durations = whole + [a + b for a, b in pieces]
    wanted = histogram.summary(histogram_of(durations), sum(durations), max(durations))
    assert (found.count, found.mean_ns, found.p50_ns) == (
        wanted.count, wanted.mean_ns, wanted.p50_ns,
    )  # fmt: skip


def test_without_pieces_the_duration_is_the_latency() -> None:
    known = histogram.summary(histogram_of([MS]), MS, MS)
    assert Timings().summaries(responses_of([MS]), known) == (NO_LATENCY, known, NO_LATENCY)


def test_waits() -> None:
    timings, known = Timings(), Latency(count=3)
    timings.add(Measure.WAIT, delta([MS]))
    timings.add(Measure.WAIT, delta([3 * MS]))
    sending, duration, wait = timings.summaries(responses_of([MS, MS, 2 * MS]), known)
    assert (sending, duration) == (NO_LATENCY, known)
    assert (wait.count, wait.max_ns, wait.mean_ns) == (2, 3 * MS, 2 * MS)


def test_two_endpoints_become_one() -> None:
    timings = timings_of([MS], [5 * MS])
    timings.absorb(timings_of([2 * MS, 3 * MS], [6 * MS, 7 * MS]))
    sending, *_ = timings.summaries(responses_of([MS, 2 * MS, 3 * MS]), NO_LATENCY)
    assert sending.count == 3
    assert sending.max_ns == 7 * MS
