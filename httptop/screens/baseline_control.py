"""The baseline that the user compares with: set, and dropped."""

from __future__ import annotations

from httptop.screens.base import Httptop
from httptop.view.compare import Baseline, measured
from httptop.view.window import covered


class BaselineControl:
    """Has the baseline; the app owns it."""

    def __init__(self, app: Httptop) -> None:
        self._app = app
        #: What the user compares with; None: nothing.
        self.baseline: Baseline | None = None

    def set(self) -> None:
        """Compare with the window that is shown from now on."""
        if (snapshot := self._app.snapshot) is not None:
            window = covered(snapshot)
            self.baseline = Baseline(snapshot.taken_at, window, measured(snapshot))
            key = self._app.key_of("baseline")
            self._app.say(f"The last {window} are the baseline; {key} compares.")

    def drop(self) -> None:
        """Compare with nothing."""
        self.baseline = None
