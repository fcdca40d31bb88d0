"""What all lines share in which something is typed.

A line takes room and the focus only while it is open. Whoever opened it moves the focus elsewhere
when :class:`InputLine.Closed` arrives.
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

    #: The keys that work while the line is open.
    HINTS: ClassVar[tuple[Hint, ...]] = ()

    class Closed(Message):
        """Typing is over; ``kept`` unless it was cancelled."""

        def __init__(self, line: InputLine, kept: bool) -> None:
            self.line = line
            self.kept = kept
            super().__init__()

    @property
    def field(self) -> Input:
        """Where the text is typed."""
        return self.query_one(Input)

    @property
    def is_open(self) -> bool:
        """Whether something is being typed."""
        return self.has_class("-open")

    def on_mount(self) -> None:
        """Keep the cursor still: no picture depends on the moment it was taken."""
        self.field.cursor_blink = False

    def begin(self, text: str) -> None:
        """Show the line with a first text, and take the focus."""
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
            self.post_message(self.Closed(self, kept))

    def action_cancel(self) -> None:
        """Close without keeping what was typed."""
        self.close(kept=False)

    def submit(self) -> None:
        """Do as Enter does."""
        self.submitted(self.field.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass the text on, unless the line was closed before the key arrived."""
        event.stop()
        if self.is_open:
            self.typed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the text, likewise."""
        event.stop()
        if self.is_open:
            self.submitted(event.value)

    def typed(self, text: str) -> None:
        """Take another text, while it is typed."""

    def submitted(self, _text: str, /) -> None:
        """Take the text at the end; here it is kept."""
        self.close()
