"""The palette: all that can be done on a screen, to search in.

Textual has one, too, but it draws an emoji and borders that a terminal without UTF-8 does not have,
blends colours that one with 16 does not have, and shows its list only after a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from httptop.screens.box import Box
from httptop.screens.commands import Command
from httptop.view.fuzzy import score

_MEANING_WIDTH: Final = 52


class Palette(Box[Command | None]):
    """Lists commands that match what is typed, the best first; Enter or a click does one."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close", show=False),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
    ]

    def __init__(self, commands: Sequence[Command]) -> None:
        super().__init__()
        self._commands = tuple(commands)
        #: What matches, the best first.
        self.found = self._commands
        self._early = ""  # typed before there was a line for it

    def compose(self) -> ComposeResult:
        """Make the line and the list."""
        with Vertical(id="palette") as box:
            self.titled(box, "actions of this page")
            yield Input(placeholder="search", compact=True, select_on_focus=False)
            yield OptionList(*map(_option, self.found))

    def on_mount(self) -> None:
        """Select the first command, and take what has been typed already."""
        field = self.query_one(Input)
        field.cursor_blink = False
        self.query_one(OptionList).highlighted = 0
        field.insert_text_at_cursor(self._early)

    def on_key(self, event: events.Key) -> None:
        """Keep what is typed before the line has the focus."""
        if event.character is not None and event.is_printable:
            event.stop()
            if self.is_mounted:
                self.query_one(Input).insert_text_at_cursor(event.character)
            else:
                self._early += event.character

    def on_input_changed(self, event: Input.Changed) -> None:
        """List what matches the text."""
        text = event.value.strip()
        scored = [(self._score(text, command), command) for command in self._commands]
        if text:
            scored = [pair for pair in scored if pair[0] > 0]
            scored.sort(key=lambda pair: (-pair[0], len(pair[1].meaning)))
        self.found = tuple(command for _, command in scored)
        options = self.query_one(OptionList)
        options.set_options(map(_option, self.found))
        options.highlighted = 0 if self.found else None

    @staticmethod
    def _score(text: str, command: Command) -> float:
        """Return how well a command matches; 0: not at all. One of its keys matches best."""
        if text in command.keys:
            return 1e9
        return max(score(text, command.meaning), score(text, command.name))

    def on_input_submitted(self) -> None:
        """Do what is selected."""
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self.dismiss(self.found[at])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Do what was clicked."""
        self.dismiss(self.found[event.option_index])

    def action_move(self, lines: int) -> None:
        """Select the next or previous command."""
        options = self.query_one(OptionList)
        if lines > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()


def _option(command: Command) -> Option:
    return Option(
        Content.assemble(
            (f"{command.meaning:<{_MEANING_WIDTH}}", "$hue-text"),
            (f"  {' '.join(command.keys)}", "$hue-key"),
        )
    )
