"""The text on a terminal that is too small for the dashboard."""

from __future__ import annotations

from textual.strip import Strip

from httptop.widgets.painting import Line, Painted

LEAST_WIDTH = 60
LEAST_HEIGHT = 15


class TooSmall(Painted):
    """Shows the required size and the present one."""

    DEFAULT_CSS = """
    TooSmall { width: 1fr; height: 1fr; }
    """

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return two lines in the middle."""
        words = (
            (f"httptop needs {LEAST_WIDTH}x{LEAST_HEIGHT}", "accent"),
            (f"this terminal has {width}x{height}", "muted"),
        )
        blank = self.hue("text")
        lines = [Line().strip()] * max((height - len(words)) // 2, 0)
        for text, hue in words:
            left = max((width - len(text)) // 2, 0)
            lines.append(Line().space(left, blank).add(text, self.hue(hue)).strip())
        return lines
