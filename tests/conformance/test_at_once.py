"""Cases that several processes play at once on each CPU; no probes here."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import replace

import pytest

from httptop.conformance import at_once
from httptop.conformance.at_once import PLAYERS, SUDDEN, Played, Players
from httptop.conformance.case import PATH, Step, load_cases
from httptop.conformance.live import AT_ONCE, Stage, sum_of
from httptop.conformance.reference import Counts, expected
from tests.factory import snapshot

CASES = load_cases()[:6]
CPUS = min(len(os.sched_getaffinity(0)), at_once.MOST_CPUS)


def nothing() -> None:
    pass


def test_everybody_plays() -> None:
    """All cases, on each CPU, and the steady players at least as many as they are to."""
    turns: list[None] = []
    with Players(CASES, "tcp") as players:
        played = players.play(lambda: turns.append(None))
    assert turns
    assert [player.player for player in played] == [*range(PLAYERS)] * CPUS
    assert not any(player.fault for player in played)
    for player in played:
        assert len(player.times) == len(CASES)
        assert sum(player.times) >= (1 if player.player == SUDDEN else at_once.LEAST_CASES)


def test_the_sums() -> None:
    """What is expected is what each case gives, as often as it was played, on its player's path."""
    case, other = CASES[:2]
    played = [Played(0, (2, 0)), Played(0, (1, 0)), Played(1, (0, 3)), Played(SUDDEN, (0, 0))]
    sums = sum_of([expected(each, PATH, closed=True) for each in (case, other)], played)
    assert {key.path[: len(PATH)] for key in sums} == {at_once.path_of(0), at_once.path_of(1)}
    for key, one in expected(case, PATH, closed=True).items():
        ours = sums[replace(key, path=key.path.replace(PATH, at_once.path_of(0)))]
        assert ours.status == {code: 3 * count for code, count in one.status.items()}
        assert ours.request_bytes == 3 * one.request_bytes
        assert ours.response_bytes == 3 * one.response_bytes


def test_sums_add_all_that_is_counted() -> None:
    counts = Counts({200: 1}, 1, 2, 3, 4)
    counts.add(Counts({200: 1, 404: 2}, 1, 1, 1, 1), 10)
    assert counts == Counts({200: 11, 404: 20}, 11, 12, 13, 14)


def test_paths_are_as_long_as_those_of_the_cases() -> None:
    """The lengths in a case's texts are those of its own path."""
    paths = {at_once.path_of(player) for player in range(PLAYERS)}
    assert len(paths) == PLAYERS
    assert {len(path) for path in paths} == {len(PATH)}
    assert PATH not in paths


def test_a_case_that_cannot_be_played() -> None:
    wrong = replace(CASES[0], name="wrong", steps=(Step("client", "close"), *CASES[0].steps))
    with Players([wrong], "tcp") as players:
        played = players.play(nothing)
    assert all(player.fault.startswith("wrong could not be played: ") for player in played)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_processes_that_do_not_come_to_the_end(how: signal.Signals) -> None:
    """They are ended, and nothing is taken for played."""
    patience_s = 30.0 if how == signal.SIGKILL else 0.1  # an end is seen at once
    with Players(CASES, "unix", patience_s=patience_s) as players:
        pids = players.pids
        for pid in pids:
            os.kill(pid, how)
        played = players.play(nothing)
    word = "without a word" if how == signal.SIGKILL else "was not done"
    assert all(word in player.fault for player in played)
    assert not any(sum(player.times) for player in played)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_nobody_is_left_where_the_play_is_broken_off() -> None:
    def break_off() -> None:
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt), Players(CASES, "tcp") as players:
        pids = players.pids
        players.play(break_off)
    assert len(pids) == PLAYERS * CPUS
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_is_not_counted_is_told() -> None:
    """Here nothing is: no probes run."""
    results = list(Stage(snapshot).play_at_once(CASES))
    assert [(result.case, result.sockets) for result in results] == [
        (AT_ONCE, "tcp"),
        (AT_ONCE, "unix"),
    ]
    for result in results:
        assert all("seen nothing" in text for text in result.differences)
        assert result.differences
