"""The map of latencies over time: a column for some ticks, a line for a range of latencies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from textual.strip import Strip

from httptop.model import BANDS_PER_OCTAVE, LEAST_BAND_NS, Bands
from httptop.view.state import Scene
from httptop.widgets.painting import Line, Painted, Palette
from httptop.widgets.sparkline import Symbols
from httptop.widgets.time_axis import axis, columns, per_column, tick_of

_SHADES: Final = " ·░▒▓█"
_ASCII: Final = " .:+*#"
#: The width of a line's label.
LABEL: Final = 6
#: The marks of the scale, in nanoseconds.
_MARKS: Final = (
    (1e3, "1µs"), (1e4, "10µs"), (1e5, "100µs"), (1e6, "1ms"), (1e7, "10ms"), (1e8, "100ms"),
    (1e9, "1s"), (1e10, "10s"), (1e11, "100s"), (1e12, "1000s"),
)  # fmt: skip


def sum_of(ticks: Sequence[Bands]) -> Bands:
    """Return the bands of some ticks together."""
    found: dict[int, int] = {}
    for bands in ticks:
        for band, count in bands:
            found[band] = found.get(band, 0) + count
    return tuple(sorted(found.items()))


def band_of(latency_ns: float) -> float:
    """Return where a latency stands among the bands."""
    return math.log2(latency_ns / LEAST_BAND_NS) * BANDS_PER_OCTAVE


def scale(shown: Sequence[Bands], height: int) -> tuple[int, int]:
    """Return the lowest band of the map, and how many bands a line has."""
    used = [band for bands in shown for band, _ in bands]
    if not used:
        return round(band_of(1e5)), max(1, -(-34 // height))
    low, high = min(used), max(used) + 1
    number = max(1, -(-(high - low) // height))
    return max(0, low - (number * height - (high - low)) // 2), number


def label_of(low: int, number: int) -> str:
    """Return the mark that stands at a line, of bands from ``low`` on; empty: none does."""
    for latency_ns, label in _MARKS:
        if low <= band_of(latency_ns) < low + number:
            return label
    return ""


def shade(count: int, most: int) -> int:
    """Return how dark a cell is, 0 to 5: by the logarithm, so that one slow request is seen."""
    return math.ceil(math.log1p(count) / math.log1p(most) * 5) if count and most else 0


class HeatMap(Painted):
    """How many requests took how long, over the last minutes."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self._ticks: Sequence[Bands] = ()
        self._interval_s, self._newest = 1.0, 0
        self._end = ""

    def show(self, scene: Scene, end: str) -> None:
        """Show a scene; ``end`` is the moment that it is of, as the axis of time says it."""
        self._end = end
        self._ticks = scene.head.totals.trend_bands
        if (snapshot := scene.snapshot) is not None:
            self._interval_s = snapshot.interval_s
            self._newest = tick_of(snapshot)
        self.repaint()

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the map."""
        room, high = width - LABEL - 1, height - 1
        if room < 10 or high < 2:
            return []
        number = per_column(len(self._ticks), room)
        shown = columns(self._ticks, number, room, sum_of, self._newest)
        low, bands = scale(shown, high)
        lines = heat_lines(shown, (room, high), (low, bands), self.symbols, self.hue)
        below = axis(room, number * self._interval_s, self._end)
        lines.append(Line().space(LABEL + 1, self.hue("text")).add(below, self.hue("muted")))
        return [line.strip() for line in lines]


def heat_lines(
    shown: Sequence[Bands],
    size: tuple[int, int],
    lines_of: tuple[int, int],
    symbols: Symbols,
    hue: Palette,
) -> list[Line]:
    """Return the lines of a map from the top down, each with its label.

    ``size``: the columns and lines of the map without labels; ``lines_of``: the lowest band, and
    how many a line has.
    """
    (width, height), (low, number) = size, lines_of
    cells = [by_line(column, low, number) for column in shown]
    most = max((count for column in cells for count in column.values()), default=0)
    marks = _ASCII if symbols == "ascii" else _SHADES
    lines = []
    for level in range(height - 1, -1, -1):
        label = label_of(low + level * number, number)
        line = Line().add(label.rjust(LABEL), hue("muted")).space(1, hue("text"))
        line.space(width - len(shown), hue("text"))
        shades = "".join(marks[shade(column.get(level, 0), most)] for column in cells)
        lines.append(line.add(shades, hue("rate")))
    return lines


def by_line(bands: Bands, low: int, number: int) -> Mapping[int, int]:
    """Return the latencies of each line of a map, from 0 up."""
    found: dict[int, int] = {}
    for band, count in bands:
        line = (band - low) // number
        found[line] = found.get(line, 0) + count
    return found
