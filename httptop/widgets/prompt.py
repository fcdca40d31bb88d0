"""A line that asks for a text and shows errors in it while the user types."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.widgets import Input, Label

from httptop.widgets.input_line import InputLine


class Prompt(InputLine):
    """Asks for a text; Enter accepts it once it is valid."""

    HINTS = (("Enter", "apply", "screen.submit_line"), ("Esc", "cancel", "screen.clear"))

    def __init__(self) -> None:
        super().__init__()
        self._check: Callable[[str], str] = str
        self._then: Callable[[str], None] = lambda _: None

    def compose(self) -> ComposeResult:
        """Make the question, the input and the place for an error."""
        yield Label("", id="question", markup=False)
        yield Input(compact=True, select_on_focus=False)
        yield Label("", id="problem", markup=False)

    def ask(
        self, question: str, text: str, check: Callable[[str], str], then: Callable[[str], None]
    ) -> None:
        """Ask for a text, with an initial one.

        ``check`` returns the text in its final form or raises ValueError; ``then`` receives it.
        """
        self._check, self._then = check, then
        self.query_one("#question", Label).update(question)
        self.query_one("#problem", Label).update("")
        self.begin(text)

    def typed(self, text: str) -> None:
        """Show the error in the text."""
        self._checked(text)

    def submitted(self, text: str, /) -> None:
        """Accept the text if it is valid."""
        if (checked := self._checked(text)) is not None:
            self.close()
            self._then(checked)

    def _checked(self, text: str) -> str | None:
        problem = self.query_one("#problem", Label)
        try:
            checked = self._check(text)
        except ValueError as error:
            problem.update(str(error))
            return None
        problem.update("")
        return checked
