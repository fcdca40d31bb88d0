"""A small box to choose one of a row's statuses or peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from httptop import humanize
from httptop.screens.box import Box
from httptop.view.keys import DIGITS
from httptop.widgets.painting import status_hue


class ValueChooser(Box[str | None]):
    """Shows values with their numbers of requests; a digit, Enter or a click chooses one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Close", show=False),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
        *(Binding(str(n), f"take({n - 1})", "Take", show=False) for n in range(1, DIGITS + 1)),
    ]

    def __init__(
        self, title: str, values: Sequence[tuple[str, int]], hue: Callable[[str], str]
    ) -> None:
        """Prepare the box; ``hue`` returns the hue of a value."""
        super().__init__()
        self.box_title = title
        self.values = tuple(values)
        self._hue = hue
        self._width = max(12, *(len(text) for text, _ in self.values))

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(id="values") as box:
            box.styles.width = max(40, self._width + 18)
            self.titled(box, self.box_title)
            yield OptionList(*map(Option, map(self._line, range(len(self.values)))))

    def _line(self, n: int) -> Content:
        text, count = self.values[n]
        number = f"{n + 1}" if n < DIGITS else " "
        shown = "no response" if text == "unknown" else text
        return Content.assemble(
            (f"{number}  ", "$hue-key"),
            (f"{shown:<{self._width}}", f"$hue-{self._hue(text)} bold"),
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
        """Choose a value by its number."""
        if n < len(self.values):
            self.dismiss(self.values[n][0])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose the value under the cursor."""
        self.action_take(event.option_index)


def status_chooser(title: str, statuses: Sequence[tuple[str, int]]) -> ValueChooser:
    """Return the box for statuses, in their hues."""
    return ValueChooser(
        title, statuses, lambda text: status_hue(int(text[0]) * 100 if text[0].isdigit() else 0)
    )


def peer_chooser(title: str, peers: Sequence[tuple[str, int]]) -> ValueChooser:
    """Return the box for peers, which are addresses."""
    return ValueChooser(title, peers, lambda _: "strong")
