"""The rolling window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.collect import histogram
from httptop.collect.histogram import Histogram, bucket_of
from httptop.collect.window import SLOTS, Window
from httptop.model import NO_LATENCY

FAST, SLOW = bucket_of(10_000), bucket_of(50_000_000)


def _add(
    window: Window, slot: int, requests: int, errors: int, sum_ns: int, latencies: Histogram
) -> None:
    for into in (window.sum, window.slot(slot)):
        into.requests += requests
        into.errors += errors
        into.sum_ns += sum_ns
        histogram.add(into.histogram, latencies)


def test_slots_expire_one_by_one() -> None:
    window = Window()
    for slot in range(SLOTS):
        window.expire(slot)
        _add(window, slot, 10, 1, 100_000, {FAST: 10})
    assert (window.sum.requests, window.sum.errors) == (10 * SLOTS, SLOTS)
    for slot in range(SLOTS, 2 * SLOTS - 1):
        assert window.expire(slot)
        assert not window.expire(slot)
        assert window.sum.requests == 10 * (2 * SLOTS - 1 - slot)
        assert window.slots
    assert window.expire(2 * SLOTS - 1)
    assert not window.slots
    assert (window.sum.requests, window.sum.errors, window.sum.sum_ns, window.sum.histogram) == (
        0,
        0,
        0,
        {},
    )
    assert window.sum.latency(10_000) == NO_LATENCY


def test_latency_covers_what_has_not_expired() -> None:
    window = Window()
    _add(window, 0, 1, 0, 50_000_000, {SLOW: 1})
    _add(window, 5, 3, 0, 30_000, {FAST: 3})
    assert window.sum.latency(50_000_000).max_ns == 50_000_000
    assert window.sum.latency(50_000_000).count == 4
    window.expire(SLOTS)
    found = window.sum.latency(50_000_000)
    assert found.count == 3
    assert found.max_ns < 11_000
    assert found.mean_ns == 10_000


def test_counts_without_latencies() -> None:
    window = Window()
    _add(window, 0, 4, 4, 0, {})
    assert (window.sum.requests, window.sum.errors) == (4, 4)
    assert window.sum.latency(0) == NO_LATENCY


def test_a_long_silence() -> None:
    window = Window()
    _add(window, 3, 5, 0, 50_000, {FAST: 5})
    assert window.expire(1_000)
    assert not window.slots
    _add(window, 1_000, 2, 0, 20_000, {FAST: 2})
    assert window.sum.requests == 2


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(0, 60)), max_size=60))
def test_sums_are_those_of_the_last_slots(events: list[tuple[int, int, int]]) -> None:
    window, slot, kept = Window(), 0, []
    for step, count, bucket in events:
        slot += step
        window.expire(slot)
        _add(window, slot, count, 0, count * 1000, {bucket: count})
        kept.append((slot, count, bucket))
        alive = [event for event in kept if event[0] > slot - SLOTS]
        assert window.sum.requests == sum(event[1] for event in alive)
        assert window.sum.sum_ns == 1000 * window.sum.requests
        assert sum(window.sum.histogram.values()) == window.sum.requests
        assert set(window.sum.histogram) == {event[2] for event in alive}
