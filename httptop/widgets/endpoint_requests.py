"""The single requests on the page of an endpoint: sampled ones to open, and those in flight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

from rich.style import Style
from textual.strip import Strip

from httptop.humanize import Units
from httptop.model import EndpointKey, Snapshot, Transaction
from httptop.view.in_flight import Waiting, of_endpoint
from httptop.view.kept_requests import KEPT_S, Order
from httptop.widgets.in_flight_table import age_hue, beyond, caller, process
from httptop.widgets.live_requests import request_lines
from httptop.widgets.painting import Line, Palette
from httptop.widgets.sparkline import GLYPHS, Symbols

#: The lists, of which one is shown.
Choice = Literal[Order, "in flight"]
CHOICES: Final[tuple[Choice, ...]] = get_args(Choice)

#: The most requests in flight that are listed beside another list; a screen of their own has all.
MOST_LISTED: Final = 5
_PROCESS: Final = 22
_WITHIN: Final = f"{KEPT_S / 60:g}m"
_NOTES: Final[dict[Choice, str]] = {
    "slowest": f"sampled, last {_WITHIN}",
    "failed": f"sampled, last {_WITHIN}, newest first",
    "newest": "sampled",
    "in flight": "oldest first",
}
_NONE: Final[dict[Choice, str]] = {
    "slowest": f"none sampled in the last {_WITHIN}",
    "failed": f"no failed one sampled in the last {_WITHIN}",
    "newest": "none sampled recently",
    "in flight": "none",
}

#: Returns the requests of an order.
Sampled = Callable[[Order], list[Transaction]]


class SampledRequests:
    """The sampled requests of an endpoint in one of their orders, of which one is chosen.

    They come faster than anyone chooses. So they are held while another than the first is chosen.
    """

    def __init__(self, choice: Choice = "slowest") -> None:
        self.choice: Choice = choice
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

    def show(self, sampled: Sampled) -> None:
        """Show those of the order, unless the list is held."""
        if not self.held:
            self.shown = [] if self.choice == "in flight" else sampled(self.choice)

    def switch(self, choice: Choice, sampled: Sampled) -> None:
        """Show another list, from its first request on."""
        self.choice, self.at = choice, 0
        self.show(sampled)

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

    def lines(
        self, hue: Palette, symbols: Symbols, units: Units, most: int | None = MOST_LISTED
    ) -> list[Strip]:
        """Return a line for each of the oldest ones, and how many there are besides."""
        found = self.waiting or ()
        listed = found if most is None else found[:most]
        text, muted, ellipsis = hue("text"), hue("muted"), GLYPHS[symbols].ellipsis
        lines = []
        for one in listed:
            side = one.request.key.side
            age = hue(age_hue(one))
            line = Line().space(1, text)
            line.add(units.age(one.request.age_ns), age, max(7, units.latency_width), "right")
            line.space(1, text).add(beyond(one, symbols), age, 8)
            line.add(process(one, _PROCESS, ellipsis), hue("accent"), _PROCESS)
            line.add("  from " if side == "server" else "  to ", muted).add(caller(one), text)
            lines.append(line.strip())
        if (more := len(found) - len(listed)) > 0:
            said = f" {ellipsis} {more:,} more, younger"
            lines.append(Line().add(said, muted).strip())
        return lines


def requests_title(
    requests: SampledRequests,
    in_flight: EndpointInFlight,
    width: int,
    hue: Palette,
    symbols: Symbols,
) -> Strip:
    """Return the title: the lists, of which a click chooses one, and what the shown one is."""
    muted, glyphs = hue("muted"), GLYPHS[symbols]
    line = Line().add("REQUESTS ", hue("accent") + Style(bold=True))
    for choice in CHOICES:
        style = hue("chip") + Style(bold=True) if choice == requests.choice else hue("key")
        known = in_flight.waiting if choice == "in flight" else None
        count = "" if known is None else f" {len(known):,}"
        click = Style.from_meta({"@click": f"screen.requests({choice!r})"})
        line.add(f" {choice}{count} ", style + click)
    note = "held: the first one resumes" if requests.held else _NOTES[requests.choice]
    line.add(f" {note} ", muted)
    return line.add(glyphs.rule * max(width - line.used, 0), hue("faint")).strip()


def requests_section(
    requests: SampledRequests,
    in_flight: EndpointInFlight,
    width: int,
    hue: Palette,
    symbols: Symbols,
    units: Units,
) -> list[Strip]:
    """Return the lines below the title: those of the sampled requests have a heading."""
    if recent := requests.shown:
        return request_lines(recent, width, len(recent) + 1, hue, symbols, units)
    if requests.choice == "in flight" and in_flight.waiting:
        return in_flight.lines(hue, symbols, units, most=None)
    unknown = requests.choice == "in flight" and in_flight.waiting is None
    said = "not known" if unknown else _NONE[requests.choice]
    return [Line().add(f"  {said}", hue("muted")).strip()]
