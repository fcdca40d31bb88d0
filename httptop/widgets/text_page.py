"""A text that scrolls, as a page or as the content of a box."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static


class TextPage(VerticalScroll):
    """Shows a text that keys scroll while it has the focus; markup is never interpreted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll(1)", "Down", show=False),
        Binding("k", "scroll(-1)", "Up", show=False),
    ]
    DEFAULT_CSS = """
    TextPage { scrollbar-size-vertical: 1; }
    TextPage > Static { color: $hue-text; height: auto; }
    """

    def __init__(self, text: Content | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self.text = text or Content()

    def compose(self) -> ComposeResult:
        """Make the text."""
        yield Static(self.text, markup=False)

    def show(self, text: Content) -> None:
        """Show another text."""
        self.text = text
        self.query_one(Static).update(text)

    def action_scroll(self, lines: int) -> None:
        """Scroll by a number of lines."""
        self.scroll_relative(y=lines, animate=False)
