"""The axis of time below a graph: which ticks a column stands for, and what is written below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from httptop.model import Snapshot

Value = TypeVar("Value")

#: The steps between marks of the axis, in seconds; the least cells between two marks.
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_LEAST_GAP: Final = 10


def tick_of(snapshot: Snapshot) -> int:
    """Return the number of a snapshot's tick."""
    return round(snapshot.uptime_s / snapshot.interval_s) if snapshot.interval_s > 0 else 0


def per_column(history: int, width: int) -> int:
    """Return how many ticks a column stands for, so that ``history`` of them fill the width."""
    return max(1, history // width) if width else 1


def columns(
    ticks: Sequence[Value],
    number: int,
    width: int,
    merge: Callable[[Sequence[Value]], Value],
    newest: int,
) -> list[Value]:
    """Return the newest columns, at most ``width``, each merged of ``number`` ticks.

    ``newest`` is the number of the newest tick. A column begins at a multiple of ``number``, so
    that only the newest one changes until it is full; the oldest may be of fewer ticks, too.
    """
    part = (newest + 1) % number or number
    found: list[Value] = []
    end = len(ticks)
    while end > 0 and len(found) < width:
        start = max(0, end - (number if found else part))
        found.append(merge(ticks[start:end]))
        end = start
    return found[::-1]


def ago(seconds: float) -> str:
    """Return a time that is past as a mark of the axis."""
    if seconds < 1:
        return "now"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"-{rest}s"
    if minutes >= 60 and not rest and not minutes % 60:
        return f"-{minutes // 60}h"
    return f"-{minutes}m{rest}s" if rest else f"-{minutes}m"


def axis(width: int, seconds_per_column: float, end: str = "now") -> str:
    """Return the line below a graph whose newest column is the last one; ``end`` is its mark."""
    step_s = next(
        (step for step in _STEPS_S if step / seconds_per_column >= _LEAST_GAP), _STEPS_S[-1]
    )
    line = [" "] * width
    mark = 0
    while (right := width - round(mark * step_s / seconds_per_column)) > 0:
        text = ago(mark * step_s) if mark else end
        # The first one ends at the last column, the others begin in the column that they name.
        left = right - len(text) if not mark else right - 1
        if (
            left >= 0
            and left + len(text) <= width
            and not "".join(line[left : left + len(text) + 1]).strip()
        ):
            line[left : left + len(text)] = text
        mark += 1
    return "".join(line)
