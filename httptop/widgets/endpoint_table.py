"""The endpoint table: one line per endpoint, sorted, selectable, drawn only where visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from textual.content import Content
from textual.message import Message

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import EndpointKey, EndpointStats
from httptop.view.idle import is_idle
from httptop.view.rows_with import rows_with
from httptop.view.state import Scene, View
from httptop.widgets.columns import COLUMNS, Column, layout
from httptop.widgets.cursor_table import CursorTable
from httptop.widgets.painting import fit
from httptop.widgets.sparkline import GLYPHS, Symbols, capacity, trend
from httptop.widgets.time_axis import columns, tick_of

TITLES: Final = {column.sort: column.title for column in COLUMNS}
_LONGEST_FILTER: Final = 40


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def table_title(scene: Scene, symbols: Symbols, above: int = 0) -> Content:
    """Return the number of endpoints shown and of all, and their order.

    ``above`` of them are above those in sight. With a filter, also what they are of, and what part
    of their side's requests they have.
    """
    view, glyphs = scene.view, GLYPHS[symbols]
    quiet = "not bold $hue-muted"
    parts: list[str | tuple[str, str]] = [f"{view.side} endpoints "]
    if view.filtered:
        parts.append(f"{len(scene.rows)} of ")
    parts.append(f"{scene.side_rows} ")
    if what := rows_with(scene):
        if len(what) > _LONGEST_FILTER:
            what = fit(what, _LONGEST_FILTER, ellipsis=glyphs.ellipsis)
        parts.append((f"with {what} ", quiet))
    if view.filtered and scene.rps:
        shown, total = humanize.rate(scene.shown_rps), humanize.rate(scene.rps)
        share = humanize.percent(scene.shown_rps / scene.rps)
        parts.append((f"{glyphs.dot} {shown} of {total}/s = {share} ", quiet))
    if scene.idle_rows:
        hidden = " hidden" if view.idle_hidden else ""
        parts.append((f"{glyphs.dot} {scene.idle_rows} idle{hidden} ", quiet))
    if above:
        parts.append((f"{glyphs.up} {above} above ", "$hue-accent"))
    if view.follows:
        parts.append((f"{glyphs.dot} following {glyphs.cursor} ", "$hue-accent"))
    arrow = glyphs.down if view.descending else glyphs.up
    order = TITLES.get(view.sort, view.sort.upper())
    parts.append((f"{glyphs.dot} by {order} {arrow}", quiet))
    if scene.head.latencies_together:
        parts.append((f" {glyphs.dot} no latency by row", quiet))
    return Content.assemble(*parts)


class EndpointTable(CursorTable):
    """The endpoints of one side."""

    class Selected(Message):
        """The user moved the cursor to an endpoint."""

        def __init__(self, key: EndpointKey) -> None:
            self.key = key
            super().__init__()

    class Opened(Message):
        """The user wants to see the details of an endpoint."""

        def __init__(self, key: EndpointKey) -> None:
            self.key = key
            super().__init__()

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.rows: Sequence[EndpointStats] = ()
        self.view = View()
        self.units = DEFAULT_UNITS
        #: Names of the user's columns; empty: the default ones.
        self.names: tuple[str, ...] = ()
        #: Columns without which rows would look alike.
        self._needed: tuple[str, ...] = ()
        self._longest_path = 0
        self._rps = 0.0  # of the whole side
        self._scene = Scene(None, View())
        self._newest = 0  # the number of the newest tick of trends

    @property
    def count(self) -> int:
        """The number of endpoints."""
        return len(self.rows)

    @property
    def order(self) -> tuple[str, bool]:
        """The view's order."""
        return self.view.sort, self.view.descending

    @property
    def has_selection(self) -> bool:
        """Whether an endpoint is selected."""
        return self.view.selected is not None

    @property
    def cursor_key(self) -> EndpointKey | None:
        """The endpoint under the cursor."""
        return self.rows[self.cursor_row].key if self.cursor_row < len(self.rows) else None

    @property
    def columns(self) -> tuple[tuple[Column, int], ...]:
        """The columns shown at this width, with their widths."""
        width = max(self.scrollable_content_region.width - 1, 0)
        return layout(width, self.names, self.units, self._needed, self._longest_path)

    def show(self, scene: Scene, names: tuple[str, ...], units: Units) -> None:
        """Show the rows of a scene; the cursor stays in sight, another order at its top."""
        self.names, self.units = names, units
        self._needed, self._longest_path = scene.told_apart_by, scene.longest_path
        self._rps = scene.rps
        in_sight = self.in_sight(self.cursor_row)
        resorted = _order(scene.view) != _order(self.view)
        self.rows, self.view, self._scene = scene.rows, scene.view, scene
        if (snapshot := scene.snapshot) is not None:
            self._newest = tick_of(snapshot)
        moved, self.cursor_row = scene.cursor != self.cursor_row, scene.cursor
        self.fit_rows()
        if resorted:
            self.scroll_to(y=max(0, self.cursor_row - self.page_rows() + 1), animate=False)
        elif moved and in_sight:
            self.bring_into_sight()
        self._show_title()
        self.repaint()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Say how many rows are above those in sight."""
        super().watch_scroll_y(old_value, new_value)
        self._show_title()

    def _show_title(self) -> None:
        self.set_title(table_title(self._scene, self.symbols, self.scroll_offset.y))

    def cells(self, row: int) -> Iterator[tuple[str, str]]:
        """Yield the text of each column of an endpoint, and its hue."""
        stats = self.rows[row]
        idle = is_idle(stats)
        for column, cells in self.columns:
            if column.sort == "trend":
                text, hue = self._trend(stats, cells), "trend"
            elif column.sort == "share":
                text, hue = self.share_cell(stats.rps / self._rps if self._rps else None, cells)
            else:
                text, hue = column.cell(stats, self.units)
                text = self.fit(text, cells, column.align)
            yield text, "muted" if idle and hue not in ("faint", "bad") else hue

    def _trend(self, row: EndpointStats, cells: int) -> str:
        """Return all of a row's trend, of which a mark stands for the highest of some ticks."""
        room = capacity(cells, self.symbols)
        number = -(-len(row.trend_ns) // room) if room else 1
        marks = columns(row.trend_ns, max(1, number), room, _highest, self._newest)
        return trend(marks, cells, self.symbols)

    def select(self, row: int) -> None:
        """Tell the screen which endpoint the cursor is on now."""
        self.post_message(self.Selected(self.rows[row].key))

    def action_open(self) -> None:
        """Ask for the details of the endpoint under the cursor."""
        if (key := self.cursor_key) is not None:
            self.post_message(self.Opened(key))


def _order(view: View) -> tuple[str, bool, str]:
    return view.sort, view.descending, view.side
