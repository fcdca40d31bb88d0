"""A sink sends the snapshots of a run somewhere, without the run ever waiting for it.

Who publishes only puts a snapshot into a bounded queue. A thread of the sink's hands one after the
other to a destination:

- What fails is tried again with the same snapshot, after a wait that grows (back_off.py), until it
  works or the run ends.
- Meanwhile, or where a destination is too slow, the oldest that wait are dropped, and counted.
- Once a destination can take nothing any more, all that follows counts as dropped.
- At the end of the run what waits is sent, and the last snapshot, for as long as there is time;
  where that is short, the last one alone. What fails then is not tried again.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from httptop.collect.feed import Observer
from httptop.errors import HttptopError
from httptop.model import SinkState, SinkStats, Snapshot
from httptop.output.back_off import BackOff
from httptop.output.sink_queue import SinkQueue
from httptop.printable import clean

_LONGEST_ERROR: Final = 1000


class SendError(HttptopError):
    """A destination did not take a snapshot."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        """``final``: it never will take any again."""
        super().__init__(reason)
        self.final = final


class Destination(Protocol):
    """Where snapshots go; the sink's thread alone uses it."""

    def send(self, snapshot: Snapshot, dropped: int) -> None:
        """Send a snapshot; ``dropped``: how many before it were not sent, since start.

        Raises :class:`SendError`; unless that is final, the same snapshot comes again.
        """

    def close(self) -> None:
        """Finish and close; raise :class:`SendError` if what was sent is not complete."""


class Sink(Observer):
    """Sends each tick's snapshot to a destination, in a thread of its own.

    ``trouble`` is why it lacks something: the first failure, then the last word on it.
    """

    def __init__(
        self,
        name: str,
        destination: Destination,
        *,
        queue: SinkQueue | None = None,
        back_off: BackOff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``name``: what it makes, for people: ``recording``."""
        self._name, self._destination = name, destination
        self._queue = SinkQueue() if queue is None else queue
        self._back_off = BackOff() if back_off is None else back_off
        self._clock = clock
        self._changed = threading.Condition()  # for all that follows
        self._ending = self._abandoned = False
        self._state: SinkState = "working"
        self._in_hand = 0  # taken from the queue, neither sent nor dropped yet
        self._sent = self._failed = self._reconnects = 0
        self._error = ""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    # In the threads of the run

    def begin(self) -> None:
        """Start the thread; before root is given up, so that it keeps no capability."""
        self._thread.start()

    def see(self, snapshot: Snapshot) -> None:
        """Take a snapshot of a tick; takes microseconds, and never fails."""
        if not snapshot.early:
            self.offer(snapshot)

    def offer(self, snapshot: Snapshot) -> None:
        """Put a snapshot into the queue."""
        with self._changed:
            if self._state == "ended":
                self._queue.dropped += 1
            else:
                self._queue.put(snapshot)
                self._changed.notify()

    def end(self, last: Snapshot | None) -> None:
        """Put the last snapshot into the queue, and have the thread end after it."""
        if last is not None:
            self.offer(last)
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._thread.ident is None:  # the run ends before it began
            self._thread.start()

    def finish(self, until_s: float) -> None:
        """Wait until all is sent, at most until a moment of the clock.

        After half of the time only the last snapshot is still sent, which has all that was counted.
        """
        self._thread.join(max(0.0, (until_s - self._clock()) / 2))
        with self._changed:
            self._queue.keep_newest()
        self._thread.join(max(0.0, until_s - self._clock()))
        with self._changed:
            self._abandoned = True
            if self._state != "ended" and (lacks := self._lacking()):
                self.trouble = f"the {self._name} lacks {_snapshots(lacks)}"

    @property
    def sinks(self) -> tuple[SinkStats, ...]:
        """What has become of it so far."""
        with self._changed:
            return (
                SinkStats(
                    self._name,
                    self._state,
                    sent=self._sent,
                    waiting=len(self._queue) + self._in_hand,
                    dropped=self._queue.dropped,
                    failed=self._failed,
                    reconnects=self._reconnects,
                    error=self._error,
                ),
            )

    def _lacking(self) -> int:
        return self._queue.dropped + len(self._queue) + self._in_hand

    # In its own thread

    def _run(self) -> None:
        last: Snapshot | None = None
        try:
            while (taken := self._next()) is not None:
                last, dropped = taken
                while (wait_s := self._try(last, dropped)) is not None:
                    self._wait(wait_s)
            self._destination.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on and says so
            self._give_up(_words(error), last)
            with contextlib.suppress(Exception):
                self._destination.close()

    def _next(self) -> tuple[Snapshot, int] | None:
        """Wait for the next snapshot, and how many were dropped before; None: the end."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) or self._ending)
            snapshot = None if self._abandoned else self._queue.take()
            if snapshot is None:
                return None
            self._in_hand = 1
            return snapshot, self._queue.dropped

    def _try(self, snapshot: Snapshot, dropped: int) -> float | None:
        """Send a snapshot; return how long to wait before the next attempt, None: it is sent."""
        try:
            self._destination.send(snapshot, dropped)
        except SendError as error:
            with self._changed:
                self._failed += 1
                if error.final or self._ending:
                    raise
                self._state, self._error = "failing", _words(error)
                if not self.trouble:  # it stays a note of the run when it works again
                    at = f"at {_time(snapshot)}, and is tried again"
                    self.trouble = f"the {self._name} failed {at}: {self._error}"
                return self._back_off.failed()
        with self._changed:
            self._sent += 1
            self._in_hand = 0
            self._reconnects += self._state == "failing"
            self._state = "working"
        self._back_off.worked()
        return None

    def _wait(self, wait_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ending, wait_s)

    def _give_up(self, reason: str, last: Snapshot | None) -> None:
        with self._changed:
            self._state, self._error = "ended", reason
            self._queue.dropped = self._lacking()
            self._in_hand = 0
            while self._queue.take() is not None:
                pass
            at = f" at {_time(last)}" if last is not None else ""
            self.trouble = f"the {self._name} ends{at}: {reason}"


def _words(error: Exception) -> str:
    text = str(error) if isinstance(error, SendError) else f"{type(error).__name__}: {error}"
    return clean(os.fsencode(text), _LONGEST_ERROR)


def _time(snapshot: Snapshot) -> str:
    return f"{datetime.fromtimestamp(snapshot.taken_at, UTC):%H:%M:%SZ}"


def _snapshots(number: int) -> str:
    return f"{number:,} snapshot{'' if number == 1 else 's'}"
