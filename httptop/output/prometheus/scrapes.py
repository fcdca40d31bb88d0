"""Answer scrapes one after the other, in a thread of its own: a reading takes memory and CPU.

Those that come meanwhile wait, so many and so long. A scraper that reads too slowly is cut off, the
sooner if others wait: in HTTP/1.1 it sees that its response is not whole.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from httptop.collect.metrics import Metrics
from httptop.linux import heap
from httptop.model import SinkState, SinkStats
from httptop.output.prometheus.formats import Formats
from httptop.output.prometheus.request import Request
from httptop.output.prometheus.responses import small
from httptop.printable import clean

#: The name of the thread, and of the sink that scrapes are counted as.
NAME: Final = "prometheus"
#: Scrapes that wait for the one under way.
MOST_WAITING: Final = 128
#: Of the time that a scraper waits, what the reading may take: on a busy host it gives way.
_READING: Final = 0.8
#: Seconds for one response while others wait for theirs; and how often it is looked if they do.
TURN_S: Final = 5.0
_LOOK_S: Final = 0.5
#: So many scrapes in a row that failed are no accident.
_FAILING: Final = 2

#: Returns a reading of now, or None if it takes longer than so many seconds or cannot be had.
Read = Callable[[float], Metrics | None]


@dataclass(frozen=True, slots=True)
class Scrape:
    """A request for metrics whose response has not begun."""

    connection: socket.socket
    request: Request
    came_s: float  # on the monotonic clock


class Scrapes:
    """The queue of scrapes, and the thread that answers them."""

    def __init__(
        self, read: Read, formats: Formats, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``read`` reads the metrics; ``formats`` writes them."""
        self._read, self._formats, self._clock = read, formats, clock
        self._changed = threading.Condition()  # for all that follows
        self._waiting: deque[Scrape] = deque()
        self._in_hand: Scrape | None = None
        self._ending = False
        self._sent = self._failed = self._failed_in_a_row = 0
        self._error = ""
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def take(self, scrape: Scrape) -> bool:
        """Have a scrape answered, and its connection closed; return False if too many wait."""
        with self._changed:
            if self._ending or len(self._waiting) >= MOST_WAITING:
                self._failed += 1
                self._error = "too many scrapes at once"
                return False
            self._waiting.append(scrape)
            self._changed.notify()
            return True

    def end(self) -> None:
        """Take no more; those that wait are answered still."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def finish(self, until_s: float) -> None:
        """Wait until all are answered, at most until a moment of the clock; cut off the rest."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, until_s - self._clock()))
        with self._changed:
            cut = [*self._waiting, *([] if self._in_hand is None else [self._in_hand])]
            self._waiting.clear()
        for scrape in cut:
            with contextlib.suppress(OSError):
                scrape.connection.shutdown(socket.SHUT_RDWR)

    def stats(self, state: SinkState = "working") -> SinkStats:
        """Return what has become of scrapes so far; ``state``: of what brings them."""
        with self._changed:
            if state == "working" and self._failed_in_a_row >= _FAILING:
                state = "failing"
            return SinkStats(
                NAME,
                state,
                sent=self._sent,
                waiting=len(self._waiting) + (self._in_hand is not None),
                failed=self._failed,
                error=self._error,
                unit="scrape",
            )

    # In its own thread

    def _run(self) -> None:
        while (scrape := self._next()) is not None:
            try:
                with scrape.connection:
                    self._answer(scrape)
            except OSError as error:
                self._done(f"a scrape was cut off: {error.strerror or type(error).__name__}")
            except Exception as error:  # noqa: BLE001 - the next one may work, and all is said
                self._done(f"{type(error).__name__}: {error}")
            # Or what the reading took lies between what stays, and the next one takes more.
            heap.give_back()

    def _next(self) -> Scrape | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            self._in_hand = self._waiting.popleft() if self._waiting else None
            return self._in_hand

    def _answer(self, scrape: Scrape) -> None:
        request, connection = scrape.request, scrape.connection
        until_s = scrape.came_s + request.waits_s
        left_s = until_s - self._clock()
        connection.settimeout(max(left_s, 1.0))
        metrics = self._read(left_s * _READING) if left_s > 0 else None
        if metrics is None:
            reason = (
                "it took too long to read what is counted" if left_s > 0 else "others came first"
            )
            connection.sendall(small(503, reason))
            self._done(f"no metrics: {reason}")
            return
        begun_s = self._clock()
        for piece in self._formats.response(metrics, request):
            self._send(connection, piece, begun_s, until_s)
        with contextlib.suppress(OSError):  # it has all, and may have closed
            connection.shutdown(socket.SHUT_WR)
        self._done()

    def _send(
        self, connection: socket.socket, piece: bytes, begun_s: float, until_s: float
    ) -> None:
        """Send a piece of a response; raise :class:`TimeoutError` if its reader is too slow."""
        left = memoryview(piece)
        while left:
            ends_s = min(until_s, begun_s + TURN_S) if self._waiting else until_s
            left_s = ends_s - self._clock()
            if left_s <= 0:
                raise TimeoutError(errno.ETIMEDOUT, "it was read too slowly")
            connection.settimeout(min(left_s, _LOOK_S))
            with contextlib.suppress(TimeoutError):
                left = left[connection.send(left) :]

    def _done(self, error: str = "") -> None:
        with self._changed:
            self._in_hand = None
            if error:
                self._failed += 1
                self._failed_in_a_row += 1
                self._error = clean(error.encode("utf-8", "replace"), 200)
            else:
                self._sent += 1
                self._failed_in_a_row = 0
