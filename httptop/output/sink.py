"""A sink sends what a run makes somewhere, without the run ever waiting for it.

That is snapshots, single requests by the batch, or metrics. Who publishes only puts an item into a
bounded queue. A thread of the sink's hands one after the other to a destination:

- What fails is tried again with the same item, after a wait that grows (back_off.py), until it
  works or the run ends.
- What a destination rejects for good is counted as dropped, and the next one is sent.
- Meanwhile, or where a destination is too slow, the oldest that wait are dropped, and counted.
- Once a destination can take nothing any more, all that follows counts as dropped.
- At the end of the run what waits is sent, for as long as there is time; where that is short and
  the last item has all that those before it have, such as a snapshot, that alone is sent. What
  fails then is not tried again.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Generic, Protocol, TypeVar

from httptop.collect.feed import Observer
from httptop.errors import HttptopError
from httptop.model import SinkState, SinkStats, Snapshot
from httptop.output.back_off import BackOff
from httptop.output.sink_queue import Item, SinkQueue, Waiting
from httptop.printable import clean
from httptop.view.rows import RowsOnDemand

_LONGEST_ERROR: Final = 1000
#: About what a row takes that has been made, and a snapshot besides its rows.
_ROW_BYTES: Final = 2500
_SNAPSHOT_BYTES: Final = 10_000

Sent = TypeVar("Sent", contravariant=True)


class SendError(HttptopError):
    """A destination did not take an item."""

    def __init__(
        self,
        reason: str,
        *,
        final: bool = False,
        rejected: bool = False,
        taken: int = 0,
        lost: int = 0,
        retry_after_s: float = 0.0,
    ) -> None:
        """``final``: it never will take any again. ``rejected``: it never will take this one.

        ``taken``: how many units of the item it has taken in this attempt; the rest comes again, or
        is dropped if it is rejected. ``lost``: how many units that counted as sent are lost.
        ``retry_after_s``: the least time that it asks to be left alone for.
        """
        super().__init__(reason)
        self.final, self.rejected, self.taken, self.lost = final, rejected, taken, lost
        self.retry_after_s = retry_after_s


class Destination(Protocol[Sent]):
    """Where items go; the sink's thread alone uses it."""

    def send(self, item: Sent, dropped: int) -> None:
        """Send an item; ``dropped``: how many before it were not sent, since start.

        Raises :class:`SendError`; unless that is final, or the item rejected, the same item comes
        again, also where some of it was taken.
        """

    def close(self) -> None:
        """Finish and close; raise :class:`SendError` if what was sent is not complete."""


