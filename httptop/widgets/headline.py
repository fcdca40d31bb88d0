"""The line that says what stands out; each part opens what it is about."""

from __future__ import annotations

from typing import Final

from rich.style import Style
from textual.strip import Strip

from httptop.view.headline import Finding, Kind
from httptop.widgets.painting import Line, Painted, width_of
from httptop.widgets.sparkline import Symbols

_HUES: Final[dict[Kind, str]] = {
    "watch": "bad",
    "failing": "5xx",
    "hangs": "bad",
    "slower": "bad",
    "new": "accent",
}
_LEAST_WIDTH: Final = 20


class Headline(Painted):
    """Shows the findings side by side, the most urgent first, as far as there is room."""

    DEFAULT_CSS = """
    Headline { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self._findings: tuple[Finding, ...] | None = None

    def show(self, findings: tuple[Finding, ...]) -> None:
        """Show findings."""
        self._findings = findings
        self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line."""
        text, muted = self.hue("text"), self.hue("muted")
        line = Line().space(1, text)
        if self._findings is None:
            return [line.strip()]
        if not self._findings:
            return [line.add("nothing stands out", muted).strip()]
        glyphs = self.glyphs
        marks: dict[Kind, str] = {
            "watch": glyphs.bad,
            "failing": glyphs.bad,
            "hangs": glyphs.live,
            "slower": glyphs.up,
            "new": glyphs.dot,
        }
        shown = self._findings[: max(1, (width + 1) // (_LEAST_WIDTH + 4))]
        widths = shared([width_of(one.text) for one in shown], width - 1 - 4 * len(shown))
        for number, (finding, cells) in enumerate(zip(shown, widths, strict=True)):
            opens = Style.from_meta({"@click": f"screen.open_finding({number})"})
            line.add(f"{marks[finding.kind]} ", self.hue(_HUES[finding.kind]) + opens)
            line.add(self.fit(finding.text, cells), text + opens).space(2, text)
        return [line.strip()]


def shared(wanted: list[int], room: int) -> list[int]:
    """Return how many cells each text gets: the first what it wants, the others at least a few."""
    left, found = max(room, 0), list[int]()
    for at, cells in enumerate(wanted):
        least = sum(min(_LEAST_WIDTH, more) for more in wanted[at + 1 :])
        found.append(max(0, min(cells, max(left - least, min(left, _LEAST_WIDTH)))))
        left -= found[-1]
    return found
