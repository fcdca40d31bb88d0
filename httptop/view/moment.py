"""The moment that the screen shows where that is not now, and the line of time on which it lies.

Pure functions, without Textual.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from httptop.view.watches import Event

#: How many times as fast as it was the past can be played.
SPEEDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Rate(NamedTuple):
    """The requests a second at a moment."""

    at: float  # Unix time, seconds
    rate: float


class Mark(NamedTuple):
    """What is marked on the line of time."""

    at: float  # Unix time, seconds
    kind: Literal["event", "baseline"]


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a capture that is played; the screen shows it, a replay makes it."""

    host: str
    number: int  # of the snapshot that is shown, from 0 on
    playing: bool
    speed: float
    #: Whether the shown moment is its last one.
    ended: bool = False
    #: Seconds between two snapshots if they do not come at the pace of their times.
    pace_s: float | None = None
    #: What it is doing that takes time, in a few words; empty: nothing.
    busy: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment that is shown, and of which times others can be; all are Unix times, seconds."""

    at: float
    first: float
    last: float
    playing: bool = False
    speed: float = 1.0
    #: The capture that is played; None: it is the past of this run.
    recording: Recording | None = None
    rates: Sequence[Rate] = ()
    marks: Sequence[Mark] = ()
    #: Ticks that are further apart than that have a gap between them.
    longest_gap_s: float = 15.0


def marks_of(
    events: Sequence[Event], baseline_at: float | None, first: float, last: float
) -> list[Mark]:
    """Return the marks between two times: of events, which are the newest first; of a baseline."""
    marks = [Mark(event.began_at, "event") for event in reversed(events)]
    if baseline_at is not None:
        marks.append(Mark(baseline_at, "baseline"))
    return [mark for mark in marks if first <= mark.at <= last]


def next_speed(speed: float, step: int) -> float | None:
    """Return the next higher speed (``step`` 1), or the next lower one (-1); None: there is none.

    It is one of SPEEDS.
    """
    if step > 0:
        return next((one for one in SPEEDS if one > speed), None)
    return next((one for one in reversed(SPEEDS) if one < speed), None)


def column_of(at: float, first: float, last: float, width: int) -> int:
    """Return the column of a time, where ``width`` of them go from ``first`` to ``last``.

    Times outside are in the nearest column.
    """
    if last <= first or width <= 1:
        return max(0, width - 1)
    return max(0, min(width - 1, int((at - first) / (last - first) * width)))


def time_of(column: int, first: float, last: float, width: int) -> float:
    """Return the time in the middle of a column; that of the last one is ``last``."""
    if column <= 0:
        return first
    return last if column >= width - 1 else first + (column + 0.5) / width * (last - first)


def profile(moment: Moment, width: int) -> list[float | None]:
    """Return the mean rate of each of ``width`` columns; None: nothing is known of that time.

    Where columns are narrower than ticks, each has the rate of the tick that ends in or behind it.
    """
    if width <= 0:
        return []
    sums, counts = [0.0] * width, [0] * width
    found: list[float | None] = [None] * width
    before_at, start = -math.inf, 0
    for at, rate in moment.rates:
        column = column_of(at, moment.first, moment.last, width)
        sums[column] += rate
        counts[column] += 1
        if column > start + 1 and at - before_at <= moment.longest_gap_s:
            found[start + 1 : column] = [rate] * (column - start - 1)
        before_at, start = at, column
    for column, count in enumerate(counts):
        if count:
            found[column] = sums[column] / count
    return found
