"""A sink: what its destination gets, what it counts, and that nobody ever waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from httptop.collect.feed import ObservedFeed
from httptop.model import SinkStats, Snapshot
from httptop.output.back_off import BackOff
from httptop.output.sink import SendError, Sink
from httptop.output.sink_queue import SinkQueue
from tests.collect.test_feed import LAST, Scripted
from tests.factory import snapshot_at

SOON_S = 30.0  # more than any test takes


class Kept:
    """A destination that keeps what it gets; ``plan``: what each attempt does before."""

    def __init__(self, *plan: Callable[[], object]) -> None:
        self.got: list[tuple[float, int]] = []
        self.attempts = 0
        self.closed = 0
        self._plan = iter(plan)

    def send(self, snapshot: Snapshot, dropped: int) -> None:
        self.attempts += 1
        next(self._plan, lambda: None)()
        self.got.append((snapshot.taken_at, dropped))

    def close(self) -> None:
        self.closed += 1


def refuse(final: bool = False) -> Callable[[], object]:
    def refused() -> None:
        raise SendError("nobody is there", final=final)

    return refused


class Gate:
    """Holds up a destination until it is opened."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def open(self) -> None:
        self._opened.set()

    def __call__(self) -> None:
        self.reached.set()
        assert self._opened.wait(SOON_S)


def sink_of(to: Kept, most: int = 64, least_s: float = 0.0) -> Sink:
    return Sink("log", to, queue=SinkQueue(most), back_off=BackOff(least_s=least_s))


def ended(sink: Sink, last: Snapshot | None = None) -> SinkStats:
    sink.end(last)
    sink.finish(time.monotonic() + SOON_S)
    (stats,) = sink.sinks
    return stats


def test_all_of_a_run_arrives_but_what_was_early() -> None:
    to = Kept()
    sink = sink_of(to)
    sink.begin()
    sink.see(replace(snapshot_at(1), early=True))
    for second in range(2, 5):
        sink.see(snapshot_at(second))
    assert ended(sink, snapshot_at(5)) == SinkStats("log", "working", sent=4)
    assert to.got == [(snapshot_at(second).taken_at, 0) for second in range(2, 6)]
    assert to.closed == 1
    assert not sink.trouble


def test_who_is_slow_loses_the_oldest_and_is_told_how_many() -> None:
    gate = Gate()
    to = Kept(gate)
    sink = sink_of(to, most=3)
    sink.begin()
    sink.see(snapshot_at(1))
    assert gate.reached.wait(SOON_S)
    for second in range(2, 10):
        sink.see(snapshot_at(second))
    assert sink.sinks == (SinkStats("log", "working", waiting=4, dropped=5),)
    assert not sink.sinks[0].good
    gate.open()
    stats = ended(sink)
    assert to.got == [(snapshot_at(n).taken_at, 0 if n == 1 else 5) for n in (1, 7, 8, 9)]
    assert (stats.sent, stats.dropped, stats.waiting) == (4, 5, 0)
    assert sink.trouble == "the log lacks 5 snapshots"


def test_what_fails_is_tried_again_with_the_same_snapshot() -> None:
    to = Kept(refuse(), refuse(), lambda: None, refuse())
    sink = sink_of(to)
    sink.begin()
    sink.see(snapshot_at(1))
    while not sink.sinks[0].reconnects:  # the end would have it give up
        time.sleep(0.001)
    sink.see(snapshot_at(2))
    while sink.sinks[0].reconnects < 2:
        time.sleep(0.001)
    stats = ended(sink, snapshot_at(3))
    assert [at for at, _ in to.got] == [snapshot_at(n).taken_at for n in (1, 2, 3)]
    assert (stats.failed, stats.reconnects, stats.error) == (3, 2, "nobody is there")
    assert stats.good
    assert sink.trouble == "the log failed at 22:13:21Z, and is tried again: nobody is there"


