"""From one reading to the next: windows for waits, timing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from httptop.bpf.ticks import Ticks
from httptop.linux.wakeup import Wakeup

TICK_S = 0.05


class Probes:
    """Records the calls, and when they come."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.opened_s: list[float] = []
        self.woken = Wakeup()
        self.on_call: Callable[[str], None] = lambda _: None
        self.ticks = Ticks(self._time, self._note)

    def wait(self, tick_s: float = TICK_S) -> tuple[bool, float]:
        """Wait for a tick from now on; return what came of it, and when it was due."""
        now_s = time.monotonic()
        return self.ticks.wait(now_s, now_s + tick_s, self.woken.reader), now_s + tick_s

    def count(self, call: str) -> int:
        return self.calls.count(call)

    def _call(self, call: str) -> None:
        self.calls.append(call)
        self.on_call(call)

    def _time(self, on: bool) -> None:
        self._call(f"time {on}")

    def _note(self, on: bool) -> None:
        if on:
            self.opened_s.append(time.monotonic())
        self._call(f"waits {on}")


@pytest.fixture
def probes() -> Iterator[Probes]:
    made = Probes()
    yield made
    made.woken.close()


def test_waits_are_noted_for_a_while_of_each_tick(probes: Probes) -> None:
    for number in range(8):
        before = len(probes.opened_s)
        woken, due_s = probes.wait()
        assert not woken
        assert time.monotonic() >= due_s
        # The golden ratio spreads the windows over the ticks; each is a tenth of one.
        earliest_s = due_s - number * 0.6180339887 % 1 * 0.9 * TICK_S - 0.1 * TICK_S
        assert all(opened_s >= earliest_s - 1e-6 for opened_s in probes.opened_s[before:])
    windows = [call for call in probes.calls if call.startswith("waits")]
    assert windows == ["waits True", "waits False"] * (len(windows) // 2)
    assert windows


def test_the_programs_are_timed_after_every_other_reading(probes: Probes) -> None:
    done = []
    for _ in range(5):
        before = len(probes.calls)
        probes.wait()
        done.append([call for call in probes.calls[before:] if call.startswith("time")])
    timed = ["time True", "time False"]
    assert done == [[], timed, [], timed, []]


@pytest.mark.parametrize("call", ["waits True", "time True"])
def test_it_can_be_woken(probes: Probes, call: str) -> None:
    """An open window is closed, and timing does not start again in the same tick."""
    probes.wait()
    probes.on_call = lambda now: probes.woken.set() if now == call else None
    assert probes.wait(1.0)[0]
    assert probes.calls[-1] == call.replace("True", "False")
    probes.woken.clear()
    probes.on_call = lambda _: None
    assert not probes.wait()[0]
    assert probes.count("time True") == probes.count("time False") == 1


def test_a_tick_that_is_over_does_nothing_more(probes: Probes) -> None:
    now_s = time.monotonic()
    assert not probes.ticks.wait(now_s - 2, now_s - 1, probes.woken.reader)
    assert probes.calls == []
