"""The graph of requests a second, coloured by what became of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.style import Style
from textual.strip import Strip

from httptop import humanize
from httptop.view.state import Scene
from httptop.widgets.painting import Line, Painted
from httptop.widgets.sparkline import Symbols
from httptop.widgets.time_axis import axis, columns, per_column, tick_of

#: The classes that failed, and their hues, from a column's foot up; the others are below.
_ERRORS: Final = ((4, "4xx"), (5, "5xx"), (0, "none"))
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:#"
_LABEL: Final = 6
#: Beyond this share of the columns a peak is cut off, so that it does not flatten the rest.
_SHARE: Final = 0.98


def top_of(rates: Sequence[float]) -> float:
    """Return the top of the scale, a round number: few peaks may be beyond it."""
    if not rates or (peak := max(rates)) <= 0:
        return 1.0
    ordered = sorted(rates)
    usual = ordered[min(len(ordered) - 1, int(len(ordered) * _SHARE))]
    wanted = peak if peak <= 1.5 * usual or usual <= 0 else 1.2 * usual
    digit = 10.0 ** math.floor(math.log10(wanted))
    return next(step * digit for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * digit >= wanted)


def mean_of(ticks: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the mean rates by class of some ticks."""
    return tuple(sum(rates) / len(ticks) for rates in zip(*ticks, strict=True))


class Cell(NamedTuple):
    """A cell of a column."""

    hue: str  # "": it is above the column's top
    thin: bool = False  # less than half a cell of it: a line at the upper edge


def layers(rates: Sequence[float], top: float, height: int) -> list[Cell]:
    """Return the cells of a column from its foot up.

    What fails has a line in a cell of its own, however little it is: that it does is what matters.
    """
    errors: list[Cell] = []
    for at, hue in _ERRORS:
        if rates[at] > 0:
            cells = round(rates[at] / top * height)
            errors += [Cell(hue)] * min(height, cells) or [Cell(hue, thin=True)]
    errors = errors[-height:]
    filled = min(height, max(math.ceil(sum(rates) / top * height), len(errors)))
    return [Cell("rate")] * (filled - len(errors)) + errors + [Cell("")] * (height - filled)


class RateGraph(Painted):
    """Requests a second over the last minutes, a column for some ticks, with its axes."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self._ticks: Sequence[tuple[float, ...]] = ()
        self._interval_s, self._newest = 1.0, 0
        self._end = ""

    def show(self, scene: Scene, end: str) -> None:
        """Show a scene; ``end`` is the moment that it is of, as the axis of time says it."""
        self._end = end
        self._ticks = scene.head.totals.trend_classes
        if (snapshot := scene.snapshot) is not None:
            self._interval_s = snapshot.interval_s
            self._newest = tick_of(snapshot)
        self.repaint()

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the graph."""
        room, high = width - _LABEL - 1, height - 1
        if room < 10 or high < 2:
            return []
        text, muted = self.hue("text"), self.hue("muted")
        number = per_column(len(self._ticks), room)
        shown = columns(self._ticks, number, room, mean_of, self._newest)
        rates = [sum(column) for column in shown]
        top = top_of(rates)
        painted = [layers(column, top, high) for column in shown]
        lines = []
        for level in range(high - 1, -1, -1):
            label = humanize.rate(top) if level == high - 1 else "" if level else "0"
            line = Line().add(label.rjust(_LABEL), muted).space(1, text)
            line.space(room - len(shown), text)
            for column, rate in zip(painted, rates, strict=True):
                line.add(*self._cell(column, rate / top * high, level, high))
            lines.append(line.strip())
        below = axis(room, number * self._interval_s, self._end)
        return [*lines, Line().space(_LABEL + 1, text).add(below, muted).strip()]

    def _cell(self, column: list[Cell], filled: float, level: int, high: int) -> tuple[str, Style]:
        marks = _ASCII if self.symbols == "ascii" else _BLOCKS
        hue, thin = column[level]
        if not hue:
            return " ", self.hue("text")
        if self.app.no_color and hue != "rate":
            return hue[0], self.hue(hue)  # 4, 5, or n: of no response
        if level == high - 1 and filled > high + 0.5:
            return self.glyphs.up, self.hue(hue)  # cut off
        if thin:
            if self.symbols == "ascii":
                return "-", self.hue(hue)
            return "▔", self.hue(hue) + Style(bgcolor=self.hue("rate").color)
        part = filled - level if hue == "rate" else 1.0
        step = max(1, min(len(marks) - 1, round(part * (len(marks) - 1))))
        return marks[step], self.hue(hue)
