"""The processes with sockets, by service: what was seen of each, and why not more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from textual.message import Message
from textual.strip import Strip

from httptop import humanize
from httptop.coverage.services import Service
from httptop.widgets.bindings import row_meanings
from httptop.widgets.cursor_table import CursorTable
from httptop.widgets.painting import Align, Line
from httptop.widgets.sparkline import Symbols
from httptop.widgets.wrapping import wrapped

_HUES: Final = {3: "bad", 2: "warn", 1: "text", 0: "muted"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column; those with the lowest rank are shown first."""

    sort: str  # an order of coverage.services, or nothing
    title: str
    width: int
    rank: int
    align: Align = "left"


COLUMNS: Final = (
    Column("name", "PROCESS", 15, 0),
    Column("", "PID", 20, 3),
    Column("requests", "REQUESTS", 9, 1, "right"),
    Column("", "LISTENS", 14, 4),
    Column("sockets", "SOCKETS", 7, 2, "right"),
    Column("why", "WHY NOT SEEN", 17, 0),
)


def layout(width: int) -> tuple[tuple[Column, int], ...]:
    """Return the columns that fit into a width, with their widths; the last gets what is left."""
    left = width + 1
    chosen = []
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        if column.width + 1 > left:
            break
        chosen.append(column)
        left -= column.width + 1
    return tuple(
        (column, column.width + (max(left, 0) if column.sort == "why" else 0))
        for column in COLUMNS
        if column in chosen
    )


class ServiceTable(CursorTable):
    """A line for each service; below them all that is missing of the one under the cursor."""

    MEANINGS = row_meanings("process", "show its endpoints")

    FOOTER_LINES = 3

    class Opened(Message):
        """The user wants to see the endpoints of a service."""

        def __init__(self, service: Service) -> None:
            self.service = service
            super().__init__()

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        #: The services shown.
        self.services: Sequence[Service] = ()
        self._order = "why"
        self._nothing = ""
        self._selected: tuple[int, ...] | None = None  # the PIDs of the one under the cursor

    def show(self, found: Sequence[Service], order: str, nothing: str) -> None:
        """Show services, in this order; ``nothing``: what to say if there are none."""
        self.services, self._order, self._nothing = found, order, nothing
        self.stay_with(self._selected, [one.pids for one in found])
        self.repaint()

    @property
    def columns(self) -> Sequence[tuple[Column, int]]:
        """The columns shown at this width, with their widths."""
        return layout(max(self.scrollable_content_region.width - 1, 0))

    @property
    def order(self) -> tuple[str, bool]:
        """The column that they are sorted by."""
        return self._order, self._order in ("requests", "sockets")

    @property
    def count(self) -> int:
        """The number of services."""
        return len(self.services)

    @property
    def has_selection(self) -> bool:
        """Whether the cursor was moved to a service."""
        return self._selected is not None

    def select(self, row: int) -> None:
        """Have the cursor follow a service."""
        self._selected = self.services[row].pids
        self.repaint()

    def action_open(self) -> None:
        """Ask for the endpoints of the service under the cursor."""
        if self.services:
            self.post_message(self.Opened(self.services[self.cursor_row]))

    def cells(self, row: int) -> Iterator[tuple[str, str]]:
        """Yield what the columns show of a service."""
        one = self.services[row]
        why = "muted" if one.own else "good" if not one.gaps else _HUES[one.weight]
        requests = "-" if one.requests is None else one.seen
        values = {
            "PROCESS": (one.name, "muted" if one.own else "accent"),
            "PID": (one.processes, "muted"),
            "REQUESTS": (requests, "text" if one.requests else "faint"),
            "LISTENS": (one.listens, "text"),
            "SOCKETS": (humanize.count(one.sockets), "text"),
            "WHY NOT SEEN": ("httptop's own" if one.own else one.why, why),
        }
        for column, cells in self.columns:
            text, hue = values[column.title]
            yield self.fit(text, cells, column.align), hue

    def footer(self) -> list[Strip]:
        """Return what is missing of the service under the cursor, and what helps."""
        text, muted = self.hue("text"), self.hue("muted")
        width = self.canvas().width - 2
        if not self.services:
            return [Line().space(1, text).add(self._nothing, muted).strip()]
        one = self.services[self.cursor_row]
        said = "; ".join(gap.what for gap in one.gaps) or "nothing is known to be missing"
        helps = "; ".join(dict.fromkeys(gap.help for gap in one.gaps if gap.help))
        lines = [(words, text) for words in wrapped(f"{one.name}: {said}.", width)]
        if helps:
            arrow = "->" if self.symbols == "ascii" else "→"
            lines = lines[: self.FOOTER_LINES - 1]
            lines += [(words, muted) for words in wrapped(f"{arrow} {helps}", width)]
        cut = len(lines) > self.FOOTER_LINES
        shown = lines[: self.FOOTER_LINES]
        if cut:
            words, hue = shown[-1]
            shown[-1] = (self.fit(f"{words} {self.glyphs.ellipsis}", width).rstrip(), hue)
        return [Line().space(1, text).add(words, hue).strip() for words, hue in shown]
