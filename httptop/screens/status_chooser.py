"""A small box to choose one of a row's statuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from httptop import humanize
from httptop.view.keys import DIGITS
from httptop.widgets.painting import status_hue


class StatusChooser(ModalScreen[str | None]):
    """Shows statuses with their numbers of responses; a digit, Enter or a click chooses one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Close", show=False),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
        *(Binding(str(n), f"take({n - 1})", "Take", show=False) for n in range(1, DIGITS + 1)),
    ]

    def __init__(self, title: str, statuses: Sequence[tuple[str, int]]) -> None:
        super().__init__()
        self.box_title = title
        self.statuses = tuple(statuses)

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(id="statuses") as box:
            box.border_title = Content(self.box_title)
            box.border_subtitle = Content("Esc closes")
            yield OptionList(*map(Option, map(self._line, range(len(self.statuses)))))

    def _line(self, n: int) -> Content:
        text, count = self.statuses[n]
        hue = status_hue(int(text[0]) * 100) if text[0].isdigit() else "none"
        number = f"{n + 1}" if n < DIGITS else " "
        shown = "no response" if text == "unknown" else text
        return Content.assemble(
            (f"{number}  ", "$hue-key"),
            (f"{shown:<12}", f"$hue-{hue} bold"),
            (f"{humanize.count(count):>8}", "$hue-muted"),
        )

    def action_move(self, lines: int) -> None:
        """Move the cursor up or down."""
        options = self.query_one(OptionList)
        if lines > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_take(self, n: int) -> None:
        """Choose a status by its number."""
        if n < len(self.statuses):
            self.dismiss(self.statuses[n][0])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose the status under the cursor."""
        self.action_take(event.option_index)
