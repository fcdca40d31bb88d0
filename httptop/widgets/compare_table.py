"""What has changed of each endpoint since the baseline, the greatest changes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from textual.message import Message
from textual.strip import Strip

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import EndpointKey
from httptop.view.chance import LEVELS
from httptop.view.compare import Change, Compared
from httptop.widgets.cursor_table import CursorTable
from httptop.widgets.painting import Align, Line
from httptop.widgets.sparkline import Symbols


@dataclass(frozen=True, slots=True)
class Column:
    """A column; those with the lowest rank are shown first."""

    sort: str
    title: str
    width: int
    rank: int
    align: Align = "right"


COLUMNS: Final = (
    Column("process", "PROCESS", 12, 1, "left"),
    Column("method", "METHOD", 7, 6, "left"),
    Column("path", "PATH", 14, 0, "left"),
    Column("rate", "REQ/S", 6, 5),
    Column("rate_before", "WAS", 6, 7),
    Column("rate_change", "CHANGE", 7, 5),
    Column("p50", "P50", 7, 2),
    Column("p50_before", "WAS", 7, 2),
    Column("p50_change", "CHANGE", 7, 1),
    Column("p99", "P99", 7, 0),
    Column("p99_before", "WAS", 7, 2),
    Column("p99_change", "CHANGE", 7, 0),
    Column("errors", "ERR%", 5, 3),
    Column("errors_before", "WAS", 5, 4),
    Column("errors_change", "CHANGE", 7, 3),
)


def layout(width: int) -> tuple[tuple[Column, int], ...]:
    """Return the columns that fit into a width, with their widths; the path gets what is left."""
    left = width + 1
    chosen = set()
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        if column.width + 1 > left:
            break
        chosen.add(column.sort)
        left -= column.width + 1
    return tuple(
        (column, column.width + (left if column.sort == "path" else 0))
        for column in COLUMNS
        if column.sort in chosen
    )


class CompareTable(CursorTable):
    """The endpoints that have changed, or all of them."""

    FOOTER_LINES = 2

    class Opened(Message):
        """The user wants to see the details of an endpoint."""

        def __init__(self, key: EndpointKey) -> None:
            self.key = key
            super().__init__()

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.rows: Sequence[Compared] = ()
        self._folded = self._unclear = 0
        self._selected: EndpointKey | None = None
        self._units = DEFAULT_UNITS

    def show(self, rows: Sequence[Compared], folded: Sequence[Compared], units: Units) -> None:
        """Show rows, in this order; ``folded``: the others."""
        self.rows, self._units = rows, units
        self._unclear = sum(one.is_unclear for one in folded)
        self._folded = len(folded) - self._unclear
        self.stay_with(self._selected, [row.key for row in rows])
        self.repaint()

    @property
    def columns(self) -> Sequence[tuple[Column, int]]:
        """The columns shown at this width, with their widths."""
        return layout(max(self.scrollable_content_region.width - 1, 0))

    @property
    def order(self) -> tuple[str, bool]:
        """By the change of the 99th percentile."""
        return "p99_change", True

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.rows)

    @property
    def has_selection(self) -> bool:
        """Whether the cursor was moved to an endpoint."""
        return self._selected is not None

    def select(self, row: int) -> None:
        """Have the cursor follow an endpoint."""
        self._selected = self.rows[row].key
        self.repaint()

    def action_open(self) -> None:
        """Ask for the details of the endpoint under the cursor, if there still is one."""
        if self.cursor_row < len(self.rows) and self.rows[self.cursor_row].state != "gone":
            self.post_message(self.Opened(self.rows[self.cursor_row].key))

    def cells(self, row: int) -> Iterator[tuple[str, str]]:
        """Yield the text of each column of a row, and its hue."""
        one = self.rows[row]
        duration, percent = self._units.duration, humanize.percent
        values: dict[str, tuple[str, str]] = {
            "process": (" ".join(filter(None, (one.key.host, one.key.process))), "accent"),
            "method": (one.key.method, "muted"),
            "path": (one.key.path, "strong"),
            "rate": (humanize.rate(one.rate.now), "text"),
            "rate_before": (humanize.rate(one.rate.before), "muted"),
            "rate_change": self._changed(one, one.rate, ("accent", "accent")),
            "p50": (duration(one.p50_ns.now), "text"),
            "p50_before": (duration(one.p50_ns.before), "muted"),
            "p50_change": self._changed(one, one.p50_ns, ("bad", "good")),
            "p99": (duration(one.p99_ns.now), "text"),
            "p99_before": (duration(one.p99_ns.before), "muted"),
            "p99_change": self._changed(one, one.p99_ns, ("bad", "good")),
            "errors": (percent(one.error_share.now), "text"),
            "errors_before": (percent(one.error_share.before), "muted"),
            "errors_change": self._points(one.error_share),
        }
        for column, cells in self.columns:
            text, hue = values[column.sort]
            yield self.fit(text, cells, column.align), hue

    def _changed(self, one: Compared, change: Change, hues: tuple[str, str]) -> tuple[str, str]:
        """Return a change as a ratio, and how sure it is."""
        if one.state:
            return one.state, "accent"
        if not (change.sure and change.now and change.before):
            return self._unchanged(change)
        ratio = change.now / change.before
        text = f"x{ratio:.1f}" if 2 <= ratio < 100 else f"{min(ratio, 100) - 1:+.0%}"
        return f"{text}{self._marks(change.sure)}", hues[0] if ratio > 1 else hues[1]

    def _points(self, change: Change) -> tuple[str, str]:
        if not change.sure or change.now is None or change.before is None:
            return self._unchanged(change)
        points = 100 * (change.now - change.before)
        return f"{points:+.1f}{self._marks(change.sure)}", "5xx" if points > 0 else "good"

    def _unchanged(self, change: Change) -> tuple[str, str]:
        """Return that there is no change, that it cannot be told, or that a figure is not known."""
        if not change.known:
            return "-", "faint"
        return ("=", "faint") if change.sure == 0 else ("?", "muted")

    def _marks(self, sure: int) -> str:
        """Return a mark for each level above the first."""
        return ("*" if self.symbols == "ascii" else "•") * (sure - 1)

    def footer(self) -> list[Strip]:
        """Return the lines that say what is folded, and what the marks mean."""
        counts = []
        if self._folded:
            counts.append(f"{self._folded} have not changed beyond chance")
        if self._unclear:
            counts.append(f"{self._unclear} too few to tell")
        text = f"{', '.join(counts)}: Space shows them" if counts else "all are shown"
        if not counts and self.count:
            text += ": Space folds what has not changed"
        legend = f"= no change  ? too few to tell  chance does {self._marks(2)} once in 100,"
        return [
            Line().space(1, self.hue("text")).add(line, self.hue(hue)).strip()
            for line, hue in (
                (text, "muted"),
                (f"{legend} {self._marks(len(LEVELS))} in 1,000", "faint"),
            )
        ]
