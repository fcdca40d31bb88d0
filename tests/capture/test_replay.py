"""A replay that is paused, sped up and sent to other places, as keys of the screen ask for."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from httptop.capture.replay import ReplayFeed
from httptop.model import Snapshot
from tests.capture.test_recording import AS_IT_IS, ME, written
from tests.capture.test_seeking import TICKS, WAYS, write
from tests.patience import PATIENCE_S


class Played:
    """A replay, and what it has published."""

    def __init__(self, path: Path, pace_s: float | None) -> None:
        self.feed = ReplayFeed(path, ME, AS_IT_IS, pace_s=pace_s)
        self._got: queue.SimpleQueue[Snapshot | BaseException] = queue.SimpleQueue()
        self.feed.start(self._got.put, self._got.put)

    def next(self) -> Snapshot:
        got = self._got.get(timeout=PATIENCE_S)
        assert isinstance(got, Snapshot), got
        return got

    def until_the_end(self) -> list[Snapshot]:
        found = [self.next()]
        while not found[-1].final:
            found.append(self.next())
        return found


@pytest.fixture(params=WAYS)
def held(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Played]:
    """A replay whose next snapshot would come in an hour."""
    played = Played(write(request.param, tmp_path), 3600)
    yield played
    played.feed.stop()


LAST = TICKS[-1]


def test_steps_and_seeks_show_what_playing_through_would(held: Played) -> None:
    feed = held.feed
    assert held.next() == TICKS[0]
    moves: tuple[tuple[Callable[[], None], Snapshot, int], ...] = (
        (lambda: feed.step(1), TICKS[1], 1),
        (lambda: feed.step(9), TICKS[10], 10),
        (lambda: feed.step(-1), TICKS[9], 9),
        (lambda: feed.seek(75), TICKS[84], 84),
        (lambda: feed.seek(-75), TICKS[9], 9),
        (lambda: feed.seek(30), TICKS[39], 39),
        (lambda: feed.seek(-20), TICKS[19], 19),
        (lambda: feed.seek(-60), TICKS[0], 0),
        (lambda: feed.seek_to(TICKS[50].taken_at), TICKS[50], 50),
        (lambda: feed.seek_to(float("inf")), LAST, 129),
        (lambda: feed.step(-1), TICKS[128], 128),
        (lambda: feed.step(-999), TICKS[0], 0),
    )
    for ask, shown, number in moves:
        ask()
        assert held.next() == shown
        assert feed.recording.number == number
    assert not feed.recording.playing  # a step stays where it leads to
    assert feed.problem is None
    assert feed.stop() == replace(TICKS[0], final=True)


def test_many_steps_asked_for_at_once_are_all_made(held: Played) -> None:
    for _ in range(40):
        held.feed.step(1)
    assert [held.next() for _ in range(41)] == list(TICKS[:41])


def test_a_pause_holds_and_what_has_ended_is_played_again(tmp_path: Path) -> None:
    played = Played(written(tmp_path / "a", TICKS), 0.001)
    feed = played.feed
    assert played.until_the_end() == [*TICKS[:-1], LAST]
    assert feed.recording.ended
    feed.pause()
    assert played.until_the_end() == [*TICKS[:-1], LAST]
    feed.step(-20)
    assert played.next() == TICKS[109]
    assert not feed.recording.playing
    feed.pause()
    assert played.until_the_end() == [*TICKS[110:-1], LAST]
    feed.stop()


def test_speed_is_that_of_the_times_and_leaves_out_what_nobody_could_see(tmp_path: Path) -> None:
    ticks = (*TICKS[:69], replace(TICKS[69], final=True))
    played = Played(written(tmp_path / "a", ticks), None)
    feed = played.feed
    assert played.next() == TICKS[0]
    for _ in range(9):
        feed.change_speed(1)
    assert feed.recording.speed == 64
    shown = played.until_the_end()
    assert shown[-1] == ticks[-1]
    assert [tick for tick in ticks[:-1] if tick in shown] == shown[:-1]
    steps = [b.taken_at - a.taken_at for a, b in pairwise(shown[1:-1])]
    assert set(steps) == {7.0}  # ten a second
    for _ in range(9):
        feed.change_speed(-1)
    assert feed.recording.speed == 0.5
    feed.stop()


def test_the_end_of_a_capture_that_is_cut_off_says_so_and_one_can_go_back(tmp_path: Path) -> None:
    path = written(tmp_path / "a", TICKS)
    path.write_bytes(path.read_bytes()[:-900])  # the index is before that
    played = Played(path, 3600)
    played.next()
    played.feed.seek_to(float("inf"))
    last = played.next()
    assert (last.final, last.endpoints) == (True, TICKS[128].endpoints)
    assert "cut off" in last.notes[-1]
    played.feed.step(-1)
    assert played.next() == TICKS[127]
    played.feed.stop()
    assert "cut off" in (played.feed.problem or "")
    assert not played.feed.damaged
