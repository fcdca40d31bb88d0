"""Print snapshots as they come, without a screen.

One thread, this one, writes; the feed's thread only leaves a snapshot and a byte in a pipe, so a
reader that is too slow holds up neither the feed nor the end of the run. A run ends

- after N snapshots: the Nth is the last one, taken after the feed has stopped;
- at SIGINT, SIGTERM, or SIGHUP where that does not mean something else, after a last snapshot;
- when the feed itself ends (the end of a capture) or fails;
- quietly, when nobody reads the output any more.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final

from httptop.collect.feed import Feed
from httptop.config.settings import DEFAULTS
from httptop.console import unwritten
from httptop.errors import HttptopError
from httptop.linux.wakeup import Wakeup
from httptop.model import Snapshot

#: Snapshots that wait for a slow reader; the oldest are dropped first.
_MOST_WAITING: Final = 16
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Closed(Exception):
    """Nobody reads the output any more."""


class StopSignals:
    """Turns SIGINT, SIGTERM and SIGHUP into a wish to end, for as long as it is entered.

    ``goes_on`` may be set to what SIGHUP means instead; it returns whether the run goes on.
    """

    def __init__(self) -> None:
        self.wakeup = Wakeup()
        self.received = False
        self.goes_on: Callable[[], bool] = lambda: False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopSignals:
        for number in _SIGNALS:
            # nohup stays in force; SIGINT is ignored in every "command &" of a script, but
            # who sends it to us means it.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self.wakeup.close()

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if number == signal.SIGHUP and self.goes_on():
            return
        self.received = True
        self.wakeup.set()


class Output:
    """Writes to a descriptor without being stuck in it: other events end the wait for a reader."""

    def __init__(self, descriptor: int, wakeup: Wakeup) -> None:
        self._descriptor = descriptor
        self._wakeup = wakeup
        self._poll = select.poll()
        self._poll.register(wakeup.reader, select.POLLIN)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the wake-up; raise :class:`Closed` when the reader goes away meanwhile."""
        self._poll.register(self._descriptor, 0)
        self._polled(timeout_s)
        self._wakeup.clear()

    def write(self, text: str, ending: Callable[[], float | None]) -> None:
        """Write all of ``text``.

        ``ending`` returns the time (:func:`time.monotonic`) after which to give up, None for
        never; it is asked again after each wake-up. Raises :class:`Closed` when nobody reads,
        :class:`HttptopError` where the output cannot be written.
        """
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            deadline = ending()
            timeout_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._poll.register(self._descriptor, select.POLLOUT)
            if self._polled(timeout_s) & select.POLLOUT:
                try:
                    # A pipe that polls as writable takes this much without blocking.
                    data = data[os.write(self._descriptor, data[: select.PIPE_BUF]) :]
                except BlockingIOError:
                    time.sleep(0.01)
                except BrokenPipeError:
                    raise Closed from None
                except OSError as error:
                    raise HttptopError(unwritten(error)) from None
            elif timeout_s is not None and time.monotonic() >= (deadline or 0.0):
                raise Closed
            else:
                self._wakeup.clear()

    def _polled(self, timeout_s: float | None) -> int:
        events = self._poll.poll(None if timeout_s is None else timeout_s * 1000)
        found = 0
        for descriptor, event in events:
            if descriptor == self._descriptor:
                found = event
        if found & (select.POLLERR | select.POLLNVAL) or (
            found & select.POLLHUP and not found & select.POLLOUT
        ):
            raise Closed
        return found


def run(
    feed: Feed,
    render: Callable[[Snapshot], str],
    output: int,
    signals: StopSignals,
    iterations: int | None = None,
    patience_s: Callable[[], float] = lambda: DEFAULTS.general.shutdown_timeout_s,
) -> int:
    """Print what a feed publishes to a descriptor until the run ends.

    ``patience_s`` is the time that the last snapshot has to get out once the run is to end.

    Returns the number of snapshots that a slow reader missed. Raises what the feed failed with,
    after it has been stopped.
    """
    return _Run(feed, render, output, signals, iterations, patience_s).go()


class _Run:
    def __init__(
        self,
        feed: Feed,
        render: Callable[[Snapshot], str],
        output: int,
        signals: StopSignals,
        iterations: int | None,
        patience_s: Callable[[], float],
    ) -> None:
        self._feed = feed
        self._render = render
        self._signals = signals
        self._iterations = iterations
        self._patience_s = patience_s
        self._output = Output(output, signals.wakeup)
        self._waiting: deque[Snapshot] = deque()
        self._failure: BaseException | None = None
        self._missed = 0
        self._deadline: float | None = None

    def go(self) -> int:
        last: Snapshot | None = None
        try:
            try:
                self._feed.start(self._publish, self._fail)
                last = self._consume()
            except Closed:
                self._feed.stop()
                return self._missed
            stopped = self._feed.stop()
        except BaseException:
            self._feed.stop()
            raise
        if self._failure is not None:
            raise self._failure
        last = last or stopped
        if last is not None:
            with contextlib.suppress(Closed):
                self._output.write(self._render(last), self._ending)
        return self._missed

    def _consume(self) -> Snapshot | None:
        """Print until the run is to end; return the last snapshot where the feed gave it."""
        taken = 0
        while not self._signals.received and self._failure is None:
            if not self._waiting:
                self._output.wait()
                continue
            snapshot = self._waiting.popleft()
            taken += 1
            if snapshot.final:
                return snapshot
            if taken == self._iterations:
                return None
            self._output.write(self._render(snapshot), self._ending)
        return None

    def _ending(self) -> float | None:
        """Return when to give up writing: some time after the first wish to end."""
        if self._deadline is None and (self._signals.received or self._failure is not None):
            self._deadline = time.monotonic() + self._patience_s()
        return self._deadline

    def _publish(self, snapshot: Snapshot) -> None:
        self._waiting.append(snapshot)
        if len(self._waiting) > _MOST_WAITING:
            with contextlib.suppress(IndexError):
                self._waiting.popleft()
                self._missed += 1
        self._signals.wakeup.set()

    def _fail(self, failure: BaseException) -> None:
        if self._failure is None:
            self._failure = failure
        self._signals.wakeup.set()
