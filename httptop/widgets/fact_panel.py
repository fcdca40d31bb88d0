"""A panel of facts, each a figure, a name and a sentence; it scrolls where they are too many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from textual.actions import SkipAction
from textual.geometry import Size
from textual.strip import Strip

from httptop.view.health import Fact
from httptop.widgets.painting import Line, width_of
from httptop.widgets.scrolled import Scrolled
from httptop.widgets.sparkline import Symbols
from httptop.widgets.wrapping import wrapped

_MOST_FIGURE: Final = 12
_MOST_NAME: Final = 14


class FactPanel(Scrolled):
    """Lines of facts with their sentences wrapped to the width."""

    def __init__(self, symbols: Symbols, id: str) -> None:
        super().__init__(symbols)
        self.id = id
        self._facts: tuple[Fact, ...] = ()
        self._nothing = ""

    def show(self, facts: Iterable[Fact], nothing: str) -> None:
        """Show facts; ``nothing``: what to say if there are none."""
        self._facts, self._nothing = tuple(facts), nothing
        self._fit_lines()
        self.repaint()

    def on_resize(self) -> None:
        """Wrap the sentences again."""
        self._fit_lines()

    def _fit_lines(self) -> None:
        lines = sum(1 for _ in self._lines(self.canvas().width))
        self.virtual_size = Size(self.size.width, lines)

    def state(self) -> tuple[object, ...]:
        """Return from which line on they are in sight."""
        return (self.scroll_offset.y,)

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the lines in sight."""
        first = self.scroll_offset.y
        return [line.strip() for line in self._lines(width)][first : first + height]

    def _lines(self, width: int) -> Iterator[Line]:
        text, muted = self.hue("text"), self.hue("muted")
        if not self._facts:
            yield Line().space(1, text).add(self._nothing, muted)
        figures = min(_MOST_FIGURE, max((width_of(one.figure) for one in self._facts), default=0))
        names = min(_MOST_NAME, max((width_of(one.name) for one in self._facts), default=0))
        at = 1 + figures + 1 + names + 2
        for one in self._facts:
            hue = self.hue(one.hue)
            line = Line().space(1, text).add(self.fit(one.figure, figures, "right"), hue)
            line.space(1, text).add(self.fit(one.name, names), hue).space(2, text)
            for words in wrapped(one.text, width - at):
                yield line.add(words, muted if one.hue == "muted" else text)
                line = Line().space(at, text)

    # Moving, by the keys of tables

    def action_move(self, lines: int) -> None:
        """Scroll by a number of lines."""
        self.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by a page."""
        self.scroll_relative(y=pages * self.canvas().height, animate=False)

    def action_edge(self, last: int) -> None:
        """Scroll to the first or the last line."""
        self.scroll_to(y=self.max_scroll_y if last else 0, animate=False)

    def action_fold(self) -> None:
        """Scroll by a page, as tables do where nothing folds."""
        self.action_page(1)

    def action_open(self) -> None:
        """Leave the key to others: there is nothing to open."""
        raise SkipAction
