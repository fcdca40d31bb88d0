"""The current filters as chips above the table: those of the run, and those of the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from textual.strip import Strip

from httptop.filters import conjuncts
from httptop.filters.on_screen import reach
from httptop.view.keys import DIGITS
from httptop.view.state import View
from httptop.widgets.painting import Line, Painted, width_of
from httptop.widgets.sparkline import Symbols

#: A filter of the run, and whether the kernel applies it.
Fixed = tuple[str, bool]

_MOST_LINES = 3
_WIDEST = 60
_NOTES = {"endpoints": "endpoints: ", "both": ""}


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter as text."""

    text: str
    label: str = ""  # for a filter of the run: what applies it
    path: bool = False  # whether it is the part of a path


def removable(view: View) -> list[Chip]:
    """Return the chips of a view's filters: the part of a path, then each part of the filter."""
    chips = [Chip(f"path: {view.path_filter}", path=True)] if view.path_filter else []
    if view.expression is not None:
        chips += [Chip(f"{_NOTES[reach(part)]}{part}") for part in conjuncts(view.expression)]
    return chips


class FilterChips(Painted):
    """Shows the chips on as many lines as they need; without chips it takes no room.

    Filters of the run cannot be removed, since what they exclude is not counted. Those that the
    kernel applies are labelled.
    """

    DEFAULT_CSS = """
    FilterChips { height: 1; display: none; }
    FilterChips.-some { display: block; }
    """

    def __init__(self, symbols: Symbols, fixed: Sequence[Fixed]) -> None:
        super().__init__(symbols)
        self.fixed = [Chip(text, "kernel" if in_kernel else "run") for text, in_kernel in fixed]
        self.chips: list[Chip] = []
        #: Whether each chip shows the number that removes it.
        self.numbered = False

    def show(self, view: View, numbered: bool) -> None:
        """Show the filters of a view; ``numbered``: with the numbers that remove them."""
        chips = removable(view)
        if chips == self.chips and numbered == self.numbered and self.has_class("-some"):
            return
        self.chips, self.numbered = chips, numbered
        self.set_class(bool(self.fixed or chips), "-some")
        self._fit_height(self.size.width)
        self.repaint()

    def on_resize(self) -> None:
        """Take as many lines as the chips need at this width."""
        self._fit_height(self.size.width)

    def _fit_height(self, width: int) -> None:
        self.styles.height = max(1, len(self._lines(width))) if width else 1

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the lines of chips."""
        return [line.strip() for line in self._lines(width)]

    def _lines(self, width: int) -> list[Line]:
        text = self.hue("text")
        lines = [Line().space(1, text)]
        drawn = [self._fixed(chip, width) for chip in self.fixed]
        drawn += [self._removable(chip, n, width) for n, chip in enumerate(self.chips)]
        for n, chip in enumerate(drawn):
            line = lines[-1]
            last = len(lines) == _MOST_LINES
            more = f" +{len(drawn) - n}" if last and n + 1 < len(drawn) else ""
            if line.used > 1 and line.used + chip.used + 1 + width_of(more) > width:
                if last:
                    line.add(f"+{len(drawn) - n}", self.hue("muted"))
                    break
                line = Line().space(1, text)
                lines.append(line)
            line.join(chip).space(1, text)
        return lines

    def _fixed(self, chip: Chip, width: int) -> Line:
        label = self.hue("accent") + self.cursor_style()
        return (
            Line()
            .add(f" {chip.label} ", label)
            .add(f"{self._cut(chip.text, width - 12)} ", self.hue("cursor"))
        )

    def _removable(self, chip: Chip, n: int, width: int) -> Line:
        body, line = self.hue("chip"), Line()
        if self.numbered and n < DIGITS:
            line.add(f" {n + 1}", self.hue("banner"))
        click = Style.from_meta({"@click": f"screen.drop_filter({n})"})
        edit = Style.from_meta({"@click": "screen.filter" if chip.path else "screen.edit_filter"})
        line.add(f" {self._cut(chip.text, width - 8)} ", body + edit)
        return line.add(f"{self.glyphs.remove} ", body + click)

    def _cut(self, text: str, width: int) -> str:
        room = max(8, min(width, _WIDEST))
        if width_of(text) <= room:
            return text
        return self.fit(text, room).rstrip()
