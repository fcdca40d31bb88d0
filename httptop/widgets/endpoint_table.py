"""The endpoint table: one line per endpoint, sorted, selectable, drawn only where visible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import EndpointKey, EndpointStats
from httptop.view.idle import is_idle
from httptop.view.rows_with import rows_with
from httptop.view.state import Scene, View, place
from httptop.widgets.bindings import bindings
from httptop.widgets.columns import COLUMNS, Column, layout
from httptop.widgets.painting import Painted, fit
from httptop.widgets.sparkline import GLYPHS, Symbols, bar, capacity, trend
from httptop.widgets.time_axis import columns, tick_of

TITLES: Final = {column.sort: column.title for column in COLUMNS}
_LONGEST_FILTER: Final = 40
#: What the widest share takes; a bar may stand before it.
_SHARE_TEXT: Final = 5


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def table_title(scene: Scene, symbols: Symbols) -> Content:
    """Return the number of endpoints shown and of all, and their order.

    With a filter, also what they are of, and what part of their side's requests they have.
    """
    view, glyphs = scene.view, GLYPHS[symbols]
    quiet = "not bold $hue-muted"
    parts: list[str | tuple[str, str]] = [f"{view.side} endpoints "]
    if view.filtered:
        parts.append(f"{len(scene.rows)} of ")
    parts.append(f"{scene.side_rows} ")
    if what := rows_with(view):
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
    arrow = glyphs.down if view.descending else glyphs.up
    order = TITLES.get(view.sort, view.sort.upper())
    parts.append((f"{glyphs.dot} by {order} {arrow}", quiet))
    return Content.assemble(*parts)


class EndpointTable(Painted, ScrollView, can_focus=True):
    """The endpoints of one side. The first line of the content, the header, does not scroll."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("table")
    DEFAULT_CSS = """
    EndpointTable {
        overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
    }
    """

    class Selected(Message):
        """The cursor was moved to an endpoint."""

        def __init__(self, key: EndpointKey) -> None:
            self.key = key
            super().__init__()

    class Opened(Message):
        """The user wants to see the details of an endpoint."""

        def __init__(self, key: EndpointKey) -> None:
            self.key = key
            super().__init__()

    class SortAsked(Message):
        """A column's header was clicked."""

        def __init__(self, sort: str) -> None:
            self.sort = sort
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
        #: Row of the cursor; follows the selected endpoint.
        self.cursor_row = 0
        self._styles: dict[str, tuple[Style, Style]] = {}
        self._newest = 0  # the number of the newest tick of trends

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
        """Show the rows of a scene; keep the selected endpoint visible if it was."""
        self.names, self.units = names, units
        self._needed, self._longest_path = scene.told_apart_by, scene.longest_path
        self._rps = scene.rps
        in_sight = self._in_sight(self.cursor_row)
        resorted = scene.view.sort != self.view.sort or scene.view.side != self.view.side
        self.rows, self.view = scene.rows, scene.view
        if (snapshot := scene.snapshot) is not None:
            self._newest = tick_of(snapshot)
        row = place(self.rows, scene.view.selected, self.cursor_row)
        moved, self.cursor_row = row != self.cursor_row, row
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
        if scene.view.selected is None:
            if resorted:
                self.scroll_to(y=0, animate=False)
        elif (moved and in_sight) or resorted:
            self._bring_into_sight()
        if scene.selected_gone and self.rows:
            self.post_message(self.Selected(self.rows[row].key))
        self.set_title(table_title(scene, self.symbols))
        self.repaint()

    def notify_style_update(self) -> None:
        """Discard the styles of the old theme."""
        super().notify_style_update()
        self._styles = {}

    # Painting

    def canvas(self) -> Size:
        """Return the size without the scroll bar."""
        return self.scrollable_content_region.size

    def state(self) -> tuple[object, ...]:
        """Return what rows are in sight, and where the cursor is."""
        return self.scroll_offset.y, self.cursor_row, self.has_focus

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the header, and the endpoints in sight."""
        first = self.scroll_offset.y
        shown = enumerate(self.rows[first : first + height - 1], start=first)
        rows = [self._row(row, index == self.cursor_row, width) for index, row in shown]
        return [self._header(width), *rows]

    def _style(self, name: str) -> tuple[Style, Style]:
        """Return the styles of a hue: off the cursor and on it."""
        pair = self._styles.get(name)
        if pair is None:
            plain = self.hue(name)
            pair = plain, plain + Style(bgcolor=self.hue("cursor").bgcolor)
            self._styles[name] = pair
        return pair

    def _header(self, width: int) -> Strip:
        glyphs = self.glyphs
        quiet, loud = self.hue("heading"), self.hue("accent") + Style(bold=True)
        segments = [Segment(" ", quiet)]
        for column, cells in self.columns:
            title = column.title
            if column.sort == self.view.sort:
                arrow = glyphs.down if self.view.descending else glyphs.up
                title = f"{arrow}{title}" if column.align == "right" else f"{title}{arrow}"
                segments.append(Segment(self.fit(title, cells, column.align), loud))
            else:
                segments.append(Segment(self.fit(title, cells, column.align), quiet))
            segments.append(Segment(" ", quiet))
        return Strip(segments).adjust_cell_length(width, quiet)

    def _row(self, row: EndpointStats, on_cursor: bool, width: int) -> Strip:
        which = 1 if on_cursor else 0
        blank = self._style("text")[which]
        if on_cursor and self.has_focus:
            segments = [Segment(self.glyphs.cursor, self._style("accent")[which])]
        else:
            segments = [Segment(" ", blank)]
        gap = Segment(" ", blank)
        used, idle = 1, is_idle(row)
        for column, cells in self.columns:
            if column.sort == "trend":
                text, hue = self._trend(row, cells), "trend"
            elif column.sort == "share":
                text, hue = self._share(row, cells)
            else:
                text, hue = column.cell(row, self.units)
                text = self.fit(text, cells, column.align)
            if idle and hue != "faint":
                hue = "muted"
            segments += (Segment(text, self._style(hue)[which]), gap)
            used += cells + 1
        return Strip(segments, used).adjust_cell_length(width, blank)

    def _trend(self, row: EndpointStats, cells: int) -> str:
        """Return all of a row's trend, of which a mark stands for the highest of some ticks."""
        room = capacity(cells, self.symbols)
        number = -(-len(row.trend_ns) // room) if room else 1
        marks = columns(row.trend_ns, max(1, number), room, _highest, self._newest)
        return trend(marks, cells, self.symbols)

    def _share(self, row: EndpointStats, cells: int) -> tuple[str, str]:
        """Return a row's share of the requests of its side, with a bar if there is room."""
        share = row.rps / self._rps if self._rps else None
        text = self.fit(humanize.percent(share), min(cells, _SHARE_TEXT), "right")
        room = cells - _SHARE_TEXT - 1
        drawn = self.fit(bar(share or 0.0, room, self.symbols), room) + " " if room > 1 else ""
        return self.fit(drawn + text, cells, "right"), "text" if share else "faint"

    # Moving

    def _page(self) -> int:
        return max(self.scrollable_content_region.height - 1, 1)

    def _in_sight(self, row: int) -> bool:
        return 0 <= row - self.scroll_offset.y < self._page()

    def _bring_into_sight(self) -> None:
        top = self.scroll_offset.y
        if self.cursor_row < top:
            self.scroll_to(y=self.cursor_row, animate=False)
        elif self.cursor_row >= top + self._page():
            self.scroll_to(y=self.cursor_row - self._page() + 1, animate=False)

    def _select(self, row: int) -> None:
        if not self.rows:
            return
        self.cursor_row = max(0, min(row, len(self.rows) - 1))
        self._bring_into_sight()
        # It is painted when the scene with the selected row comes back.
        self.post_message(self.Selected(self.rows[self.cursor_row].key))

    def action_move(self, rows: int) -> None:
        """Move the cursor by a number of rows."""
        self._select(self.cursor_row + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by a page."""
        self._select(self.cursor_row + pages * self._page())

    def action_edge(self, last: int) -> None:
        """Move the cursor to the first or the last row."""
        self._select(len(self.rows) - 1 if last else 0)

    def action_open(self) -> None:
        """Ask for the details of the endpoint under the cursor."""
        if (key := self.cursor_key) is not None:
            self.post_message(self.Opened(key))

    def on_click(self, event: events.Click) -> None:
        """Sort by a header, or select a row; open it on a double-click."""
        x, y = event.get_content_offset_capture(self)
        if y == 0:
            left = 1
            for column, cells in self.columns:
                if left <= x <= left + cells:
                    self.post_message(self.SortAsked(column.sort))
                    return
                left += cells + 1
            return
        row = y - 1 + self.scroll_offset.y
        if 0 <= row < len(self.rows):
            self._select(row)
            if event.chain >= 2:
                self.action_open()

    def on_resize(self) -> None:
        """Keep the cursor visible when the terminal shrinks."""
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
        if self.view.selected is not None:
            self._bring_into_sight()
