"""Plain ASCII, for terminals that can show nothing else: what everything else on a screen becomes.

Widgets choose ASCII marks where these mean something (``sparkline.GLYPHS``). This is the last step
before the terminal, also for what Textual draws: lines of boxes, scroll bars. Of what traffic and
processes hold each cell beyond ASCII is a question mark.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rich.cells import split_graphemes
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SAME: Final = {
    "-": "─━╌╍╴╶╸╺‐‑‒–—−▔",
    "|": "│┃▌▐▏▎▍▊❚",
    "+": "╭╮╰╯┌┐└┘├┤┬┴┼",
    "_": "▁",
    ".": "·•░",
    ":": "▂▃",
    "=": "▄▅≈",
    "#": "▆▇█▉▓▀■",
    "%": "▒",
    "*": "●◆✓",
    "^": "▲▴↑",
    "v": "▼▾↓",
    ">": "▶▸→›",
    "<": "◀◂←‹",
    "~": "…",
    "u": "µμ",
    "x": "×",
    "S": "Σ",
    "'": "‘’",
    '"': "“”",
}
_ASCII: Final = {glyph: mark for mark, glyphs in _SAME.items() for glyph in glyphs} | {
    glyph: str(digit) for digit, glyph in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")
}
_UNKNOWN: Final = "?"


@lru_cache(4096)
def plain(text: str) -> str:
    """Return a text in ASCII, of as many cells."""
    if text.isascii():
        return text
    cells = []
    for start, end, width in split_graphemes(text)[0]:
        glyph = text[start:end]
        cells.append(glyph if glyph.isascii() else _ASCII.get(glyph, _UNKNOWN * width))
    return "".join(cells)


class AsciiOnly(LineFilter):
    """Has every line in ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Return the segments of a line in ASCII."""
        return [Segment(plain(text), style, control) for text, style, control in segments]
