"""The base class of input lines.

A line takes room and the focus only while it is open. It gives the focus back at once, as the next
key may be there already; where whoever had it cannot take it, the screen finds another place when
:class:`InputLine.Closed` arrives.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from httptop.widgets.key_bar import Hint


class InputLine(Widget):
    """A label, an :class:`Input` and whatever else a subclass composes; Escape cancels."""

    DEFAULT_CSS = """
    InputLine { layout: horizontal; width: 1fr; height: 1; overflow: hidden; display: none; }
    InputLine.-open { display: block; }
    InputLine Label { width: auto; padding: 0 1; }
    InputLine Input { width: 1fr; height: 1; padding: 0; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]

    _focused_before: Widget | None = None
    #: The keys that work while the line is open.
    HINTS: ClassVar[tuple[Hint, ...]] = ()

    class Closed(Message):
        """The line was closed; ``kept`` unless the user cancelled."""

        def __init__(self, line: InputLine, kept: bool) -> None:
            self.line = line
            self.kept = kept
            super().__init__()

    @property
    def field(self) -> Input:
        """The input widget."""
        return self.query_one(Input)

    @property
    def is_open(self) -> bool:
        """Whether the line is open."""
        return self.has_class("-open")

    def on_mount(self) -> None:
        """Stop the cursor from blinking, so that pictures do not depend on time."""
        for field in self.query(Input):  # there is none where the page was left at once
            field.cursor_blink = False

    def begin(self, text: str) -> None:
        """Show the line with an initial text, and take the focus."""
        self._focused_before = self.screen.focused
        self.add_class("-open")
        field = self.field
        with self.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.screen.set_focus(field)

    def close(self, kept: bool = True) -> None:
        """Hide the line."""
        if self.is_open:
            self.remove_class("-open")
            if self.field.has_focus and self._focused_before is not None:
                self.screen.set_focus(self._focused_before)
            self.post_message(self.Closed(self, kept))

    def action_cancel(self) -> None:
        """Close without keeping what was typed."""
        self.close(kept=False)

    def submit(self) -> None:
        """Act as if Enter were pressed."""
        self.submitted(self.field.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass the text on, unless the line was closed before the key arrived."""
        event.stop()
        if self.is_open:
            self.typed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Submit the text, unless the line was closed before the key arrived."""
        event.stop()
        if self.is_open:
            self.submitted(event.value)

    def typed(self, text: str) -> None:
        """Handle a changed text while the user types."""

    def submitted(self, _text: str, /) -> None:
        """Handle Enter; by default, close the line and keep the text."""
        self.close()
