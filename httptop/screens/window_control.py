"""Changing the window: what the feed is asked for, what the view shows, what is said."""

from __future__ import annotations

from collections.abc import Callable

from httptop import humanize
from httptop.collect.window import MOST_BYTES, window_fits
from httptop.model import Snapshot
from httptop.screens.base import Httptop
from httptop.view.window import SINCE_START, next_window


class WindowControl:
    """Has figures cover a longer or a shorter window, or says why they do not."""

    def __init__(self, app: Httptop, ask: Callable[[float], None]) -> None:
        """``ask`` asks the feed for a window, in seconds."""
        self._app, self._ask = app, ask
        self._first_s: float | None = None  # that with which the run began

    def see(self, snapshot: Snapshot) -> None:
        """Take the newest snapshot."""
        self._first_s = self._first_s or snapshot.window_s

    def step(self, step: int) -> None:
        """Have the next longer window (``step`` 1), or the next shorter one (-1)."""
        app, view, snapshot = self._app, self._app.view, self._app.newest
        if snapshot is None:
            return
        window_s = view.window_s or snapshot.window_s
        now_s = SINCE_START if view.since_start else window_s
        fixed = app.run_controls.fixed_window if app.run_controls is not None else ""
        if fixed:
            also = "" if snapshot.hosts else ", and since start"
            app.say(f"{fixed}: {humanize.span(window_s)}{also}.")
            lengths = (window_s,) if snapshot.hosts else (window_s, SINCE_START)
            wanted_s = next((s for s in lengths if (s - now_s) * step > 0), None)
        else:
            wanted_s = self._next(now_s, step, snapshot)
        if wanted_s == SINCE_START:
            app.change_view(since_start=True)
        elif wanted_s is not None:
            if wanted_s != window_s:
                self._ask(wanted_s)
            app.change_view(since_start=False, window_s=wanted_s)

    def _next(self, now_s: float, step: int, snapshot: Snapshot) -> float | None:
        """Return the next window that there is room for; None: there is none, which is said."""
        wanted_s = next_window(now_s, step, self._first_s or snapshot.window_s)
        if wanted_s == SINCE_START and snapshot.hosts:
            self._app.say("There is no longer window: each host counts since its own start.")
            return None
        if wanted_s is None:
            self._app.say(f"There is no {'longer' if step > 0 else 'shorter'} window.")
        elif step > 0 and not window_fits(wanted_s, snapshot):
            self._app.say(
                f"There is no window of {humanize.span(wanted_s)}: with so many active endpoints "
                f"it would take more than {MOST_BYTES >> 20} MiB."
            )
            return SINCE_START
        return wanted_s
