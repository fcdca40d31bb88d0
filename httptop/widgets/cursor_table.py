"""A table with a cursor and a header that does not scroll, drawn only where visible."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from httptop import humanize
from httptop.widgets.painting import Align
from httptop.widgets.scrolled import Scrolled
from httptop.widgets.sparkline import Symbols, bar

#: What the widest share takes; a bar may stand before it.
_SHARE_TEXT = 5


class Heading(Protocol):
    """What a table needs to know of a column."""

    @property
    def sort(self) -> str:
        """The order that a click on it asks for."""

    @property
    def title(self) -> str:
        """What stands above it."""

    @property
    def align(self) -> Align:
        """The side to which its texts are aligned."""


class CursorTable(Scrolled):
    """Lines of cells, one of which the cursor is on; the first line is the header."""

    #: Lines at the bottom that do not scroll, either.
    FOOTER_LINES: ClassVar[int] = 0

    class SortAsked(Message):
        """A column's header was clicked."""

        def __init__(self, sort: str) -> None:
            self.sort = sort
            super().__init__()

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        #: Row of the cursor; follows what is selected.
        self.cursor_row = 0
        self._styles: dict[str, tuple[Style, Style]] = {}

    # What a table is of

    @property
    @abstractmethod
    def columns(self) -> Sequence[tuple[Heading, int]]:
        """The columns shown at this width, with their widths."""

    @property
    @abstractmethod
    def order(self) -> tuple[str, bool]:
        """The column by which rows are sorted, and whether they descend."""

    @property
    @abstractmethod
    def count(self) -> int:
        """The number of rows."""

    @property
    @abstractmethod
    def has_selection(self) -> bool:
        """Whether a row is selected, and not only under the cursor."""

    @abstractmethod
    def cells(self, row: int) -> Iterator[tuple[str, str]]:
        """Yield the text of each column of a row, of the column's width, and its hue."""

    @abstractmethod
    def select(self, row: int) -> None:
        """Tell the screen that the cursor was moved to a row."""

    @abstractmethod
    def action_open(self) -> None:
        """Ask for what is under the cursor."""

    def footer(self) -> list[Strip]:
        """Return the lines at the bottom."""
        return []

    # Painting

    def notify_style_update(self) -> None:
        """Discard the styles of the old theme."""
        super().notify_style_update()
        self._styles = {}

    def state(self) -> tuple[object, ...]:
        """Return what rows are in sight, and where the cursor is."""
        return self.scroll_offset.y, self.cursor_row, self.has_focus

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the header, the rows in sight, and the lines at the bottom."""
        first, room = self.scroll_offset.y, height - 1 - self.FOOTER_LINES
        shown = range(first, min(first + max(room, 0), self.count))
        lines = [self._header(width), *(self._row(row, width) for row in shown)]
        if self.FOOTER_LINES:
            blank = Strip.blank(width, self._style("text")[0])
            lines += [blank] * (height - self.FOOTER_LINES - len(lines))
            lines += self.footer()
        return lines

    def _style(self, name: str) -> tuple[Style, Style]:
        """Return the styles of a hue: off the cursor and on it."""
        pair = self._styles.get(name)
        if pair is None:
            plain = self.hue(name)
            pair = plain, plain + self.cursor_style()
            self._styles[name] = pair
        return pair

    def _header(self, width: int) -> Strip:
        glyphs = self.glyphs
        quiet, loud = self.hue("heading"), self.hue("accent") + Style(bold=True)
        segments = [Segment(" ", quiet)]
        sort, descending = self.order
        for column, cells in self.columns:
            title = column.title
            if column.sort == sort:
                arrow = glyphs.down if descending else glyphs.up
                title = f"{arrow}{title}" if column.align == "right" else f"{title}{arrow}"
                segments.append(Segment(self.fit(title, cells, column.align), loud))
            else:
                segments.append(Segment(self.fit(title, cells, column.align), quiet))
            segments.append(Segment(" ", quiet))
        return Strip(segments).adjust_cell_length(width, quiet)

    def _row(self, row: int, width: int) -> Strip:
        on_cursor = row == self.cursor_row
        which = 1 if on_cursor else 0
        blank = self._style("text")[which]
        if on_cursor and self.has_focus:
            segments = [Segment(self.glyphs.cursor, self._style("accent")[which])]
        else:
            segments = [Segment(" ", blank)]
        gap = Segment(" ", blank)
        for text, hue in self.cells(row):
            segments += (Segment(text, self._style(hue)[which]), gap)
        return Strip(segments).adjust_cell_length(width, blank)

    def share_cell(self, share: float | None, cells: int) -> tuple[str, str]:
        """Return a share of 0 to 1, with a bar if there is room."""
        text = self.fit(humanize.percent(share), min(cells, _SHARE_TEXT), "right")
        room = cells - _SHARE_TEXT - 1
        drawn = self.fit(bar(share or 0.0, room, self.symbols), room) + " " if room > 1 else ""
        return self.fit(drawn + text, cells, "right"), "text" if share else "faint"

    # Moving

    def fit_rows(self) -> None:
        """Have the scroll bar know how many rows there are."""
        self.virtual_size = Size(self.size.width, self.count + 1 + self.FOOTER_LINES)

    def stay_with(self, key: object, keys: Sequence[object]) -> None:
        """Keep the cursor on the row of a key, or else in its line, now that these are the rows."""
        if key in keys:
            self.cursor_row = keys.index(key)
        self.cursor_row = max(0, min(self.cursor_row, len(keys) - 1))
        self.fit_rows()

    def page_rows(self) -> int:
        """Return how many rows are in sight at once."""
        return max(self.scrollable_content_region.height - 1 - self.FOOTER_LINES, 1)

    def in_sight(self, row: int) -> bool:
        """Return whether a row is in sight."""
        return 0 <= row - self.scroll_offset.y < self.page_rows()

    def bring_into_sight(self) -> None:
        """Scroll to the cursor."""
        top = self.scroll_offset.y
        if self.cursor_row < top:
            self.scroll_to(y=self.cursor_row, animate=False)
        elif self.cursor_row >= top + self.page_rows():
            self.scroll_to(y=self.cursor_row - self.page_rows() + 1, animate=False)

    def _select(self, row: int) -> None:
        if not self.count:
            return
        self.cursor_row = max(0, min(row, self.count - 1))
        self.bring_into_sight()
        # It is painted when the scene with the selected row comes back.
        self.select(self.cursor_row)

    def action_move(self, rows: int) -> None:
        """Move the cursor by a number of rows."""
        self._select(self.cursor_row + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by a page."""
        self._select(self.cursor_row + pages * self.page_rows())

    def action_fold(self) -> None:
        """Move the cursor by a page; tables with rows that fold do that."""
        self.action_page(1)

    def action_edge(self, last: int) -> None:
        """Move the cursor to the first or the last row."""
        self._select(self.count - 1 if last else 0)

    def on_click(self, event: events.Click) -> None:
        """Sort by a header, or select a row; open it on a double-click."""
        x, y = event.get_content_offset_capture(self)
        if y < 0:  # on the title
            return
        if y == 0:
            left = 1
            for column, cells in self.columns:
                if left <= x <= left + cells:
                    self.post_message(self.SortAsked(column.sort))
                    return
                left += cells + 1
            return
        row = y - 1 + self.scroll_offset.y
        if y <= self.page_rows() and 0 <= row < self.count:
            self._select(row)
            if event.chain >= 2:
                self.action_open()

    def on_resize(self) -> None:
        """Keep the cursor visible when the terminal shrinks."""
        self.fit_rows()
        if self.has_selection:
            self.bring_into_sight()
