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
from httptop.output.sink import SendError, Sink, SnapshotSink
from httptop.output.sink_queue import SinkQueue, Waiting
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


def sink_of(to: Kept, most: int = 64, least_s: float = 0.0) -> SnapshotSink:
    return SnapshotSink("log", to, queue=SinkQueue(most), back_off=BackOff(least_s=least_s))


def ended(sink: SnapshotSink, last: Snapshot | None = None) -> SinkStats:
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
    assert sink.incomplete


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
    assert not sink.incomplete


class Batches:
    """A destination of numbers by the batch; ``plan``: what each attempt does before."""

    def __init__(self, *plan: Callable[[], object]) -> None:
        self.got: list[tuple[tuple[int, ...], int]] = []
        self.attempted_s: list[float] = []
        self._plan = iter(plan)

    def send(self, batch: tuple[int, ...], dropped: int) -> None:
        self.attempted_s.append(time.monotonic())
        next(self._plan, lambda: None)()
        self.got.append((batch, dropped))

    def close(self) -> None:
        pass


def batches(to: Batches, most: int = 64) -> Sink[tuple[int, ...]]:
    queue: SinkQueue[tuple[int, ...]] = SinkQueue(most)
    waits = BackOff(least_s=0.0)
    return Sink("log", to, unit="number", last_has_all=False, queue=queue, back_off=waits)


def offer(sink: Sink[tuple[int, ...]], *numbers: int) -> None:
    sink.offer(Waiting(numbers, snapshot_at(numbers[0]).taken_at, 100, len(numbers)))


def test_what_is_rejected_counts_as_dropped_and_the_next_is_sent() -> None:
    def reject(taken: int) -> Callable[[], object]:
        def rejected() -> None:
            raise SendError("no such thing", rejected=True, taken=taken)

        return rejected

    to = Batches(lambda: None, refuse(), reject(0), reject(2), lambda: None)
    sink = batches(to)
    for first in range(1, 13, 3):
        offer(sink, first, first + 1, first + 2)
    sink.begin()
    while sink.sinks[0].waiting:
        time.sleep(0.001)
    sink.end(None)
    sink.finish(time.monotonic() + SOON_S)
    assert [batch[0] for batch, _ in to.got] == [1, 10]
    assert to.got[-1][1] == 3 + 1
    (stats,) = sink.sinks
    assert (stats.sent, stats.dropped, stats.failed, stats.reconnects) == (3 + 2 + 3, 4, 3, 1)
    assert (stats.state, stats.unit, stats.good) == ("working", "number", False)
    assert sink.trouble == "the log lacks 4 numbers; the last error: no such thing"


def test_what_was_taken_counts_as_sent_and_what_is_lost_no_more() -> None:
    def fail(taken: int, lost: int = 0) -> Callable[[], object]:
        def failed() -> None:
            raise SendError("cut off", taken=taken, lost=lost)

        return failed

    class Losing(Batches):
        def close(self) -> None:
            raise SendError("two are lost", lost=2)

    to = Losing(fail(1), fail(1, lost=1), lambda: None, lambda: sink.end(None))
    sink = batches(to)
    offer(sink, 1, 2, 3)
    sink.begin()
    while sink.sinks[0].waiting:
        time.sleep(0.001)
    assert (sink.sinks[0].sent, sink.sinks[0].dropped) == (2, 1)
    offer(sink, 4, 5)
    sink.finish(time.monotonic() + SOON_S)
    (stats,) = sink.sinks
    assert (stats.sent, stats.dropped, stats.waiting, stats.state) == (2, 3, 0, "ended")
    assert sink.trouble.endswith("two are lost")


def test_a_rejection_at_the_end_does_not_keep_what_waits() -> None:
    def rejected() -> None:
        sink.end(None)
        raise SendError("no such thing", rejected=True)

    to = Batches(rejected)
    sink = batches(to)
    offer(sink, 1)
    offer(sink, 2)
    sink.begin()
    sink.finish(time.monotonic() + SOON_S)
    assert to.got == [((2,), 1)]
    assert sink.sinks[0].state == "working"


def test_a_destination_may_ask_to_be_left_alone() -> None:
    def busy() -> None:
        raise SendError("busy", retry_after_s=0.05)

    to = Batches(busy)
    sink = batches(to)
    offer(sink, 1)
    sink.begin()
    while sink.sinks[0].waiting:
        time.sleep(0.001)
    sink.end(None)
    sink.finish(time.monotonic() + SOON_S)
    first_s, second_s = to.attempted_s
    assert second_s - first_s >= 0.05


def test_batches_of_the_end_are_all_sent_unless_the_time_is_over() -> None:
    to = Batches()
    sink = batches(to)
    for number in range(1, 9):
        offer(sink, number)
    sink.end(None)  # starts it
    sink.finish(time.monotonic() + SOON_S)
    assert [batch for batch, _ in to.got] == [(number,) for number in range(1, 9)]
    assert not sink.trouble


def test_a_queue_counts_the_units_of_what_it_drops() -> None:
    sink = batches(Batches(), most=2)
    offer(sink, 1, 2, 3)
    offer(sink, 4)
    offer(sink, 5, 6)
    (stats,) = sink.sinks
    assert (stats.waiting, stats.dropped, stats.offered) == (3, 3, 6)
    sink.end(None)
    sink.finish(time.monotonic() + SOON_S)
    assert sink.sinks[0].sent == 3
    assert sink.trouble == "the log lacks 3 numbers"


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
    assert sink.incomplete
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

    sink = SnapshotSink("log", to, clock=clock)
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
