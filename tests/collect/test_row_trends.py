"""The 99th percentile of rows over time, and what is usual for them."""

from __future__ import annotations

import random
from array import array

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
    assert enough.of(0, 300, LEAST_COUNT - 1) is None
    assert enough.of(1, 300, 1000) is None  # a row that came later
    assert _learnt([300] * 100, LEAST_COUNT - 1).table().of(0, 300, 1000) is None


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
