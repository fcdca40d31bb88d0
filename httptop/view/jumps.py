"""Whether a snapshot goes on from the last one that was seen, or another moment is shown."""

from __future__ import annotations

from typing import Final

#: What happened in a longer gap is not known; a fast replay leaves out up to 6 s.
_LONGEST_GAP_S: Final = 15.0
_MOST_TICKS: Final = 3


def jumped(before_s: float, now_s: float, interval_s: float) -> bool:
    """Return whether so much was left out between two moments that what was seen has ended.

    So it is where a replay goes back or seeks, and where the screen was paused. ``interval_s`` is
    the time between two ticks.
    """
    gap_s = now_s - before_s
    return gap_s < 0 or gap_s > max(_LONGEST_GAP_S, _MOST_TICKS * interval_s)
