"""A text that scrolls: a page of its own, or the content of a box."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static


class TextPage(VerticalScroll):
    """Scrolls by keys while it has the focus; never reads markup."""

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
        """Take another text."""
        self.text = text
        self.query_one(Static).update(text)

    def action_scroll(self, lines: int) -> None:
        """Scroll by some lines."""
        self.scroll_relative(y=lines, animate=False)
