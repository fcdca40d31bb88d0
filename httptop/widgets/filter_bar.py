"""The line in which a path filter is typed."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class FilterBar(Horizontal):
    """Filters as one types; Enter keeps the filter, Escape clears it."""

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; }
    FilterBar.-open { display: block; }
    FilterBar > Label { width: auto; padding: 0 1; }
    FilterBar > Input { width: 1fr; border: none; padding: 0; height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "clear", "Clear", show=False)]

    class Changed(Message):
        """The text is another one."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Closed(Message):
        """Typing is over."""

    def compose(self) -> ComposeResult:
        """Make the prompt and the input."""
        yield Label("path contains", markup=False)
        yield Input(placeholder="part of a path", compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """Keep the cursor still: no picture depends on the moment it was taken."""
        self.query_one(Input).cursor_blink = False

    @property
    def is_open(self) -> bool:
        """Whether a filter is being typed."""
        return self.has_class("-open")

    def open(self, text: str) -> None:
        """Show the line with a text to go on from."""
        self.add_class("-open")
        field = self.query_one(Input)
        with self.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.screen.set_focus(field)

    def close(self) -> None:
        """Hide the line."""
        self.remove_class("-open")
        self.post_message(self.Closed())

    def action_clear(self) -> None:
        """Show everything again."""
        self.post_message(self.Changed(""))
        self.close()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass the text on, but for keys that arrive when all is over."""
        event.stop()
        if self.is_open:
            self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        event.stop()
        self.close()

    def on_key(self, event: events.Key) -> None:
        """Go to the table with the arrow keys, too."""
        if event.key in ("down", "up"):
            event.stop()
            self.close()
