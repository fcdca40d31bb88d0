"""The latencies of one endpoint: a map over time, and beside it what is different now."""

from __future__ import annotations

from typing import Final

from rich.style import Style
from textual.strip import Strip

from httptop import humanize
from httptop.model import Bands
from httptop.view.band_history import BandHistory, without
from httptop.widgets.heat_map import LABEL, by_line, heat_lines, scale, sum_of
from httptop.widgets.painting import Line, Palette
from httptop.widgets.sparkline import Symbols, bar
from httptop.widgets.time_axis import axis, columns, per_column

HEIGHT: Final = 9
#: The cells of the histogram beside the map, and from which width on there is one.
_HISTOGRAM: Final = 34
_WIDE: Final = 80
#: What "now" means in the histogram, once the page has been open for so long.
NOW_S: Final = 60.0
#: A share that differs by so much from what it was before is marked.
_DIFFERENT: Final = 0.05


def latency_panel(
    history: BandHistory,
    newest: int,
    interval_s: float,
    width: int,
    symbols: Symbols,
    hue: Palette,
) -> list[Strip]:
    """Return HEIGHT lines, and one of the axis; ``newest``: the number of the newest tick."""
    room = width - LABEL - 1 - (_HISTOGRAM if width >= _WIDE else 0)
    number = per_column(len(history.ticks), room)
    shown = columns(list(history.ticks), number, room, sum_of, newest)
    low, bands = scale([*shown, history.all] if width >= _WIDE else shown, HEIGHT)
    lines = heat_lines(shown, (room, HEIGHT), (low, bands), symbols, hue)
    below = Line().space(LABEL + 1, hue("text"))
    lines.append(below.add(axis(room, number * interval_s), hue("muted")))
    if width >= _WIDE:
        newest_ticks = history.newest(max(1, round(NOW_S / interval_s)))
        now, now_s = sum_of(newest_ticks), len(newest_ticks) * interval_s
        beside = _histogram(now, without(history.all, now), now_s, low, bands, symbols, hue)
        for line, more in zip(lines, beside, strict=True):
            line.space(2, hue("text")).join(more)
    return [line.strip() for line in lines]


def _histogram(
    now: Bands,
    before: Bands,
    now_s: float,
    low: int,
    number: int,
    symbols: Symbols,
    hue: Palette,
) -> list[Line]:
    """Return the lines of the histogram of now, with the shares before where they differ.

    ``now_s``: the seconds that are now.
    """
    text, muted = hue("text"), hue("muted")
    shares = [
        {level: count / total for level, count in by_line(bands, low, number).items()}
        for bands in (now, before)
        for total in [sum(count for _, count in bands) or 1]
    ]
    cells = 12
    most = max((share for some in shares for share in some.values()), default=0.0) or 1.0
    lines = []
    for level in range(HEIGHT - 1, -1, -1):
        share, was = (some.get(level, 0.0) for some in shares)
        line = Line().add(bar(share / most, cells, symbols), hue("rate"), cells)
        line.add(humanize.percent(share) if share else "", text, 6, "right")
        if now and before and abs(share - was) >= _DIFFERENT:
            changed = hue("strong") + Style(bold=True)
            line.add(f"  was {humanize.percent(was)}", changed)
        lines.append(line)
    count = sum(count for _, count in now)
    of = "response" if count == 1 else "responses"
    return [*lines, Line().add(f"last {humanize.span(now_s)}: {humanize.count(count)} {of}", muted)]
