"""Batch output: how many snapshots, which last, and how a run ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from httptop.config.settings import Settings
from httptop.model import EndpointKey, Snapshot
from httptop.output import batch_writer
from tests.factory import snapshot_at


class FakeFeed:
    """Publishes from a thread, one at a time, until it is stopped or has no more."""

    def __init__(
        self,
        ticks: int = 1000,
        pace_s: float = 0.001,
        failure: str = "",
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.stops = 0
        self.published = 0
        self._ticks = ticks
        self._pace_s = pace_s
        self._failure = failure
        self._ended = ended  # called once all has been published
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        def run() -> None:
            while self.published < self._ticks and not self._stopping.wait(self._pace_s):
                self.published += 1
                publish(snapshot_at(self.published))
            self._ended()
            if self._failure:
                fail(RuntimeError(self._failure))

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def apply(self, settings: Settings) -> None:
        raise NotImplementedError

    def filter_by(self, ready: object) -> None: ...

    def metrics(self, timeout_s: float) -> None: ...

    def look_at(self, key: EndpointKey | None) -> None:
        raise NotImplementedError

    def set_window(self, seconds: float) -> None:
        raise NotImplementedError

    def look_in_flight(self, on: bool) -> None:
        raise NotImplementedError

    def stop(self) -> Snapshot | None:
        self._stopping.set()
        self.stops += 1
        if self._thread is not None:
            self._thread.join()
        return replace(snapshot_at(self.published), final=True)


class Pipe:
    """A pipe whose reader gathers everything, when it is asked to."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def lines(self) -> list[str]:
        os.close(self.writer)
        with open(self.reader) as file:
            return file.read().splitlines()


def render(one: Snapshot) -> str:
    return f"{int(one.uptime_s)}{' final' if one.final else ''}\n"


def run(feed: FakeFeed, output: int, iterations: int | None = None) -> int:
    with batch_writer.StopSignals() as signals:
        return batch_writer.run(feed, render, output, signals, iterations)


@pytest.mark.parametrize("wanted", [1, 2, 5])
def test_prints_as_many_as_asked_the_last_one_final(wanted: int) -> None:
    pipe = Pipe()
    feed = FakeFeed(pace_s=0.02)
    run(feed, pipe.writer, wanted)
    lines = pipe.lines()
    assert lines[:-1] == [str(n) for n in range(1, wanted)]
    assert len(lines) == wanted
    assert lines[-1] == f"{wanted} final"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_after_a_last_snapshot(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # nohup leaves SIGHUP ignored, and so it stays
    pipe = Pipe()
    feed = FakeFeed(ticks=3)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), number))
    timer.start()
    run(feed, pipe.writer)
    assert pipe.lines() == ["1", "2", "3", "3 final"]
    assert feed.stops == 1
    signal.signal(number, before)


def test_a_closed_pipe_ends_it_quietly_and_soon() -> None:
    pipe = Pipe()
    feed = FakeFeed(ticks=1)
    threading.Timer(0.2, os.close, (pipe.reader,)).start()
    began = time.monotonic()
    run(feed, pipe.writer)
    os.close(pipe.writer)
    assert time.monotonic() - began < 5
    assert feed.stops


def test_a_reader_that_sleeps_holds_up_neither_feed_nor_end() -> None:
    pipe = Pipe()
    feed = FakeFeed(ticks=30, ended=lambda: os.kill(os.getpid(), signal.SIGTERM))
    with batch_writer.StopSignals() as signals:
        missed = batch_writer.run(
            feed,
            lambda one: render(one) * 20_000,
            pipe.writer,
            signals,
            patience_s=lambda: 0.1,
        )
    assert missed > 10
    assert feed.published == 30
    os.close(pipe.reader)
    os.close(pipe.writer)


def test_large_snapshots_come_out_whole() -> None:
    pipe = Pipe()
    got: list[str] = []

    def gather() -> None:
        with open(pipe.reader) as file:
            got.extend(file.read().splitlines())

    reader = threading.Thread(target=gather)
    reader.start()
    with batch_writer.StopSignals() as signals:
        batch_writer.run(
            FakeFeed(pace_s=0.02), lambda _: "x" * 300_000 + "\n", pipe.writer, signals, 3
        )
    os.close(pipe.writer)
    reader.join()
    assert [len(line) for line in got] == [300_000] * 3


def test_a_failure_stops_the_feed_and_is_raised() -> None:
    pipe = Pipe()
    feed = FakeFeed(ticks=1, failure="lost the kernel")
    with pytest.raises(RuntimeError, match="lost the kernel"):
        run(feed, pipe.writer)
    assert feed.stops
    pipe.lines()


def test_ends_with_a_feed_that_ends() -> None:
    class Ending(FakeFeed):
        def start(
            self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
        ) -> None:
            super().start(lambda one: publish(replace(one, final=one.uptime_s == 2)), fail)

    pipe = Pipe()
    run(Ending(ticks=2), pipe.writer, 10)
    assert pipe.lines() == ["1", "2 final"]


def test_signal_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with batch_writer.StopSignals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
