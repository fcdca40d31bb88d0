"""The line that says what stands out; each part opens what it is about."""

from __future__ import annotations

from typing import Final

from rich.style import Style
from textual.strip import Strip

from httptop.view.headline import Finding, Kind, fitted
from httptop.widgets.painting import Line, Painted, width_of
from httptop.widgets.sparkline import Symbols

_HUES: Final[dict[Kind, str]] = {
    "watch": "bad",
    "failing": "5xx",
    "hangs": "bad",
    "slower": "bad",
    "new": "accent",
}


class Headline(Painted):
    """Shows what stands out, the most urgent first, in as many words as there is room for."""

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
        for finding, words, cells in fitted(self._findings, width + 1, width_of):
            number = self._findings.index(finding)
            opens = Style.from_meta({"@click": f"screen.open_finding({number})"})
            line.add(f"{marks[finding.kind]} ", self.hue(_HUES[finding.kind]) + opens)
            line.add(self.fit(words, cells), text + opens).space(2, text)
        return [line.strip()]
