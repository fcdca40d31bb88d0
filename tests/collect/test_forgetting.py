"""Who makes room, where some of it is tight."""

from __future__ import annotations

from array import array

import pytest

from httptop.collect.forgetting import Forgetting, Owner, Pressure, RowActivity, surplus

OWNERS = {
    Owner("server", "crawled", "www"): range(10),
    Owner("server", "other", "www"): range(10, 14),
    Owner("server", "db", "postgres"): range(14, 18),
}
TICK = 100


def activity(*used: int) -> RowActivity:
    """Return that of 18 rows that were requested once, and of some that are in use."""
    requests, ticks = [1] * 18, list(range(18))
    for row in used:
        requests[row], ticks[row] = 1000, TICK
    none_open = array("q", [0] * 18)
    return RowActivity(
        memoryview(array("q", requests)), memoryview(none_open), memoryview(array("i", ticks))
    )


@pytest.mark.parametrize("wanted", range(1, 7))
def test_who_has_most_rows_gives_the_longest_idle_ones(wanted: int) -> None:
    full = 0.625 * 18 / (18 - wanted) - 1e-9  # so that as many have to go
    pressure = Pressure(full, dict.fromkeys(range(18), 1), 0)
    assert surplus(OWNERS, activity(), TICK - 1, pressure) == [*range(wanted)]


def test_what_is_taken_without_rows_makes_room_first() -> None:
    pressure = Pressure(1.0, dict.fromkeys(range(18), 1), 40)
    assert surplus(OWNERS, activity(), TICK - 1, pressure) == []


def test_who_has_most_of_what_is_tight_gives_it() -> None:
    """A row of another process has more than all others: it goes, and is enough."""
    pressure = Pressure(0.8, {12: 50} | dict.fromkeys(range(10), 1), 0)
    assert surplus(OWNERS, activity(), TICK - 1, pressure) == [12]


def test_nobody_else_gives_what_is_in_use() -> None:
    pressure = Pressure(0.8, {12: 50} | dict.fromkeys(range(10), 1), 0)
    assert surplus(OWNERS, activity(12), TICK - 1, pressure) == []


def test_rows_that_have_nothing_of_it_stay() -> None:
    pressure = Pressure(1.0, {14: 1}, 0)
    assert surplus(OWNERS, activity(), TICK - 1, pressure) == [14]


@pytest.mark.parametrize(("tick_s", "unused"), [(0.2, 50), (1.0, 90), (5.0, 90)])
def test_a_row_stays_for_ten_ticks_and_ten_seconds(tick_s: float, unused: int) -> None:
    forgetting = Forgetting()
    found = [forgetting.unused_since(tick, tick * tick_s + 1e-6) for tick in range(TICK + 1)]
    assert found[TICK] in (unused, unused - 1)
    assert max(found[:9]) < 0
