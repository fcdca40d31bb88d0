"""The title of the page of an endpoint, and of one of its requests."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from httptop.model import EndpointKey
from httptop.widgets.painting import Line, Painted, spread
from httptop.widgets.sparkline import Symbols


class DetailTitle(Painted):
    """Shows method and path of the endpoint, and of which time the figures are."""

    DEFAULT_CSS = """
    DetailTitle { height: 1; }
    """

    def __init__(self, key: EndpointKey, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.key = key
        self.window = ""

    def switch(self, key: EndpointKey) -> None:
        """Show another endpoint."""
        self.key = key
        self.repaint()

    def show(self, window: str) -> None:
        """Show of which time the figures are, in words."""
        self.window = window
        self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line."""
        line = Line().add(f" {self.key.method} ", self.hue("chip") + Style(bold=True))
        blank = self.hue("text")
        room = max(width - line.used - 4 - len(self.window), 1)
        line.space(1, blank)
        path = self.fit(self.key.path, room)
        line.add(path, self.hue("strong") + Style(bold=True))
        return [spread(line, Line().add(f"{self.window} ", self.hue("muted")), width, blank)]
