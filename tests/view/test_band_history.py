"""What an endpoint's latencies were in each tick, from what it has had since start."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from httptop.model import Bands, LookedAt, Snapshot
from httptop.view.band_history import MOST_TICKS, BandHistory, without
from tests.factory import key, row, snapshot

BANDS = st.dictionaries(st.integers(0, 63), st.integers(1, 9), max_size=5)


def _at(tick: int, bands: Bands, path: str = "/a") -> Snapshot:
    return replace(snapshot([row(key("/a"))], tick=tick), looked_at=LookedAt(key(path), {}, bands))


@given(st.lists(BANDS, min_size=1, max_size=20))
def test_ticks_add_up_to_what_came_since_the_page_was_opened(added: list[dict[int, int]]) -> None:
    history, total = BandHistory(key("/a")), dict[int, int]()
    for tick, more in enumerate(added):
        total = {band: total.get(band, 0) + more.get(band, 0) for band in {*total, *more}}
        history.note(_at(tick + 1, tuple(sorted(total.items()))))
    assert [dict(tick) for tick in history.ticks] == added[1:]
    assert dict(history.all) == total
    assert list(history.newest(2)) == list(history.ticks)[-2:]


def test_a_tick_that_was_missed_has_nothing() -> None:
    history = BandHistory(key("/a"))
    history.note(_at(1, ((3, 1),)))
    history.note(_at(2, ((3, 2),)))
    history.note(_at(5, ((3, 4),)))
    assert list(history.ticks) == [((3, 1),), (), (), ((3, 2),)]
    history.note(_at(5 + 2 * MOST_TICKS, ((3, 4),)))
    assert len(history.ticks) == MOST_TICKS


def test_what_is_of_another_endpoint_is_not_noted() -> None:
    history = BandHistory(key("/a"))
    history.note(_at(1, ((3, 1),), "/b"))
    history.note(snapshot([row()], tick=2))
    assert (history.all, list(history.ticks), list(history.newest(0))) == ((), [], [])


def test_the_same_snapshot_is_noted_once() -> None:
    history = BandHistory(key("/a"))
    for _ in range(3):
        history.note(_at(4, ((3, 1),)))
    assert list(history.ticks) == []


def test_what_was_given_back_is_not_negative() -> None:
    assert without(((1, 2), (4, 9)), ((1, 5), (4, 2), (7, 1))) == ((4, 7),)
