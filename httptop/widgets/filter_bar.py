"""The input line for a part of a path, or of what else is searched."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Label

from httptop.widgets.input_line import InputLine


class FilterBar(InputLine):
    """Filters as the user types."""

    HINTS = (
        ("Enter", "keep the filter", "screen.submit_line"),
        ("Esc", "clear it", "screen.clear"),
    )

    class Changed(Message):
        """The text changed."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    def __init__(self, question: str = "path contains", hint: str = "part of a path") -> None:
        super().__init__()
        self._question, self._hint = question, hint

    def compose(self) -> ComposeResult:
        """Make the label and the input."""
        yield Label(self._question, markup=False)
        yield Input(placeholder=self._hint, compact=True, select_on_focus=False)

    def typed(self, text: str) -> None:
        """Post the text."""
        self.post_message(self.Changed(text))

    def on_key(self, event: events.Key) -> None:
        """Keep the filter and leave the line with the arrow keys, too."""
        if event.key in ("down", "up"):
            event.stop()
            self.close()
