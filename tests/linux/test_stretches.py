"""Long work pauses; short work does not."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from httptop.linux import stretches
from httptop.linux.deadline import Deadline
from httptop.linux.signals import handled


class Time:
    """A clock of CPU time that only working moves, and where the work has paused."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.paused: list[float] = []
        self.waited_s = 0.0
        self.others_s = 0.0  # how much longer than asked for each pause lasts

    def thread_time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s + self.waited_s

    def sleep(self, seconds: float) -> None:
        self.paused.append(self.now_s)
        self.waited_s += seconds + self.others_s


@pytest.fixture(autouse=True)
def _new_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread remembers its last pause, by a clock that other tests have made up."""
    monkeypatch.setattr(stretches, "_stretch", stretches.Stretch())


@pytest.mark.parametrize(
    ("works_s", "running", "pauses"),
    [(0.03, 2, True), (0.03, 3, True), (0.0001, 2, False), (0.03, 1, False)],
    ids=["long", "long, others wait", "short", "nobody waits"],
)
def test_long_work_is_done_in_stretches(
    monkeypatch: pytest.MonkeyPatch, works_s: float, running: int, pauses: bool
) -> None:
    clock = Time()
    monkeypatch.setattr(stretches, "time", clock)
    monkeypatch.setattr(stretches, "_cpus", stretches.Cpus(2, lambda: running))
    stretches.give_way()
    clock.paused.clear()
    began_s = clock.now_s
    for _ in range(1000):
        clock.now_s += works_s / 1000
        stretches.give_way()
    assert bool(clock.paused) == pauses
    if pauses:
        ends = [*clock.paused, clock.now_s]
        assert max(b - a for a, b in zip([began_s, *ends], ends, strict=False)) <= 0.00021


def test_who_has_a_deadline_gives_way_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the last snapshot of a busy host would not be made in time."""
    clock = Time()
    monkeypatch.setattr(stretches, "time", clock)
    monkeypatch.setattr(stretches, "_cpus", stretches.Cpus(2, lambda: 9))
    deadline = Deadline()

    def pauses() -> bool:
        clock.paused.clear()
        clock.now_s += 0.01
        stretches.give_way()
        return bool(clock.paused)

    assert pauses()
    deadline.set(600.0)
    assert not pauses()
    deadline.cancel()
    assert pauses()


def test_where_many_wait_stretches_are_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause of 20 ms is followed by 2 ms of work; then it is as before."""
    clock = Time()
    monkeypatch.setattr(stretches, "time", clock)
    monkeypatch.setattr(stretches, "_cpus", stretches.Cpus(2, lambda: 9))
    for others_s, stretch_s in ((0.02, 0.002), (0.2, 0.004), (0.0, 0.00015)):
        clock.others_s = others_s
        clock.now_s += 0.01
        stretches.give_way()
        clock.paused.clear()
        began_s = clock.now_s
        while not clock.paused:
            clock.now_s += 0.00001
            stretches.give_way()
        assert clock.paused[0] - began_s == pytest.approx(stretch_s, abs=0.00005)


def test_whether_cpus_are_taken_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, running = Time(), [1]
    monkeypatch.setattr(stretches, "time", clock)
    cpus = stretches.Cpus(2, lambda: running[0])
    assert not cpus.are_taken()
    running[0] = 2
    assert not cpus.are_taken()
    clock.now_s += 0.03
    assert cpus.are_taken()


def test_this_thread_is_one_that_runs() -> None:
    assert stretches.running() >= 1


def test_an_event_loop_pauses_within_a_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    """And signals come through, however many alarms there have been before them."""
    pauses: list[float] = []
    give_way, heard, found = stretches.give_way, [], list[int]()

    def pause() -> None:
        pauses.append(time.thread_time())
        give_way()

    async def work() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def hear() -> None:
            heard.append(signal.SIGTERM)
            done.set_result(None)

        with handled(loop, {signal.SIGTERM: hear}, found.append):
            since_s = time.thread_time()
            while time.thread_time() - since_s < 0.2:
                pass
            signal.raise_signal(signal.SIGTERM)
            await done

    monkeypatch.setattr(stretches, "give_way", pause)
    former = [signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGTERM)]
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(stretches.GivingWay())
    ) as runner:
        runner.run(work())
    assert heard == [signal.SIGTERM]
    assert len(pauses) >= 50  # of some 800: other processes may have the CPU
    assert [signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGTERM)] == former
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_that_comes_while_it_is_closed_sets_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which nobody would take: it would kill the process."""
    setitimer, former = signal.setitimer, signal.getsignal(signal.SIGALRM)

    def late(which: int, seconds: float) -> None:
        setitimer(which, seconds)
        if not seconds:
            signal.raise_signal(signal.SIGALRM)

    giving_way = stretches.GivingWay()
    monkeypatch.setattr(signal, "setitimer", late)
    giving_way.close()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == former
