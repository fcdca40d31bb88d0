"""Long work pauses; short work does not."""

from __future__ import annotations

from httptop.linux.stretches import Stretches


class Time:
    """A clock that only sleeping and working move."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(self.now_s)
        self.now_s += seconds


def _work(seconds: float, steps: int) -> Time:
    time = Time()
    work = Stretches(time.clock, time.sleep)
    time.now_s += 50.0  # a tick passes
    work.begin()
    for _ in range(steps):
        time.now_s += seconds / steps
        work.go_on()
    return time


def test_no_stretch_is_longer_than_a_few_milliseconds() -> None:
    time = _work(0.03, 60)
    stretches = [b - a for a, b in zip([150.0, *time.slept], time.slept, strict=False)]
    assert len(stretches) >= 10
    assert max(stretches) <= 0.003
    assert time.now_s - 150 < 0.04  # the pauses are short


def test_a_short_tick_has_no_pause() -> None:
    assert _work(0.0015, 30).slept == []
