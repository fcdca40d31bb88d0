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
    LEAST_OF_FEW,
    LEAST_TICKS,
    UsualP99,
    UsualP99s,
    UsualTable,
    merged,
    trend_of,
)

SEED = 5


def _learnt(buckets: list[int], count: int = LEAST_COUNT) -> UsualP99s:
    usual = UsualP99s()
    for bucket in buckets:
        _learn(usual, bucket, count)
    return usual


def _learn(usual: UsualP99s, bucket: int, count: int, median: int = 0) -> None:
    usual.learn(array("H", [bucket + 1]), [count], [median])


def _of(table: UsualTable, row: int, bucket: int, count: int, median: int = 0) -> UsualP99 | None:
    return table.of(row, bucket, count, median)


def _noise(middle: int, ticks: int, spread: int) -> list[int]:
    dice = random.Random(SEED)
    return [middle + dice.randint(-spread, spread) for _ in range(ticks)]


def test_nothing_is_usual_before_enough_ticks_and_requests() -> None:
    few = _learnt([300] * (LEAST_TICKS - 1)).table()
    assert _of(few, 0, 300, 1000) is None
    enough = _learnt([300] * LEAST_TICKS).table()
    assert _of(enough, 0, 300, 1000) == UsualP99(MIDDLES[300], 1.0)
    assert _of(enough, 1, 300, 1000) is None  # a row that came later
    assert _of(_learnt([300] * 100, LEAST_OF_FEW - 1).table(), 0, 300, 1000) is None


def test_a_row_around_a_least_count_is_not_now_this_now_that() -> None:
    """What a median says counts where there are few requests alone."""
    for least, then, else_ in ((LEAST_OF_FEW, "=", "-"), (LEAST_COUNT, "=", "x")):
        usual = _learnt([300] * LEAST_TICKS, least)
        median = 200 if least == LEAST_OF_FEW else 320
        for count, said in ((least - 1, then), (least // 2, then), (least // 2 - 1, else_),
                            (least - 1, else_), (least, then)):  # fmt: skip
            _learn(usual, 330, count, median)
            found = _of(usual.table(), 0, 330, count, median)
            assert ("-" if found is None else "=" if found.change == 1.0 else "x") == said


def test_of_few_requests_half_have_to_take_longer_than_ever() -> None:
    """One that takes long is nothing; a fault that all of them have is named by its P99."""
    usual = _learnt(_noise(300, 100, 8), 20)
    one = _of(usual.table(), 0, 500, 20, 250)
    assert one is not None
    assert one.change == 1.0
    for _ in range(100):  # it goes on, and is not usual yet
        _learn(usual, 500, 20, 480)
    all_ = _of(usual.table(), 0, 500, 20, 480)
    assert all_ is not None
    assert all_.change == pytest.approx(MIDDLES[500] / MIDDLES[300], rel=0.3)


@pytest.mark.parametrize(("rate", "most"), [(1, 0), (2, 0), (5, 0), (7, 12), (10, 12), (40, 12)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_steady_endpoint_has_no_change(seed: int, rate: float, most: int) -> None:
    """Ten minutes of windows of 10 s."""
    said = list(_steady(random.Random(seed), rate, 600))
    assert sum(one is not None and one.change != 1.0 for one in said) <= most
    known = [one is not None for one in said]
    if rate >= 2:
        assert sum(one != other for one, other in pairwise(known)) <= 2  # - at first, = then
        assert all(known[60:])


def test_few_values_have_to_be_further_away() -> None:
    usual = _learnt([300] * 100).table()
    for count, least in ((100, 41), (1000, 13), (100_000, 10)):
        near, far = _of(usual, 0, 300 + least - 1, count), _of(usual, 0, 300 + least, count)
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
        median = bucket_of(int(latencies[math.ceil(0.5 * count) - 1])) if count else 0
        usual.learn([bucket + 1 if count else 0], [count], [median])
        yield _of(usual.table(), 0, bucket, count, median)


@pytest.mark.parametrize("spread", [0, 5, 20, 40])
def test_noise_is_no_change(spread: int) -> None:
    usual = _learnt(_noise(300, 200, spread))
    changes = []
    for bucket in _noise(300, 1000, spread):
        found = _of(usual.table(), 0, bucket, 1000)
        assert found is not None
        changes.append(found.change)
        _learn(usual, bucket, 1000)
    assert sum(change != 1.0 for change in changes) <= 20


def test_a_step_is_a_change_for_half_an_hour_and_then_usual() -> None:
    usual = _learnt(_noise(300, 300, 8))
    high = 300 + 3 * BUCKETS_PER_OCTAVE
    said = []
    for bucket in _noise(high, 4000, 8):
        found = _of(usual.table(), 0, bucket, 1000)
        assert found is not None
        said.append(found.change)
        _learn(usual, bucket, 1000)
    assert all(5 < change < 11 for change in said[:300])
    assert all(change > 2 for change in said[:900])
    assert sum(change == 1.0 for change in said[-300:]) > 250


def test_a_drop_is_a_change() -> None:
    found = _of(_learnt(_noise(300, 300, 4)).table(), 0, 300 - 2 * BUCKETS_PER_OCTAVE, 1000)
    assert found is not None
    assert found.change == pytest.approx(0.25, rel=0.1)
    assert found.median_ns == pytest.approx(MIDDLES[300], rel=0.1)


def test_what_is_usual_moves_with_the_row() -> None:
    usual = UsualP99s()
    for _ in range(LEAST_TICKS):
        usual.learn(array("H", [301, 0, 501]), [1000, 0, 1000], [0, 0, 0])
    usual.merge({0: 1, 2: 3})
    table = usual.table()
    assert _of(table, 1, 300, 1000) == UsualP99(MIDDLES[300], 1.0)
    assert _of(table, 3, 500, 1000) == UsualP99(MIDDLES[500], 1.0)
    assert _of(table, 0, 300, 1000) is None
    usual.merge({3: 1})  # of two that are known, that of the one that stays
    assert _of(usual.table(), 1, 300, 1000) == UsualP99(MIDDLES[300], 1.0)
    usual.cut(1)
    assert _of(usual.table(), 1, 300, 1000) is None


def test_trends_of_rows_that_become_one() -> None:
    ticks = [array("H", [11, 0]), array("H", [11, 21, 0]), array("H")]
    moved = [merged(buckets, {0: 1}) for buckets in ticks]
    assert trend_of(1, moved) == (MIDDLES[10], MIDDLES[20], None)
    assert trend_of(0, moved) == (None, None, None)
    assert trend_of(7, moved) == (None, None, None)


def test_buckets() -> None:
    assert trend_of(0, [array("H", [bucket_of(10_000) + 1])])[0] == pytest.approx(10_000, rel=0.02)
