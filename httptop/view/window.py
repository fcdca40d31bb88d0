"""The window as the user chooses it: the lengths that there are, and what it is called."""

from __future__ import annotations

import math
from typing import Final

from httptop import humanize
from httptop.model import Snapshot
from httptop.view.state import View

#: The lengths (s) that the user may choose, besides that of the settings.
WINDOWS: Final = (10.0, 60.0, 300.0)
#: The window that has all since start.
SINCE_START: Final = math.inf
#: A window that covers less than it should, or more, by more than this share, is said to.
_FAR: Final = 0.1
_DAY_S: Final = 86_400.0
_SINCE_START: Final = "since start"


def next_window(now_s: float, step: int, first_s: float) -> float | None:
    """Return the next longer window (``step`` 1), or the next shorter one (-1).

    ``first_s``: that with which the run began. The longest one is SINCE_START; None: there is none.
    """
    windows = sorted({*WINDOWS, first_s, SINCE_START})
    if step > 0:
        return next((seconds for seconds in windows if seconds > now_s), None)
    return next((seconds for seconds in reversed(windows) if seconds < now_s), None)


def covered(snapshot: Snapshot) -> str:
    """Return what the window covers: ``1m``, or ``23s`` where that is far from the whole."""
    whole = abs(snapshot.covered_s - snapshot.window_s) <= _FAR * snapshot.window_s
    return humanize.span(snapshot.window_s if whole else snapshot.covered_s)


def window_named(snapshot: Snapshot, view: View) -> str:
    """Return of which time the figures are, where there is little room: ``window 23s of 1m``."""
    if view.since_start:
        return _SINCE_START
    window_s, covered_s = view.window_s or snapshot.window_s, snapshot.covered_s
    of = f"{humanize.span(covered_s)} of " if covered_s < (1 - _FAR) * window_s else ""
    return f"window {of}{humanize.span(window_s)}"


def window_of(snapshot: Snapshot, view: View) -> str:
    """Return of which time the figures are: ``window 1m``, ``window 1m (23s so far)``.

    That is as long as it grows from the start. Late ticks, or no room, make it cover more or less
    than it should: ``window 10s (covers 13s)``.
    Since start: ``since start 12:03:11``, or how long ago that was, if it was not today.
    """
    if view.since_start:
        if snapshot.uptime_s >= _DAY_S:
            return f"{_SINCE_START} {humanize.clock(snapshot.uptime_s)} ago"
        begun = humanize.time_of_day(snapshot.taken_at - snapshot.uptime_s)
        return f"{_SINCE_START} {begun[:8]}"
    window_s, covered_s = view.window_s or snapshot.window_s, snapshot.covered_s
    name = f"window {humanize.span(window_s)}"
    if covered_s < (1 - _FAR) * window_s:
        if covered_s >= (1 - _FAR) * snapshot.uptime_s:
            return f"{name} ({humanize.span(covered_s)} so far)"
        return f"{name} (covers {humanize.span(covered_s)})"
    if covered_s > (1 + _FAR) * window_s:
        return f"{name} (covers {humanize.span(covered_s)})"
    return name
