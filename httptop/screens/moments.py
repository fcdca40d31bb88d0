"""Moments of the past: those that are kept, the one that is shown, the one to compare with."""

from __future__ import annotations

from collections.abc import Callable

from httptop.model import Snapshot
from httptop.screens.base import Httptop
from httptop.view.compare import Baseline, measured
from httptop.view.history import History
from httptop.view.window import covered


class Moments:
    """Keeps what has been shown, goes back to it, and sets the baseline."""

    def __init__(self, app: Httptop, stay_at: Callable[[Snapshot], None]) -> None:
        """``stay_at`` shows a snapshot, and no newer ones."""
        self._app, self._stay_at = app, stay_at
        self._history = History()
        #: What the user compares with; None: nothing.
        self.baseline: Baseline | None = None

    def see(self, snapshot: Snapshot) -> None:
        """Keep the newest snapshot."""
        self._history.keep(snapshot)

    def travel(self, steps: int, seconds: float) -> None:
        """Show the moment so many ticks, or seconds, later than the one shown."""
        shown = self._app.snapshot
        if shown is None:
            return
        if seconds:
            found = self._history.near(shown.taken_at + seconds)
        else:
            found = self._history.step(shown.taken_at, steps)
        if found is not None and found.taken_at != shown.taken_at:
            self._stay_at(found)
        elif steps > 0 or seconds > 0:
            self._app.say("This is the newest moment.")
        else:
            self._app.say("Nothing older is kept.")

    def set_baseline(self) -> None:
        """Compare with the window that is shown from now on."""
        if (snapshot := self._app.snapshot) is not None:
            window = covered(snapshot)
            self.baseline = Baseline(snapshot.taken_at, window, measured(snapshot))
            key = self._app.key_of("baseline")
            self._app.say(f"The last {window} are the baseline; {key} compares.")

    def drop_baseline(self) -> None:
        """Compare with nothing."""
        self.baseline = None
