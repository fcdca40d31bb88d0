"""The base class of boxes above another screen."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import events
from textual.await_complete import AwaitComplete
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget

Result = TypeVar("Result")


class Box(ModalScreen[Result]):
    """A screen whose one widget has a border, with what closes it in its lower edge."""

    #: What closes the box, and the action of that; empty: a click beside the box does nothing.
    CLOSES: ClassVar[str] = "Esc closes"
    CLOSE: ClassVar[str] = "dismiss(None)"

    _dismissed = False

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Close with a result, once: of keys that come at once two may close the box."""
        if self._dismissed:
            return AwaitComplete()
        self._dismissed = True
        return super().dismiss(result)

    def titled(self, box: Widget, title: str) -> Widget:
        """Return the widget with a title, and with what closes it."""
        box.border_title = Content(title)
        box.border_subtitle = Content(self.CLOSES)
        return box

    async def on_click(self, event: events.Click) -> None:
        """Close, if the click was beside the box, or on its lower edge, which says what closes."""
        boxes = [box.region for box in self.children]
        edge = any(event.screen_y == region.bottom - 1 for region in boxes)
        beside = not any(region.contains(event.screen_x, event.screen_y) for region in boxes)
        if self.CLOSE and (edge or beside):
            await self.run_action(self.CLOSE)

    def no_such_key(self, key: str) -> None:
        """Say in the lower edge that a key, by its name on the screen, does nothing here."""
        for box in self.children:
            box.border_subtitle = Content(f"no such key: {key}; {self.CLOSES}")
