"""The footer: the keys that work at the moment, each of them clickable."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from textual.strip import Strip

from httptop.widgets.painting import Line, Painted

#: Key, its meaning, the action on a click.
Hint = tuple[str, str, str]


class KeyBar(Painted):
    """Shows keys, the most important first; the last is always there, of the others what fits."""

    DEFAULT_CSS = """
    KeyBar { height: 1; }
    """

    def __init__(self, hints: Sequence[Hint] = ()) -> None:
        super().__init__()
        self.hints = tuple(hints)
        self.said = ""

    def say(self, text: str) -> None:
        """Show a text before the keys, or none."""
        if text != self.said:
            self.said = text
            self.repaint()

    def show(self, hints: Sequence[Hint]) -> None:
        """Show other keys."""
        if (hints := tuple(hints)) != self.hints:
            self.hints = hints
            self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line."""
        line = Line()
        if self.said:
            line.add(f" {self.said} ", self.hue("warn"))
        if not self.hints:
            return [line.strip()]
        *hints, last = map(self._hint, self.hints)
        for hint in hints:
            if line.used + hint.used + last.used > width:
                break
            line.join(hint)
        return [line.join(last).strip()]

    def _hint(self, hint: Hint) -> Line:
        key, what, action = hint
        click = Style.from_meta({"@click": action}) if action else Style()
        line = Line().add(f" {key}", self.hue("key") + click)
        return line.add(f" {what} " if what else " ", self.hue("muted") + click)
