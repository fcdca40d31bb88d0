"""A painted widget that scrolls up and down, by the keys of tables, beside a bar of one cell."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView

from httptop.widgets.bindings import bindings
from httptop.widgets.painting import Painted


class Scrolled(Painted, ScrollView, can_focus=True):
    """Paints what is in sight of its lines."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("table")
    DEFAULT_CSS = """
    Scrolled {
        overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
    }
    """

    def canvas(self) -> Size:
        """Return the size without the scroll bar."""
        return self.scrollable_content_region.size
