"""What says that the screen does not show now: a banner, and a line of time below it::

     ❚❚ 12:01:30, 2m42s ago: NOT LIVE   . now   [ ] tick   { } minute   P play
     11:34 ▁▂▂▃▃▂▂▂▁▁▂▂▃▃▂▂⚑▁▂▂▃▃▂▂▂▁▁▂▲▅▇█┃▇▆▅▅▅▅▅▆▆▅▅▅ now   ┃ shown ▲ event ⚑ baseline

The line has the requests a second of what is kept, or of a capture; a click on it goes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from httptop import humanize
from httptop.view.moment import Moment, column_of, profile, time_of
from httptop.widgets.key_bar import Hint
from httptop.widgets.painting import Line, Painted, Palette
from httptop.widgets.rate_graph import top_of
from httptop.widgets.sparkline import Glyphs, Symbols, capacity, trend

#: The legend is shown where it leaves so many cells for the line.
_LEAST_CELLS: Final = 50
#: The text of the banner may take so many cells, or half of the line; the keys have the rest.
_LEAST_TEXT: Final = 40
#: Ends less than so many seconds apart are told apart by their seconds.
_SHORT_S: Final = 600


class TimeLines(Painted):
    """Shows the banner and the line of time; ``titled=False``: the line alone."""

    DEFAULT_CSS = """
    TimeLines { height: 2; display: none; }
    TimeLines.-untitled { height: 1; }
    TimeLines.-shown { display: block; }
    """

    class Chosen(Message):
        """A place on the line of time was clicked."""

        def __init__(self, at: float) -> None:
            self.at = at
            super().__init__()

    def __init__(self, symbols: Symbols, *, titled: bool = True) -> None:
        super().__init__(symbols)
        self._titled = titled
        self.set_class(not titled, "-untitled", update=False)
        self._moment: Moment | None = None
        self._hints: Sequence[Hint] = ()
        self._profiled: tuple[tuple[object, ...], Sequence[float | None]] | None = None
        self._line_at = (0, 0)  # first cell of the line of time, and how many there are

    def show(self, moment: Moment | None, hints: Sequence[Hint]) -> None:
        """Show a moment and its keys; None: it is now, and nothing is shown."""
        self._moment, self._hints = moment, hints
        self.set_class(moment is not None, "-shown")
        if moment is not None:
            self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line or both."""
        moment = self._moment
        if moment is None:
            return []
        line = self._line(moment, width)
        if not self._titled:
            return [line]
        return [banner(moment, self._hints, Line(), width, self.hue, self.glyphs), line]

    def _line(self, moment: Moment, width: int) -> Strip:
        text, muted, glyphs = self.hue("text"), self.hue("muted"), self.glyphs
        digits = 8 if moment.last - moment.first < _SHORT_S else 5
        left = humanize.time_of_day(moment.first)[:digits]
        right = "now" if moment.recording is None else humanize.time_of_day(moment.last)[:digits]
        marks = {"event": (glyphs.up, "bad"), "baseline": (glyphs.flag, "key")}
        kinds = dict.fromkeys(mark.kind for mark in moment.marks)
        legend = Line().space(3, text).add(f"{glyphs.here} shown", muted)
        for kind in kinds:
            legend.add(f" {marks[kind][0]}", self.hue(marks[kind][1])).add(f" {kind}", muted)
        cells = width - len(left) - len(right) - 4
        if cells - legend.used >= _LEAST_CELLS:
            cells -= legend.used
        else:
            legend = Line()
        line = Line().add(f" {left} ", muted)
        self._line_at = line.used, max(0, cells)
        rates = self._profile(moment, capacity(max(0, cells), self.symbols))
        top = top_of([rate for rate in rates if rate is not None])
        bars = trend(rates, max(0, cells), self.symbols, top)
        graph = [(bar, "rate") for bar in bars]
        if graph:
            for mark in moment.marks:
                graph[column_of(mark.at, moment.first, moment.last, cells)] = marks[mark.kind]
            here = column_of(moment.at, moment.first, moment.last, cells)
            graph[here] = (glyphs.here, "strong")
        for glyph, hue in graph:
            line.add(glyph, self.hue(hue))
        return line.add(f" {right} ", muted).join(legend).strip()

    def _profile(self, moment: Moment, width: int) -> Sequence[float | None]:
        """Return the rates by column; those of a capture stay, and so do they between two ticks."""
        of = moment.rates, moment.first, moment.last, width
        if self._profiled is None or self._profiled[0][0] is not of[0] or self._profiled[0] != of:
            self._profiled = of, profile(moment, width)
        return self._profiled[1]

    def on_click(self, event: events.Click) -> None:
        """Ask for the moment that was clicked."""
        start, cells = self._line_at
        moment, column = self._moment, event.x - start
        if moment is not None and event.y == self.size.height - 1 and 0 <= column < cells:
            event.stop()
            self.post_message(self.Chosen(time_of(column, moment.first, moment.last, cells)))


def banner(
    moment: Moment, hints: Sequence[Hint], lead: Line, width: int, hue: Palette, glyphs: Glyphs
) -> Strip:
    """Return the line that says which moment is shown, behind ``lead``, and what its keys do."""
    bold = hue("banner")
    plain = bold + Style(bold=False)
    texts = _texts(moment, glyphs)
    room = max(_LEAST_TEXT, (width - lead.used) // 2)
    text = next((one for one in texts if len(one) <= room), texts[-1])
    line = Line().join(lead).add(text, bold)
    gap, pairs = "  ", Line()
    for key, what, action in hints:
        click = Style.from_meta({"@click": action})
        pairs.add(f"{gap}{key}", bold + click)
        gap = " "
        if what:  # else it has that of the next key
            pairs.add(f" {what}", plain + click)
            if line.used + pairs.used + 1 > width:
                break
            line.join(pairs)
            gap, pairs = "  ", Line()
    return line.to(width, bold).strip()


def _texts(moment: Moment, glyphs: Glyphs) -> list[str]:
    """Return what the banner says, the longest first."""
    at, recording = humanize.time_of_day(moment.at)[:8], moment.recording
    state = glyphs.play if moment.playing else glyphs.pause
    speed = f" ×{moment.speed:g}" if moment.speed != 1 else ""
    if recording is None:
        ago = f"{humanize.span(moment.last - moment.at)} ago"
        shown = f"{speed}" if moment.playing else ""
        return [
            f" {state}{shown} {at}, {ago}: NOT LIVE ",
            f" {state} {at}: NOT LIVE ",
            " NOT LIVE ",
        ]
    day, end = humanize.day(moment.at), ""
    if recording.ended:
        state, end = glyphs.stop, " END"
    pace = speed
    if recording.pace_s is not None:
        pace = f" one every {recording.pace_s / moment.speed:.3g}s"
    if recording.busy:
        pace = f" {recording.busy}"
    whole = humanize.span(moment.last - moment.first)
    place = f", {humanize.span(moment.at - moment.first)} of {whole}"
    return [
        f" REPLAY of {recording.host}  {state}{end} {day} {at}{place}{pace} ",
        f" REPLAY {state}{end} {day} {at}{place}{pace} ",
        f" REPLAY {state}{end} {day} {at}{pace} ",
        f" REPLAY {state}{end} {at}{pace} ",
        f" REPLAY {state}{end} {at} ",
    ]
