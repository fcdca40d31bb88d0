"""Charts of a report as SVG: requests a second by status, and a map of latencies.

Shapes of one colour are one path, so that a chart stays small. Colours and fonts are the page's.
Coordinates are whole numbers: of a stretch of time to a 1,100th of the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from httptop import humanize
from httptop.model import BANDS_PER_OCTAVE, LEAST_BAND_NS, Side
from httptop.report.markup import text
from httptop.report.timeline import Stretch

#: The classes of statuses as they are stacked, from the bottom, with their names.
CLASSES: Final = ((2, "2xx"), (3, "3xx"), (1, "1xx"), (4, "4xx"), (5, "5xx"), (0, "no response"))
#: How many shades the map has.
SHADES: Final = 8
_LEFT, _WIDTH, _RIGHT = 84, 1100, 16
_TOP, _BOTTOM = 12, 28
_MARKS_OF_TIME: Final = 6
_DAY_S: Final = 86_400


class _Frame:
    """Where things are in a chart: time from left to right, and lines for marks at the left."""

    def __init__(self, stretches: Sequence[Stretch], began_at: float, height: int) -> None:
        self._begin_s, self._end_s = stretches[0].begin_s, stretches[-1].end_s
        self._began_at, self.height = began_at, height

    def x(self, at_s: float) -> int:
        share = (at_s - self._begin_s) / max(self._end_s - self._begin_s, 1e-9)
        return _LEFT + round(share * _WIDTH)

    def y(self, share: float) -> int:
        """Return where a share of the height is, from below."""
        return _TOP + round((1 - share) * self.height)

    def svg(self, label: str, marks: Sequence[tuple[float, str]], shapes: str) -> Iterator[str]:
        """Yield the chart; ``marks`` are shares of the height, each with a text."""
        width, height = _LEFT + _WIDTH + _RIGHT, _TOP + self.height + _BOTTOM
        yield f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{text(label)}">'
        for share, words in marks:
            y = self.y(share)
            yield f'<path class="grid" d="M{_LEFT} {y}h{_WIDTH}"/>'
            yield f'<text class="end" x="{_LEFT - 8}" y="{y + 5}">{text(words)}</text>'
        yield shapes
        day = self._end_s - self._begin_s > _DAY_S
        for number in range(_MARKS_OF_TIME):
            share = number / (_MARKS_OF_TIME - 1)
            at_s = self._begin_s + share * (self._end_s - self._begin_s)
            moment = datetime.fromtimestamp(self._began_at + at_s, UTC)
            kind = "end" if number == _MARKS_OF_TIME - 1 else "middle" if number else "begin"
            yield (
                f'<text class="{kind}" x="{self.x(at_s)}" y="{height - 8}">'
                f"{moment:%d %b %H:%M}</text>"
                if day
                else f'<text class="{kind}" x="{self.x(at_s)}" y="{height - 8}">'
                f"{moment:%H:%M:%S}</text>"
            )
        yield "</svg>"


def rate_chart(side: Side, stretches: Sequence[Stretch], began_at: float) -> Iterator[str]:
    """Yield requests a second over time, coloured by status."""
    shown = [stretch for stretch in stretches if stretch.seconds > 0]
    if not shown:
        return
    frame = _Frame(shown, began_at, 180)
    highest = max(one.sides[side].requests / one.seconds for one in shown)
    top = _round_up(highest)
    shapes: dict[int, list[str]] = {number: [] for number, _ in CLASSES}
    for one in shown:
        x, below = frame.x(one.begin_s), 0.0
        width = max(1, frame.x(one.end_s) - x)
        for number, _ in CLASSES:
            if not (rate := one.sides[side].classes[number] / one.seconds):
                continue
            y, foot = frame.y((below + rate) / top), frame.y(below / top)
            below += rate
            shapes[number].append(_box(x, y, width, max(1, foot - y)))
    marks = [(share, f"{humanize.rate(top * share)}/s") for share in (0.0, 0.5, 1.0)]
    paths = "".join(
        f'<path class="c{number}" d="{"".join(found)}"/>'
        for number, found in shapes.items()
        if found
    )
    label = f"Requests a second over time, {side} side: at most {humanize.rate(highest)}/s"
    yield from frame.svg(label, marks, paths)


def heat_map(side: Side, stretches: Sequence[Stretch], began_at: float) -> Iterator[str]:
    """Yield the latencies over time, stronger the more of them; nothing if none is known."""
    shown = [stretch for stretch in stretches if stretch.seconds > 0]
    bands = [band for one in shown for band in one.sides[side].bands]
    if not bands:
        return
    low, high = min(bands), max(bands) + 1
    frame = _Frame(shown, began_at, 10 * min(high - low, 34))
    most = max(n / one.seconds for one in shown for n in one.sides[side].bands.values())
    shapes: list[list[str]] = [[] for _ in range(SHADES)]
    for one in shown:
        x = frame.x(one.begin_s)
        width = max(1, frame.x(one.end_s) - x)
        for band, count in one.sides[side].bands.items():
            y, foot = frame.y((band + 1 - low) / (high - low)), frame.y((band - low) / (high - low))
            shapes[_shade(count / one.seconds, most)].append(_box(x, y, width, max(1, foot - y)))
    paths = "".join(
        f'<path class="h{shade}" d="{"".join(found)}"/>'
        for shade, found in enumerate(shapes)
        if found
    )
    powers = (_band_of(10.0**power) for power in range(3, 14))
    marks = [
        ((band - low) / (high - low), humanize.duration(_least_of(band)))
        for band in powers
        if low <= band <= high
    ]
    label = (
        f"Latencies over time, {side} side, from {humanize.duration(_least_of(low))} "
        f"to {humanize.duration(_least_of(high))}"
    )
    yield from frame.svg(label, marks, paths)


def _box(x: int, y: int, width: int, height: int) -> str:
    return f"M{x} {y}h{width}v{height}h-{width}z"


def _shade(rate: float, most: float) -> int:
    """Return the shade of a rate: each next one stands for twice as many."""
    return max(0, SHADES - 1 - int(math.log2(max(most / rate, 1.0))))


def _least_of(band: float) -> float:
    """Return the least latency of a band."""
    return float(LEAST_BAND_NS * 2 ** (band / BANDS_PER_OCTAVE))


def _band_of(latency_ns: float) -> float:
    """Return where a latency stands among the bands."""
    return math.log2(latency_ns / LEAST_BAND_NS) * BANDS_PER_OCTAVE


def _round_up(highest: float) -> float:
    """Return the next round number, for the top of an axis."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(
        power * step for step in (1, 2, 3, 4, 5, 6, 8, 10) if power * step >= highest * 0.999
    )
