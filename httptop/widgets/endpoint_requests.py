"""The single requests on the page of an endpoint: those in flight, and recent ones to open."""

from __future__ import annotations

from typing import Final

from textual.strip import Strip

from httptop.humanize import Units
from httptop.model import EndpointKey, Snapshot, Transaction
from httptop.view.in_flight import Waiting, of_endpoint
from httptop.widgets.in_flight_table import age_hue, beyond, caller, process
from httptop.widgets.painting import Line, Palette
from httptop.widgets.sparkline import GLYPHS, Symbols

#: The most requests in flight that are listed; a screen of their own has all.
MOST_LISTED: Final = 5
_PROCESS: Final = 22


class RecentRequests:
    """The recent requests of an endpoint, one of which is chosen.

    They come faster than anyone chooses. So they are held while another than the first is chosen.
    """

    def __init__(self) -> None:
        self.shown: list[Transaction] = []
        self.at = 0  # the index of the chosen one

    @property
    def held(self) -> bool:
        """Whether newer ones are not shown."""
        return self.at > 0

    @property
    def chosen(self) -> Transaction | None:
        """The request under the cursor."""
        return self.shown[self.at] if self.shown else None

    def show(self, requests: list[Transaction]) -> None:
        """Show these, unless the list is held."""
        if not self.held:
            self.shown = requests

    def choose(self, at: int) -> None:
        """Choose a request by its index, or the nearest one."""
        self.at = max(0, min(at, len(self.shown) - 1))


class EndpointInFlight:
    """The requests of an endpoint that are in flight."""

    def __init__(self) -> None:
        self.waiting: tuple[Waiting, ...] | None = ()  # None: they are not known

    def show(self, snapshot: Snapshot, key: EndpointKey) -> None:
        """Take those of a snapshot."""
        self.waiting = of_endpoint(snapshot, key)

    @property
    def hangs(self) -> bool:
        """Whether one of them hangs."""
        return any(one.hangs for one in self.waiting or ())

    def lines(self, hue: Palette, symbols: Symbols, units: Units) -> list[Strip]:
        """Return a line for each of the oldest ones, and how many there are besides."""
        found = self.waiting or ()
        text, muted, ellipsis = hue("text"), hue("muted"), GLYPHS[symbols].ellipsis
        lines = []
        for one in found[:MOST_LISTED]:
            side = one.request.key.side
            age = hue(age_hue(one))
            line = Line().space(1, text)
            line.add(units.duration(one.request.age_ns), age, max(7, units.latency_width), "right")
            line.space(1, text).add(beyond(one, symbols), age, 8)
            line.add(process(one, _PROCESS, ellipsis), hue("accent"), _PROCESS)
            line.add("  from " if side == "server" else "  to ", muted).add(caller(one), text)
            lines.append(line.strip())
        if (more := len(found) - MOST_LISTED) > 0:
            said = f" {ellipsis} {more:,} more, younger"
            lines.append(Line().add(said, muted).strip())
        return lines
