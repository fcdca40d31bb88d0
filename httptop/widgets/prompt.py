"""A line that asks for a text, and says at once what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class Prompt(Horizontal):
    """Enter gives the response once it is right, Escape gives none."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt.-open { display: block; }
    Prompt > Label { width: auto; padding: 0 1; }
    Prompt > Input { width: 1fr; border: none; padding: 0; height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]

    class Closed(Message):
        """Asking is over."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._check: Callable[[str], str] = str
        self._then: Callable[[str], None] = lambda _: None

    def compose(self) -> ComposeResult:
        """Make the question, the input and the place for a fault."""
        yield Label("", id="question", markup=False)
        yield Input(compact=True, select_on_focus=False)
        yield Label("", id="fault", markup=False)

    def on_mount(self) -> None:
        """Keep the cursor still: no picture depends on the moment it was taken."""
        self.query_one(Input).cursor_blink = False

    @property
    def is_open(self) -> bool:
        """Whether something is asked."""
        return self.has_class("-open")

    def ask(
        self, question: str, text: str, check: Callable[[str], str], then: Callable[[str], None]
    ) -> None:
        """Ask with a text to go on from.

        ``check`` returns the response as it is meant or raises ValueError; ``then`` takes it.
        """
        self._check, self._then = check, then
        self.query_one("#question", Label).update(question)
        self.query_one("#fault", Label).update("")
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

    def action_cancel(self) -> None:
        """Give no response."""
        self.close()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what is wrong with the text."""
        event.stop()
        self._checked(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the response."""
        event.stop()
        if self.is_open and (response := self._checked(event.value)) is not None:
            self.close()
            self._then(response)

    def _checked(self, text: str) -> str | None:
        fault = self.query_one("#fault", Label)
        try:
            response = self._check(text)
        except ValueError as wrong:
            fault.update(str(wrong))
            return None
        fault.update("")
        return response
