"""The 99th percentile of rows over time, and what is usual for them."""

from __future__ import annotations

import math
import random
from array import array
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

import pytest

from httptop.collect.histogram import BUCKETS_PER_OCTAVE, MIDDLES, bucket_of
from httptop.collect.row_trends import (
    LEAST_COUNT,
    LEAST_TICKS,
    UsualP99,
    UsualP99s,
    merged,
    trend_of,
)

SEED = 5


def _learnt(buckets: list[int], count: int = LEAST_COUNT) -> UsualP99s:
    usual = UsualP99s()
    for bucket in buckets:
        usual.learn(array("H", [bucket + 1]), [count])
    return usual


def _noise(middle: int, ticks: int, spread: int) -> list[int]:
    dice = random.Random(SEED)
    return [middle + dice.randint(-spread, spread) for _ in range(ticks)]


def test_nothing_is_usual_before_enough_ticks_and_requests() -> None:
    few = _learnt([300] * (LEAST_TICKS - 1)).table()
    assert few.of(0, 300, 1000) is None
    enough = _learnt([300] * LEAST_TICKS).table()
    assert enough.of(0, 300, 1000) == UsualP99(MIDDLES[300], 1.0)
    assert enough.of(1, 300, 1000) is None  # a row that came later
    assert _learnt([300] * 100, LEAST_COUNT - 1).table().of(0, 300, 1000) is None


def test_a_row_around_the_least_count_is_known_all_the_time() -> None:
    usual = _learnt([300] * LEAST_TICKS)
    for count, known in ((LEAST_COUNT - 1, True), (LEAST_COUNT // 2, True),
                         (LEAST_COUNT // 2 - 1, False), (LEAST_COUNT - 1, False),
                         (LEAST_COUNT, True)):  # fmt: skip
        usual.learn(array("H", [301]), [count])
        assert (usual.table().of(0, 300, count) is not None) is known


@pytest.mark.parametrize(("rate", "most"), [(4, 0), (5, 0), (7, 12), (10, 12), (40, 12)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_steady_endpoint_has_no_change(seed: int, rate: float, most: int) -> None:
    """Ten minutes of windows of 10 s: with a handful of requests a second, only ever - or =."""
    said = list(_steady(random.Random(seed), rate, 600))
    assert sum(one is not None and one.change != 1.0 for one in said) <= most
    known = [one is not None for one in said]
    assert sum(one != other for one, other in pairwise(known)) <= 2  # - at first, = then
    if rate >= 10:
        assert all(known[60:])


def test_few_values_have_to_be_further_away() -> None:
    usual = _learnt([300] * 100).table()
    for count, least in ((100, 41), (1000, 13), (100_000, 10)):
        near, far = usual.of(0, 300 + least - 1, count), usual.of(0, 300 + least, count)
        assert near is not None
        assert far is not None
        assert near.change == 1.0 < far.change


def _steady(dice: random.Random, rate: float, ticks: int) -> Iterator[UsualP99 | None]:
    """Yield what is said of latencies with a long tail, at random moments, tick by tick."""
    usual, window = UsualP99s(), deque[list[float]](maxlen=10)
    for _ in range(ticks):
        arrived, second = list[float](), dice.expovariate(rate)
        while second < 1:
            arrived.append(2e6 * math.exp(dice.gauss(0, 0.8)))
            second += dice.expovariate(rate)
        window.append(arrived)
        latencies = sorted(value for values in window for value in values)
        count = len(latencies)
        bucket = bucket_of(int(latencies[math.ceil(0.99 * count) - 1])) if count else 0
        usual.learn([bucket + 1 if count else 0], [count])
        yield usual.table().of(0, bucket, count)


@pytest.mark.parametrize("spread", [0, 5, 20, 40])
def test_noise_is_no_change(spread: int) -> None:
    usual = _learnt(_noise(300, 200, spread))
    changes = []
    for bucket in _noise(300, 1000, spread):
        found = usual.table().of(0, bucket, 1000)
        assert found is not None
        changes.append(found.change)
        usual.learn(array("H", [bucket + 1]), [1000])
    assert sum(change != 1.0 for change in changes) <= 20


def test_a_step_is_a_change_for_half_an_hour_and_then_usual() -> None:
    usual = _learnt(_noise(300, 300, 8))
    high = 300 + 3 * BUCKETS_PER_OCTAVE
    said = []
    for bucket in _noise(high, 4000, 8):
        found = usual.table().of(0, bucket, 1000)
        assert found is not None
        said.append(found.change)
        usual.learn(array("H", [bucket + 1]), [1000])
    assert all(5 < change < 11 for change in said[:300])
    assert all(change > 2 for change in said[:900])
    assert sum(change == 1.0 for change in said[-300:]) > 250


def test_a_drop_is_a_change() -> None:
    found = _learnt(_noise(300, 300, 4)).table().of(0, 300 - 2 * BUCKETS_PER_OCTAVE, 1000)
    assert found is not None
    assert found.change == pytest.approx(0.25, rel=0.1)
    assert found.median_ns == pytest.approx(MIDDLES[300], rel=0.1)


def test_what_is_usual_moves_with_the_row() -> None:
    usual = UsualP99s()
    for _ in range(LEAST_TICKS):
        usual.learn(array("H", [301, 0, 501]), [1000, 0, 1000])
    usual.merge({0: 1, 2: 3})
    table = usual.table()
    assert table.of(1, 300, 1000) == UsualP99(MIDDLES[300], 1.0)
    assert table.of(3, 500, 1000) == UsualP99(MIDDLES[500], 1.0)
    assert table.of(0, 300, 1000) is None
    usual.merge({3: 1})  # of two that are known, that of the one that stays
    assert usual.table().of(1, 300, 1000) == UsualP99(MIDDLES[300], 1.0)
    usual.cut(1)
    assert usual.table().of(1, 300, 1000) is None


def test_trends_of_rows_that_become_one() -> None:
    ticks = [array("H", [11, 0]), array("H", [11, 21, 0]), array("H")]
    moved = [merged(buckets, {0: 1}) for buckets in ticks]
    assert trend_of(1, moved) == (MIDDLES[10], MIDDLES[20], None)
    assert trend_of(0, moved) == (None, None, None)
    assert trend_of(7, moved) == (None, None, None)


def test_buckets() -> None:
    assert trend_of(0, [array("H", [bucket_of(10_000) + 1])])[0] == pytest.approx(10_000, rel=0.02)
