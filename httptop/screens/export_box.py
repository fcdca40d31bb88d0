"""A small box to choose how to export what is shown."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList

from httptop.screens.box import Box

Way = Literal["txt", "svg", "json", "copy"]

#: Letter, way, what it says.
_WAYS: Final[tuple[tuple[str, Way, str], ...]] = (
    ("t", "txt", "text file"),
    ("s", "svg", "picture (SVG)"),
    ("j", "json", "figures of all endpoints (JSON)"),
    ("c", "copy", "copy the text to the clipboard"),
)


class ExportBox(Box[Way | None]):
    """Shows the ways; a letter, Enter or a click chooses one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Close", show=False),
        *(
            Binding(letter, f"take({n})", "Take", show=False)
            for n, (letter, _, _) in enumerate(_WAYS)
        ),
    ]

    def __init__(self, directory: str) -> None:
        """``directory``: where files go; empty: nowhere."""
        super().__init__()
        where = f"files go to {directory}" if directory else "no files in this run"
        self.CLOSES = f"Esc closes; {where}"  # type: ignore[misc]

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(id="export") as box:
            self.titled(box, "export what is shown")
            yield OptionList(
                *(Content.assemble((f"{letter}  ", "$hue-key"), what) for letter, _, what in _WAYS)
            )

    def action_take(self, n: int) -> None:
        """Choose a way by its place."""
        self.dismiss(_WAYS[n][1])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose the way under the cursor."""
        self.action_take(event.option_index)
