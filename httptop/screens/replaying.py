"""Where a capture is played, and the keys that play it: pause, speed, seeking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from httptop.capture.outline import Outline
from httptop.model import Snapshot
from httptop.screens.base import Httptop
from httptop.view.moment import Moment, Recording, marks_of

#: What takes longer than that says how far it is.
LONG_S: Final = 0.3


class Player(Protocol):
    """What plays a capture (capture/replay.py); any thread may call it, and nothing waits."""

    @property
    def recording(self) -> Recording:
        """What is played, and how."""

    @property
    def outline(self) -> Outline:
        """The times and rates of the whole capture; empty as long as they are not known."""

    def make_outline(self) -> None:
        """Look for the outline."""

    def tell(self, changed: Callable[[], object]) -> None:
        """Have ``changed`` called, in any thread, when more is known without a new snapshot."""

    def pause(self) -> None:
        """Stop at the snapshot that is shown, or play on; what has ended is played again."""

    def change_speed(self, step: int) -> None:
        """Play faster (``step`` 1) or slower (-1)."""

    def step(self, steps: int) -> None:
        """Show the snapshot so many later than the one shown, and stay there."""

    def seek(self, seconds: float) -> None:
        """Show the moment so many seconds later than the one shown."""

    def seek_to(self, at: float, *, stays: bool = False) -> None:
        """Show the moment of a Unix time, or the last one before it; ``stays``: and pause."""


class ReplayMoments:
    """Has a capture played; see TimeControl. What it plays is the newest snapshot of the app."""

    def __init__(self, app: Httptop, player: Player) -> None:
        self._app, self._player = app, player
        self._first_at = self._last_at = 0.0  # of what has been played
        player.tell(lambda: app.call_later(app.refresh_screens))

    @property
    def shown(self) -> Moment | None:
        """The moment that is shown; None: none yet."""
        app, player = self._app, self._player
        snapshot, recording, outline = app.snapshot, player.recording, player.outline
        if snapshot is None:
            return None
        rates = outline.rates[app.view.side]
        first = min(self._first_at, rates[0].at if rates else self._first_at)
        last = max(self._last_at, rates[-1].at if rates else self._last_at)
        return Moment(
            snapshot.taken_at,
            first,
            last,
            recording.playing,
            recording.speed,
            recording,
            rates=rates,
            marks=marks_of(app.watches.events, app.baseline_at, first, last),
            longest_gap_s=max(outline.longest_gap_s, 5 * snapshot.interval_s),
        )

    @property
    def steps(self) -> bool:
        """Whether the replay is paused, so that what comes has been asked for."""
        return not self._player.recording.playing

    def see(self, snapshot: Snapshot) -> None:
        """Take the snapshot that is played."""
        at = snapshot.taken_at
        if not self._last_at:
            self._first_at = at
            self._player.make_outline()
        self._first_at, self._last_at = min(self._first_at, at), max(self._last_at, at)

    def travel(self, steps: int, seconds: float = 0.0) -> None:
        """Show the moment so many ticks, or seconds, later than the one shown."""
        recording = self._player.recording
        if max(steps, seconds) > 0 and recording.ended:
            self._app.say("This is the end of the capture.")
        elif min(steps, seconds) < 0 and not recording.number:
            self._app.say("This is the start of the capture.")
        elif seconds:
            self._player.seek(seconds)
        else:
            self._player.step(steps)
        self._drawn_soon()

    def _drawn_soon(self) -> None:
        """Draw once more where what was asked for takes so long that this is to be said."""
        self._app.set_timer(LONG_S, self._app.refresh_screens)

    def go_to(self, at: float, *, stays: bool = True) -> bool:
        """Show the moment of a Unix time."""
        self._player.seek_to(at, stays=stays)
        self._drawn_soon()
        return True

    def pause(self) -> None:
        """Stay at the moment that is shown, or play on."""
        self._player.pause()
        self._app.refresh_screens()

    play = pause

    def newest(self) -> None:
        """Show the end of the capture."""
        self.go_to(float("inf"), stays=False)

    def change_speed(self, step: int) -> None:
        """Play faster (``step`` 1) or slower (-1)."""
        self._player.change_speed(step)
        self._app.refresh_screens()
