"""The footer: the keys that work at the moment, each clickable, and above them a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from httptop.view.notices import Notice
from httptop.widgets.painting import Line, Painted, spread
from httptop.widgets.wrapping import wrapped

#: Key, its meaning, the action on a click.
Hint = tuple[str, str, str]


#: The most lines that the letters of a menu take, and those that a message takes.
_MOST_LINES: Final = 2
_MOST_TOLD: Final = 2


class KeyBar(Painted):
    """Shows keys, the most important first; the last is always there, of the others what fits.

    What it says goes before them, a message above them. Letters of a menu take two lines where one
    has no room for them.
    """

    DEFAULT_CSS = """
    KeyBar { height: 1; }
    """

    def __init__(self, hints: Sequence[Hint] = (), *, above: Widget | None = None) -> None:
        """``above``: what is hidden while this takes more than a line, so that nothing else moves.

        The class ``-covered`` hides it: to style that alone takes a twentieth of styling a screen.
        """
        super().__init__()
        self._above = above
        self.hints = tuple(hints)
        self.said = self._age = ""
        self._told: Notice | None = None
        self._most_lines = 1

    def say(self, text: str) -> None:
        """Show a text before the keys, or none."""
        if text != self.said:
            self.said = text
            self.repaint()

    def say_age(self, text: str) -> None:
        """Show before all else how old the figures are, where they are late, or nothing."""
        if text != self._age:
            self._age = text
            self.repaint()

    def tell(self, notice: Notice | None) -> None:
        """Show a message above the keys, or none; it takes the place of what is above."""
        if notice is not self._told:
            self._told = notice
            self._fit_height()
            self.repaint()

    def show(self, hints: Sequence[Hint], *, wrap: bool = False) -> None:
        """Show other keys; ``wrap``: on more lines if one is too short."""
        if (hints := tuple(hints)) != self.hints:
            self.hints = hints
            self._most_lines = _MOST_LINES if wrap else 1
            self._fit_height()
            self.repaint()

    def on_resize(self) -> None:
        """Take as many lines as the keys need at this width."""
        self._fit_height()

    def _fit_height(self) -> None:
        width = self.size.width
        lines = len(self._lines(width)) + len(self._message(width)) if width else 1
        self.styles.height = lines
        if self._above is not None:
            self._above.set_class(lines > 1, "-covered")

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the lines."""
        return [*self._message(width), *(line.strip() for line in self._lines(width))]

    def _message(self, width: int) -> list[Strip]:
        """Return the lines of the message; what there is no room for is on the page of health."""
        notice = self._told
        if notice is None:
            return []
        closes = Style.from_meta({"@click": "app.dismiss_notice"})
        text, key = self.hue("bad" if notice.wrong else "accent"), self.hue("key")
        right = Line()
        if notice.wrong:
            right.add(" Esc", key + closes).add(" ", key)
        room = width - 9
        lines = [part for line in notice.lines for part in wrapped(line, room)]
        first = Line().add(f" {self.glyphs.bad if notice.wrong else self.glyphs.dot} ", text)
        found = [first, *(Line().space(first.used, text) for _ in lines[1:_MOST_TOLD])]
        for line, words in zip(found, lines, strict=False):
            line.add(words, text)
        if len(lines) > _MOST_TOLD:
            found[-1].add(f" {self.glyphs.ellipsis}", text)
        return [spread(found[0], right, width, text), *(line.strip() for line in found[1:])]

    def _lines(self, width: int) -> list[Line]:
        lines = [Line()]
        for said in filter(None, (self._age, self.said)):
            lines[0].add(f" {said} ", self.hue("warn"))
        if not self.hints:
            return lines
        *hints, last = map(self._hint, self.hints)
        for hint in hints:
            at_last = len(lines) == self._most_lines
            if lines[-1].used + hint.used + (last.used if at_last else 0) > width:
                if at_last:
                    break
                lines.append(Line())
            lines[-1].join(hint)
        if lines[-1].used + last.used > width and len(lines) < self._most_lines:
            lines.append(Line())
        lines[-1].join(last)
        return lines

    def _hint(self, hint: Hint) -> Line:
        key, what, action = hint
        click = Style.from_meta({"@click": action}) if action else Style()
        line = Line().add(f" {key}", self.hue("key") + click)
        return line.add(f" {what} " if what else " ", self.hue("muted") + click)
