"""Accumulators: additions can be subtracted, and several can count the same data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.accumulator import Accumulator, Tally, count_in_four
from httptop.collect.histogram import bucket_of

COUNTED = st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 1023))


def _counting(*counted: tuple[int, int, int]) -> tuple[Accumulator, ...]:
    four = (Accumulator(), Accumulator(), Accumulator(), Accumulator())
    for requests, errors, bucket in counted:
        latencies = {bucket: requests} if requests else {}
        count_in_four(four, requests, errors, 1000 * requests, latencies)
    return four


def _held(one: Accumulator) -> tuple[object, ...]:
    return one.requests, one.errors, one.sum_ns, one.max_ns, one.histogram


@given(st.lists(COUNTED, max_size=20), st.lists(COUNTED, max_size=20))
def test_add_and_subtract(
    some: list[tuple[int, int, int]], more: list[tuple[int, int, int]]
) -> None:
    first, *others = _counting(*some)
    assert all(_held(other) == _held(first) for other in others)
    (added, *_), (together, *_) = _counting(*more), _counting(*some, *more)
    first.add(added)
    assert _held(first) == _held(together)
    first.subtract(added)
    assert _held(first) == _held(others[0])


def test_nothing_falls_below_zero() -> None:
    """Cells are read at slightly different moments: a part may be ahead of its whole."""
    (whole, *_), (part, *_) = _counting((2, 1, 5)), _counting((3, 2, 5), (1, 0, 6))
    whole.subtract(part)
    assert _held(whole) == (0, 0, 0, 0, {})


def test_a_tally_adds_all_that_another_holds() -> None:
    one, other = Tally(), Tally()
    for number, name in enumerate(("open", "unanswered", "request_bytes", "response_bytes"), 1):
        setattr(one, name, number)
        setattr(other, name, 10 * number)
    one.status, other.status = {200: 1, 404: 2}, {200: 3, 500: 4}
    other.finished.max_ns, other.finished.histogram = 10_000, {bucket_of(10_000): 7}
    one.add(other)
    assert (one.open, one.unanswered, one.request_bytes, one.response_bytes) == (11, 22, 33, 44)
    assert one.status == {200: 4, 404: 2, 500: 4}
    assert _held(one.finished) == _held(other.finished)
