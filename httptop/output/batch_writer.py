"""Print snapshots as they are published, without a screen.

Only the calling thread writes. The feed's thread just queues a snapshot and writes a byte to a
pipe, so a slow reader delays neither the feed nor the end of the run. A run ends

- after N snapshots: the Nth is the last one, taken after the feed has stopped;
- at SIGINT, SIGTERM, or SIGHUP unless that has another meaning, after a last snapshot;
- when the feed itself ends (the end of a capture) or fails;
- silently, when the reader of the output is gone.
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

#: The most snapshots queued for a slow reader; the oldest are dropped first, and said to be missed.
#: With thousands of rows each takes megabytes.
_MOST_WAITING: Final = 4
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Closed(Exception):
    """The reader of the output is gone, or was too slow at the end."""


class StopSignals:
    """Makes SIGINT, SIGTERM and SIGHUP end the run while it is entered.

    ``goes_on`` can be set to another handler of SIGHUP, which returns whether the run continues.
    """

    def __init__(self, ending: Callable[[], None] = lambda: None) -> None:
        """``ending`` is called, by the signal handler, once the run is to end."""
        self.ending = ending
        self.wakeup = Wakeup()
        self.received = False
        self.received_s = 0.0  # when: the monotonic clock
        self.goes_on: Callable[[], bool] = lambda: False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopSignals:
        for number in _SIGNALS:
            # An ignored SIGHUP (nohup) stays ignored. SIGINT does not: shells ignore it for every
            # "command &" of a script, but whoever sends it to us does so on purpose.
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
        if not self.received:
            self.received, self.received_s = True, time.monotonic()
        self.ending()
        self.wakeup.set()


class Output:
    """Writes to a descriptor without blocking: a wake-up interrupts waiting for the reader."""

    def __init__(self, descriptor: int, wakeup: Wakeup) -> None:
        self._descriptor = descriptor
        self._wakeup = wakeup
        self._poll = select.poll()
        self._poll.register(wakeup.reader, select.POLLIN)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for a wake-up; raise :class:`Closed` if the reader goes away meanwhile."""
        self._poll.register(self._descriptor, 0)
        self._polled(timeout_s)
        self._wakeup.clear()

    def write(self, text: str, ending: Callable[[], float | None]) -> None:
        """Write all of ``text``.

        ``ending`` returns the time (:func:`time.monotonic`) at which to give up, None for never;
        it is called again after each wake-up. Raises :class:`Closed` if the reader is gone or
        this time has come, :class:`HttptopError` if the output cannot be written.
        """
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            deadline = ending()
            timeout_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._poll.register(self._descriptor, select.POLLOUT)
            if self._polled(timeout_s) & select.POLLOUT:
                try:
                    # A pipe that poll() reports as writable takes this much without blocking.
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
    """Print a feed's snapshots to a descriptor until the run ends.

    ``patience_s`` returns how long to wait for the reader once the run is to end. Returns the
    number of snapshots that a slow reader missed. Raises the feed's error after stopping it.
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
                self._signals.ending()
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
        """Print until the run is to end; return the last snapshot if the feed published it."""
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
        """Return when to give up writing: ``patience_s`` after the run should have ended."""
        if self._deadline is None and (self._signals.received or self._failure is not None):
            since_s = self._signals.received_s if self._signals.received else time.monotonic()
            self._deadline = since_s + self._patience_s()
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