def test_the_end_cuts_a_wait_short_and_tries_once_more() -> None:
    to = Kept(refuse())
    sink = sink_of(to, least_s=3600.0)
    sink.begin()
    sink.see(snapshot_at(1))
    while not sink.sinks[0].failed:
        time.sleep(0.001)
    assert sink.sinks[0].state == "failing"
    stats = ended(sink, snapshot_at(2))
    assert len(to.got) == 2
    assert (stats.state, stats.failed) == ("working", 1)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SendError("it is \x1b full", final=True), r"it is \x1b full"),
        (ZeroDivisionError("oh"), "ZeroDivisionError: oh"),
    ],
)
def test_what_can_never_work_ends_it_and_the_rest_counts_as_dropped(
    error: Exception, told: str
) -> None:
    def fail() -> None:
        raise error

    to = Kept(lambda: None, fail)
    sink = sink_of(to)
    sink.begin()
    sink.see(snapshot_at(1))
    sink.see(snapshot_at(2))
    while sink.sinks[0].state != "ended":
        time.sleep(0.001)
    sink.see(snapshot_at(3))
    stats = ended(sink, snapshot_at(4))
    assert (stats.sent, stats.dropped, stats.waiting, stats.error) == (1, 3, 0, told)
    assert sink.trouble == f"the log ends at 22:13:22Z: {told}"
    assert to.closed == 1


def test_a_destination_that_fails_at_the_end_is_given_up() -> None:
    to = Kept(lambda: None, refuse())
    sink = sink_of(to, least_s=3600.0)
    sink.begin()
    sink.end(None)
    assert ended(sink_of(to), snapshot_at(1)).sent == 1  # one that never began, too
    failing = sink_of(to)
    assert ended(failing, snapshot_at(2)).state == "ended"
    assert "nobody is there" in failing.trouble


def test_who_publishes_never_waits() -> None:
    gate = Gate()
    sink = sink_of(Kept(gate), most=8)
    sink.begin()
    sink.see(snapshot_at(1))
    assert gate.reached.wait(SOON_S)
    snapshot, began_s = snapshot_at(2), time.thread_time()
    for _ in range(1000):
        sink.see(snapshot)
    assert (time.thread_time() - began_s) / 1000 < 0.00005
    gate.open()
    assert ended(sink).dropped == 992


def test_where_the_time_is_short_at_the_end_the_last_snapshot_is_sent_alone() -> None:
    gate = Gate()
    to = Kept(gate)
    asked: list[None] = []

    def clock() -> float:
        asked.append(None)
        if len(asked) == 1:
            return 0.0
        gate.open()  # half of the time is over
        return -SOON_S

    sink = Sink("log", to, clock=clock)
    sink.begin()
    sink.see(snapshot_at(1))
    assert gate.reached.wait(SOON_S)
    for second in range(2, 9):
        sink.see(snapshot_at(second))
    sink.end(snapshot_at(9))
    sink.finish(0.02)
    assert [at for at, _ in to.got] == [snapshot_at(n).taken_at for n in (1, 9)]
    assert sink.sinks[0].dropped == 7
    assert sink.trouble == "the log lacks 7 snapshots"


def test_the_end_of_a_run_does_not_wait_for_what_is_stuck() -> None:
    gates = [Gate(), Gate(), Gate()]
    stuck = [sink_of(Kept(gate)) for gate in gates]
    told: list[str] = []
    feed = ObservedFeed(Scripted(), stuck, tell=told.append, patience_s=lambda: 0.2)
    seen: list[Snapshot] = []
    feed.start(seen.append, lambda _: None)
    last = feed.stop()
    assert last is not None
    assert [(sink.sent, sink.offered) for sink in last.sinks] == [(0, 3)] * 3
    assert told == ["the log lacks 3 snapshots"]
    for gate in gates:
        gate.open()


def test_those_behind_a_stuck_one_have_the_last_snapshot() -> None:
    gate = Gate()

    class Free(Kept):
        def close(self) -> None:
            gate.open()

    free = Free()
    sinks = [sink_of(Kept(gate)), sink_of(free)]
    feed = ObservedFeed(Scripted(), sinks, patience_s=lambda: SOON_S)
    feed.start(lambda _: None, lambda _: None)
    last = feed.stop()
    assert last is not None
    assert [sink.sent for sink in last.sinks] == [3, 3]
    assert free.got[-1] == (LAST.taken_at, 0)
