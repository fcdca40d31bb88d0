"""The title of the page of health."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from httptop import humanize
from httptop.model import Snapshot
from httptop.widgets.painting import Line, Painted, spread
from httptop.widgets.sparkline import Symbols


class HealthTitle(Painted):
    """Shows the host, how long the run has lasted, and of when the figures are."""

    DEFAULT_CSS = """
    HealthTitle { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self._snapshot: Snapshot | None = None

    def show(self, snapshot: Snapshot | None) -> None:
        """Show whose figures they are."""
        self._snapshot = snapshot
        self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line."""
        text, muted, snapshot = self.hue("text"), self.hue("muted"), self._snapshot
        left = Line().add(" health", self.hue("accent") + Style(bold=True))
        right = Line()
        if snapshot is not None:
            host = self.fit(snapshot.host, max(8, width - 40)).rstrip()
            left.add(f"  {host}", self.hue("strong"))
            left.add(f"  up {humanize.clock(snapshot.uptime_s)}", muted)
            right.add(f"as of {humanize.time_of_day(snapshot.taken_at)[:8]} ", muted)
        return [spread(left, right, width, text)]
