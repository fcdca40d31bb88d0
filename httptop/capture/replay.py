"""Replay a capture: a feed that needs neither root nor BCC.

It plays in a thread of its own, in which all is read. What the screen asks for (pause, another
speed, another place) is put down and done by that thread between two snapshots; what takes long
ends as soon as something else is asked for.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from httptop import humanize
from httptop.capture.outline import Outline, outline
from httptop.capture.problems import CaptureError, CutOff
from httptop.capture.restrict import narrowed
from httptop.capture.seeking import CaptureReader, GoesOn
from httptop.collect.redacted import SnapshotRedaction
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.errors import UsageError
from httptop.filters.on_screen import ScreenFilter
from httptop.linux.files import FileError, InvokingUser, open_regular
from httptop.model import EndpointKey, Snapshot
from httptop.view.moment import Recording, next_speed

#: The most seconds between two snapshots; longer pauses in a capture are shortened.
_LONGEST_PAUSE_S: Final = 3600.0
#: Faster than it was recorded at most so many snapshots a second are played, others passed over.
_MOST_A_SECOND: Final = 10
#: What takes longer than that says how far it is.
_LONG_S: Final = 0.3


class ReplayFeed:
    """Plays a capture's snapshots at the pace they were taken, or one every ``pace_s``.

    The last one is marked final, even if the capture is incomplete. ``problem`` is a line about the
    first error in the file; ``damaged`` tells whether that is more than a missing end.
    """

    def __init__(
        self,
        path: Path,
        invoker: InvokingUser,
        redaction: SnapshotRedaction,
        *,
        scope: Scope | None = None,
        pace_s: float | None = None,
        opened: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the capture and read its first snapshot; raise :class:`UsageError`.

        ``redaction``: what is masked in what is shown, beyond what the capture lacks. ``opened`` is
        called before anything is read; ``clock`` returns seconds on a monotonic clock.
        """
        self.problem: str | None = None
        self.damaged = False
        self._changed: Callable[[], object] = lambda: None
        self._path = path
        self._redaction = redaction
        self._scope = scope or Scope()
        self._pace_s = pace_s
        self._clock = clock
        self._threads: list[threading.Thread] = []
        self._asked = threading.Condition()  # for what follows
        self._stopping = False
        self._playing, self._speed = True, 1.0
        self._tasks: deque[Callable[[], None]] = deque()
        # Changed by the thread that plays alone:
        self._publish: Callable[[Snapshot], None] = lambda snapshot: None  # noqa: ARG005
        self._busy = ""
        self._shown_s = 0.0  # when the snapshot that is shown was due
        self._last: Snapshot | None = None
        self._number = 0  # of the snapshot that is shown
        try:
            self._file: IO[bytes] = open_regular(path, invoker)
        except FileNotFoundError:
            raise UsageError(f"{path}: no such file") from None
        except FileError as error:
            raise UsageError(str(error)) from None
        opened()
        #: The times and rates of the whole capture; empty until they are looked for, and found.
        self.outline = Outline()
        self._following: Snapshot | None = None  # comes after the one that is shown
        self._following_number = 0
        try:
            self._reader = CaptureReader(self._read_at)
            self._following = self._read(self._reader.next())
        except CaptureError as error:
            self._fail(error)
        if self._following is None:
            self._file.close()
            raise UsageError(self.problem or f"{path}: holds no snapshot")

    def _read_at(self, offset: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, offset)

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Start playing in a thread of its own; see Feed."""

        def run() -> None:
            try:
                self._play(publish)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run must hear of it
                fail(error)

        self._begin("replay", run)

    def _begin(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def apply(self, settings: Settings) -> None:
        """Adopt ``general.tick`` as the pace, unless the capture's own is used."""
        if self._pace_s is not None:
            self._pace_s = settings.general.tick_s

    def look_at(self, key: EndpointKey | None) -> None:
        """Do nothing: there is no more of an endpoint than what the capture has; see Feed."""

    def set_window(self, seconds: float) -> None:
        """Do nothing: a capture has figures of one window; see Feed."""

    def look_in_flight(self, on: bool) -> None:
        """Do nothing: the capture has them if it was recorded so; see Feed."""

    def filter_by(self, ready: ScreenFilter | None) -> None:
        """Do nothing: a capture has sums of whole sides, and rows; see Feed."""

    def metrics(self, timeout_s: float) -> None:
        """Return none: a capture does not have latencies by status; see Feed."""

    def stop(self) -> Snapshot | None:
        """Stop playing; return the last snapshot played, marked final."""
        with self._asked:
            self._stopping = True
            self._asked.notify()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        self._file.close()
        return None if self._last is None else replace(self._last, final=True)

    # What the screen asks for; in any thread

    @property
    def recording(self) -> Recording:
        """What is played, and how."""
        last = self._last
        return Recording(
            host="" if last is None else last.host,
            number=self._number,
            playing=self._playing,
            speed=self._speed,
            ended=last is not None and last.final,
            pace_s=self._pace_s,
            busy=self._busy,
        )

    def make_outline(self) -> None:
        """Look for the outline of the whole capture, in a thread of its own."""

        def run() -> None:
            self.outline = outline(self._read_at, lambda: not self._stopping)
            self._changed()

        self._begin("outline", run)

    def tell(self, changed: Callable[[], object]) -> None:
        """Have ``changed`` called when recording or outline has changed without a new snapshot."""
        self._changed = changed

    def pause(self) -> None:
        """Stop at the snapshot that is shown, or play on; what has ended is played again."""
        with self._asked:
            if self._last is not None and self._last.final:
                self._playing = True
                self._tasks.append(lambda: self._go_to_number(0))
            else:
                self._playing = not self._playing
                self._shown_s = self._clock()
            self._asked.notify()

    def change_speed(self, step: int) -> None:
        """Play faster (``step`` 1) or slower (-1), as far as SPEEDS go."""
        with self._asked:
            self._speed = next_speed(self._speed, step) or self._speed
            self._asked.notify()

    def step(self, steps: int) -> None:
        """Show the snapshot so many later than the one shown, and stay there."""
        self._ask(lambda: self._go_to_number(max(0, self._number + steps)), stays=True)

    def seek(self, seconds: float) -> None:
        """Show the moment so many seconds later than the one shown."""
        self._ask(lambda: self._go_to((self._last.taken_at if self._last else 0.0) + seconds))

    def seek_to(self, at: float, *, stays: bool = False) -> None:
        """Show the moment of a Unix time, or the last one before it; ``stays``: and pause."""
        self._ask(lambda: self._go_to(at), stays=stays)

    def _ask(self, task: Callable[[], None], *, stays: bool = False) -> None:
        with self._asked:
            self._tasks.append(task)
            self._busy = "reading"
            self._playing = self._playing and not stays
            self._asked.notify()

    # Playing; in the thread of the replay

    def _play(self, publish: Callable[[Snapshot], None]) -> None:
        self._publish = publish
        self._shown_s = self._clock()
        self._go_on()
        while (task := self._next_task()) is not None:
            task()

    def _next_task(self) -> Callable[[], None] | None:
        """Wait for what is to be done next; None: the end."""
        with self._asked:
            while not self._stopping:
                if self._tasks:
                    return self._tasks.popleft()
                left_s = None
                if self._playing and self._following is not None:
                    left_s = self._shown_s + self._pause_s() - self._clock()
                    if left_s <= 0:
                        self._shown_s += self._pause_s()
                        return self._go_on
                self._asked.wait(left_s)
        return None

    def _pause_s(self) -> float:
        """Return how long the snapshot that is shown is to be shown."""
        if self._pace_s is not None:
            return self._pace_s / self._speed
        assert self._last is not None
        assert self._following is not None
        passed_s = self._following.taken_at - self._last.taken_at
        return min(max(0.0, passed_s), _LONGEST_PAUSE_S) / self._speed

    def _go_on(self) -> None:
        assert self._following is not None
        self._show(self._following, self._following_number)

    def _go_to_number(self, number: int) -> None:
        # It is made whole whatever is asked for meanwhile: the next steps begin where it leads to.
        goes_on = self._patience(lambda: self._stopping)
        self._show_found(self._reader.go_to_number(number, goes_on))

    def _go_to(self, at: float) -> None:
        goes_on = self._patience(lambda: self._stopping or bool(self._tasks))
        self._show_found(self._reader.go_to(at, goes_on))

    def _patience(self, leaves: Callable[[], bool]) -> GoesOn:
        """Return what is asked whether to read on: it says how far it is where that takes long."""
        told_s = self._clock()

        def goes_on(at: float) -> bool:
            nonlocal told_s
            if self._clock() - told_s < _LONG_S:
                return not self._stopping
            told_s = self._clock()
            self._busy = f"reading, at {humanize.time_of_day(at)[:8]}"
            self._changed()
            return not leaves()

        return goes_on

    def _show_found(self, found: Snapshot | None) -> None:
        if (redacted := self._read(found)) is not None:
            self._show(redacted, self._reader.number - 1)
        self._busy = ""
        self._shown_s = self._clock()

    def _show(self, snapshot: Snapshot, number: int) -> None:
        following = self._read(self._next(snapshot))
        self._busy = ""
        self._following, self._following_number = following, self._reader.number - 1
        if following is None and self.problem is None and not snapshot.final:
            self.problem = f"{self._path}: lacks the end of the run; played as far as it goes"
        shown = replace(narrowed(snapshot, self._scope), final=following is None)
        if following is None and self.problem is not None:
            shown = replace(shown, notes=(*shown.notes, self.problem))
        self._last, self._number = shown, number
        if self._clock() - self._shown_s > 1:  # it takes longer to read than to play
            self._shown_s = self._clock()
        self._publish(shown)

    def _next(self, snapshot: Snapshot) -> Snapshot | None:
        """Return what is to be shown after a snapshot; a fast replay leaves some out."""
        least_s = self._speed / _MOST_A_SECOND
        if self._pace_s is not None or self._speed <= 1:
            return self._reader.next()
        goes_on = self._patience(lambda: self._stopping or bool(self._tasks))
        return self._reader.forward(snapshot.taken_at + least_s, goes_on)

    def _read(self, snapshot: Snapshot | None) -> Snapshot | None:
        if self._reader.problem is not None:
            self._fail(self._reader.problem)
        return None if snapshot is None else self._redaction.apply(snapshot)

    def _fail(self, error: CaptureError) -> None:
        if isinstance(error, CutOff):
            self.problem = f"{self._path}: is cut off; played as far as it goes"
        else:
            self.problem = f"{self._path}: {error}"
            self.damaged = True
