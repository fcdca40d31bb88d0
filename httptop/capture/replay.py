"""Replay a capture: a feed that needs neither root nor BCC."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from httptop.capture.fields import CaptureError
from httptop.capture.lines import CutOff
from httptop.capture.recorder import read_capture
from httptop.capture.restrict import narrowed
from httptop.collect.redacted import SnapshotRedaction
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.errors import UsageError
from httptop.linux.files import FileError, InvokingUser, open_regular
from httptop.model import EndpointKey, Snapshot

#: The most seconds between two snapshots; longer pauses in a capture are shortened.
_LONGEST_PAUSE_S: Final = 3600.0


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
    ) -> None:
        """Open the capture and read its first snapshot; raise :class:`UsageError`.

        ``redaction``: what is masked in what is shown, beyond what the capture lacks. ``opened`` is
        called before anything is read.
        """
        self.problem: str | None = None
        self.damaged = False
        self._path = path
        self._redaction = redaction
        self._scope = scope or Scope()
        self._pace_s = pace_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._last: Snapshot | None = None
        try:
            self._file: IO[bytes] = open_regular(path, invoker)
        except FileNotFoundError:
            raise UsageError(f"{path}: no such file") from None
        except FileError as error:
            raise UsageError(str(error)) from None
        opened()
        self._snapshots = read_capture(self._file)
        self._next = self._read()
        if self._next is None:
            self._file.close()
            raise UsageError(self.problem or f"{path}: holds no snapshot")

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Start playing in a thread of its own; see Feed."""

        def run() -> None:
            try:
                self._play(publish)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run must hear of it
                fail(error)

        self._thread = threading.Thread(target=run, name="replay", daemon=True)
        self._thread.start()

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

    def stop(self) -> Snapshot | None:
        """Stop playing; return the last snapshot played, marked final."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._file.close()
        return None if self._last is None else replace(self._last, final=True)

    def _play(self, publish: Callable[[Snapshot], None]) -> None:
        snapshot = self._next
        while snapshot is not None:
            following = self._read()
            shown = replace(narrowed(snapshot, self._scope), final=following is None)
            if following is None and self.problem is not None:
                shown = replace(shown, notes=(*shown.notes, self.problem))
            self._last = shown
            publish(shown)
            if following is not None and self._stopping.wait(self._pause(snapshot, following)):
                return
            snapshot = following

    def _pause(self, snapshot: Snapshot, following: Snapshot) -> float:
        if self._pace_s is not None:
            return self._pace_s
        return min(max(0.0, following.taken_at - snapshot.taken_at), _LONGEST_PAUSE_S)

    def _read(self) -> Snapshot | None:
        try:
            snapshot = next(self._snapshots, None)
            return None if snapshot is None else self._redaction.apply(snapshot)
        except CutOff:
            self.problem = f"{self._path}: is cut off; played as far as it goes"
        except CaptureError as error:
            self.problem = f"{self._path}: {error}"
            self.damaged = True
        return None
