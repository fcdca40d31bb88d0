"""The base class of boxes above another screen."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget

Result = TypeVar("Result")


class Box(ModalScreen[Result]):
    """A screen whose one widget has a border, with what closes it in its lower edge."""

    #: What closes the box.
    CLOSES: ClassVar[str] = "Esc closes"

    def titled(self, box: Widget, title: str) -> Widget:
        """Return the widget with a title, and with what closes it."""
        box.border_title = Content(title)
        box.border_subtitle = Content(self.CLOSES)
        return box

    def no_such_key(self, key: str) -> None:
        """Say in the lower edge that a key, by its name on the screen, does nothing here."""
        for box in self.children:
            box.border_subtitle = Content(f"no such key: {key}; {self.CLOSES}")
