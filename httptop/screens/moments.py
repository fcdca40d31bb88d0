"""Moments of the past of this run: those that are kept, the one that is shown, playing on from it.

The past is played at the pace of the ticks that arrive: each brings the moment that is shown as
much further as time has passed since the last one, times the speed.
"""

from __future__ import annotations

from collections.abc import Sequence

from httptop.model import Side, Snapshot
from httptop.screens.base import Httptop
from httptop.view.history import COARSE_STEP_S, History
from httptop.view.moment import Moment, Rate, marks_of, next_speed


class Moments:
    """Keeps what has been shown, and goes back to it; see TimeControl."""

    def __init__(self, app: Httptop) -> None:
        self._app = app
        self._history = History()
        self._playing = False
        self._speed = 1.0
        self._position = 0.0  # Unix time up to which the past has been played
        self._newest_at = 0.0
        self._rates_of: tuple[Side, float] | None = None
        self._found: Sequence[Rate] = ()

    @property
    def shown(self) -> Moment | None:
        """The moment that is shown; None: now."""
        app, times = self._app, self._history.times
        snapshot, view = app.snapshot, app.view
        if snapshot is None or not view.paused or not times:
            return None
        first, last = times[0], max(times[-1], self._newest_at)
        return Moment(
            snapshot.taken_at,
            first,
            last,
            self._playing,
            self._speed,
            rates=self._rates(view.side),
            marks=marks_of(app.watches.events, app.baseline_at, first, last),
            longest_gap_s=max(1.5 * COARSE_STEP_S, 2.5 * snapshot.interval_s),
        )

    @property
    def steps(self) -> bool:
        """No: they come with the ticks."""
        return False

    def _rates(self, side: Side) -> Sequence[Rate]:
        """Return the rates of what is kept, found once for each tick."""
        if self._rates_of != (side, self._newest_at):
            self._rates_of, self._found = (side, self._newest_at), self._history.rates(side)
        return self._found

    def see(self, snapshot: Snapshot) -> None:
        """Keep the newest snapshot; play on, if that is going on."""
        self._history.keep(snapshot)
        passed_s, self._newest_at = snapshot.taken_at - self._newest_at, snapshot.taken_at
        if not self._playing:
            return
        self._position += passed_s * self._speed
        if passed_s < 0 or self._position >= snapshot.taken_at:
            self.newest()
        elif (found := self._history.until(self._position)) is not None:
            self._app.snapshot = found

    def travel(self, steps: int, seconds: float = 0.0) -> None:
        """Show the moment so many ticks, or seconds, later than the one shown, and stay there."""
        shown = self._app.snapshot
        if shown is None:
            return
        if seconds:
            found = self._history.near(shown.taken_at + seconds)
        else:
            found = self._history.step(shown.taken_at, steps)
        if found is not None and found.taken_at != shown.taken_at:
            self._stay(found)
        elif steps > 0 or seconds > 0:
            self._app.say("This is the newest moment.")
        else:
            self._app.say("Nothing older is kept.")

    def go_to(self, at: float, *, stays: bool = True) -> bool:
        """Show the moment of a Unix time; return whether there is one that is near."""
        found = self._history.near(at)
        if found is None or abs(found.taken_at - at) > max(COARSE_STEP_S, found.interval_s):
            return False
        goes_on = self._playing and not stays
        self._stay(found)
        if goes_on:
            self.play()
        return True

    def _stay(self, snapshot: Snapshot) -> None:
        app = self._app
        self._playing, app.snapshot = False, snapshot
        if app.view.paused:
            app.refresh_screens()
        else:
            app.change_view(paused=True)

    def pause(self) -> None:
        """Stay at the moment that is shown; if that was so already, show what comes."""
        if self._playing:
            self.play()
        elif self._app.view.paused:
            self.newest()
        else:
            self._app.change_view(paused=True)

    def play(self) -> None:
        """Play on from the moment that is shown; if that was so already, stay at it."""
        snapshot = self._app.snapshot
        if snapshot is None or not self._app.view.paused:
            self._app.say("This is now; what is past can be played from where it is shown.")
            return
        self._playing, self._position = not self._playing, snapshot.taken_at
        self._app.refresh_screens()

    def newest(self) -> None:
        """Show the newest moment, and what comes."""
        self._playing = False
        self._app.change_view(paused=False)

    def change_speed(self, step: int) -> None:
        """Play faster (``step`` 1) or slower (-1)."""
        speed = next_speed(self._speed, step)
        if not self._app.view.paused:
            self._app.say("This is now; only what is past can be played faster or slower.")
        elif speed is not None:
            self._speed = speed
            self._app.refresh_screens()