class Sink(Observer, Generic[Item]):
    """Sends what it is offered to a destination, in a thread of its own.

    ``trouble`` is why it lacks something: the first failure, then the last word on it.
    """

    def __init__(
        self,
        name: str,
        destination: Destination[Item],
        *,
        unit: str,
        last_has_all: bool,
        queue: SinkQueue[Item] | None = None,
        back_off: BackOff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``name``: what it makes, for people: ``recording``.

        ``unit``: what it sends, one of them: ``snapshot``. ``last_has_all``: whether an item has
        all that those before it have, so that these may go where time is short.
        """
        self._name, self._destination = name, destination
        self._unit, self._last_has_all = unit, last_has_all
        self._queue: SinkQueue[Item] = SinkQueue() if queue is None else queue
        self._back_off = BackOff() if back_off is None else back_off
        self._clock = clock
        self._changed = threading.Condition()  # for all that follows
        self._ending = self._abandoned = False
        self._state: SinkState = "working"
        self._in_hand = 0  # units taken from the queue, neither sent nor dropped yet
        self._sent = self._failed = self._reconnects = 0
        self._error = ""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    # In the threads of the run

    def begin(self) -> None:
        """Start the thread; before root is given up, so that it keeps no capability."""
        self._thread.start()

    def offer(self, new: Waiting[Item]) -> None:
        """Put an item into the queue; takes microseconds, and never fails."""
        with self._changed:
            if self._state == "ended":
                self._queue.dropped += new.units
            else:
                self._queue.put(new)
                self._changed.notify()

    def leave_out(self, units: int) -> None:
        """Count what there was no room for before it could be offered."""
        with self._changed:
            self._queue.dropped += units

    def end(self, last: Snapshot | None) -> None:  # noqa: ARG002
        """Have the thread end after what waits."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._thread.ident is None:  # the run ends before it began
            self._thread.start()

    def finish(self, until_s: float) -> None:
        """Wait until all is sent, at most until a moment of the clock.

        If the last item has all that was counted, only that is still sent after half of the time.
        """
        if self._last_has_all:
            self._thread.join(max(0.0, (until_s - self._clock()) / 2))
            with self._changed:
                self._queue.keep_newest()
        self._thread.join(max(0.0, until_s - self._clock()))
        with self._changed:
            self._abandoned = True
            if self._state != "ended" and (lacks := self._lacking()):
                self.trouble = f"the {self._name} lacks {lacks:,} {self._unit}{'s' * (lacks != 1)}"
                if self._error:
                    self.trouble += f"; the last error: {self._error}"

    @property
    def incomplete(self) -> bool:
        """Whether it lacks something, or has ended before the run; not what it made good again."""
        with self._changed:
            return self._lacking() > 0 or self._state == "ended"

    @property
    def sinks(self) -> tuple[SinkStats, ...]:
        """What has become of it so far."""
        with self._changed:
            return (
                SinkStats(
                    self._name,
                    self._state,
                    sent=self._sent,
                    waiting=self._queue.units + self._in_hand,
                    dropped=self._queue.dropped,
                    failed=self._failed,
                    reconnects=self._reconnects,
                    error=self._error,
                    unit=self._unit,
                ),
            )

    def _lacking(self) -> int:
        return self._queue.dropped + self._queue.units + self._in_hand

    # In its own thread

    def _run(self) -> None:
        last: Waiting[Item] | None = None
        try:
            while (taken := self._next()) is not None:
                last, dropped = taken
                while (wait_s := self._try(last, dropped)) is not None:
                    self._wait(wait_s)
            self._close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on and says so
            self._give_up(_words(error), last)
            with contextlib.suppress(Exception):
                self._destination.close()

    def _next(self) -> tuple[Waiting[Item], int] | None:
        """Wait for the next item, and how many units were dropped before; None: the end."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) or self._ending)
            waiting = None if self._abandoned else self._queue.take()
            if waiting is None:
                return None
            self._in_hand = waiting.units
            return waiting, self._queue.dropped

    def _try(self, waiting: Waiting[Item], dropped: int) -> float | None:
        """Send an item; return how long to wait before the next attempt, None: it is over."""
        try:
            self._destination.send(waiting.item, dropped)
        except SendError as error:
            with self._changed:
                self._failed += 1
                self._account(error)
                if error.final or (self._ending and not error.rejected):
                    raise
                self._error = _words(error)
                self._tell_of(waiting, error)
                if not error.rejected:
                    self._state = "failing"
                    return max(self._back_off.failed(), error.retry_after_s)
                self._queue.dropped += self._in_hand
                self._in_hand = 0
        with self._changed:
            self._sent += self._in_hand
            self._in_hand = 0
            self._reconnects += self._state == "failing"
            self._state = "working"
        self._back_off.worked()
        return None

    def _account(self, error: SendError) -> None:
        self._sent += error.taken - error.lost
        self._in_hand -= error.taken
        self._queue.dropped += error.lost

    def _close(self) -> None:
        try:
            self._destination.close()
        except SendError as error:
            with self._changed:
                self._account(error)
            raise

    def _tell_of(self, waiting: Waiting[Item], error: SendError) -> None:
        if not self.trouble:  # it stays a note of the run when it works again
            what = "was refused what it sent" if error.rejected else "failed"
            again = "" if error.rejected else ", and is tried again"
            self.trouble = f"the {self._name} {what} at {_time(waiting)}{again}: {self._error}"

    def _wait(self, wait_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ending, wait_s)

    def _give_up(self, reason: str, last: Waiting[Item] | None) -> None:
        with self._changed:
            self._state, self._error = "ended", reason
            self._queue.dropped = self._lacking()
            self._in_hand = 0
            while self._queue.take() is not None:
                pass
            at = f" at {_time(last)}" if last is not None else ""
            self.trouble = f"the {self._name} ends{at}: {reason}"


class SnapshotSink(Sink[Snapshot]):
    """Sends each tick's snapshot, and the last one of the run."""

    def __init__(
        self,
        name: str,
        destination: Destination[Snapshot],
        *,
        queue: SinkQueue[Snapshot] | None = None,
        back_off: BackOff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """See :class:`Sink`."""
        super().__init__(
            name,
            destination,
            unit="snapshot",
            last_has_all=True,
            queue=queue,
            back_off=back_off,
            clock=clock,
        )

    def see(self, snapshot: Snapshot) -> None:
        """Take a snapshot of a tick; takes microseconds, and never fails."""
        if not snapshot.early:
            self.offer(waiting(snapshot))

    def end(self, last: Snapshot | None) -> None:
        """Put the last snapshot into the queue, and have the thread end after it."""
        if last is not None:
            self.offer(waiting(last))
        super().end(last)


def waiting(snapshot: Snapshot) -> Waiting[Snapshot]:
    """Return a snapshot as one that waits."""
    return Waiting(snapshot, snapshot.taken_at, size_of(snapshot))


def size_of(snapshot: Snapshot) -> int:
    """Return about the memory that a snapshot takes which waits, and which others do not share."""
    rows = snapshot.endpoints
    size_bytes = rows.size_bytes if isinstance(rows, RowsOnDemand) else len(rows) * _ROW_BYTES
    return _SNAPSHOT_BYTES + size_bytes


def _words(error: Exception) -> str:
    text = str(error) if isinstance(error, SendError) else f"{type(error).__name__}: {error}"
    return clean(os.fsencode(text), _LONGEST_ERROR)


def _time(waiting: Waiting[Item]) -> str:
    return f"{datetime.fromtimestamp(waiting.taken_at, UTC):%H:%M:%SZ}"
