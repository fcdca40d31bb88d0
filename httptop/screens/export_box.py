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
        Binding("escape,q", "close", "Close", show=False),
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
        self._made = False  # the choice
        self._early: list[str] | None = []  # keys typed before the box stands; None: it does

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(id="export") as box:
            self.titled(box, "export what is shown")
            yield OptionList(
                *(Content.assemble((f"{letter}  ", "$hue-key"), what) for letter, _, what in _WAYS)
            )

    def take_early(self, key: str) -> bool:
        """Keep a key for when the box stands; return whether it does not stand yet."""
        if self._early is not None:
            self._early.append(key)
        return self._early is not None

    def on_mount(self) -> None:
        """Choose what was typed already."""
        early, self._early = self._early or [], None
        chosen = {letter: way for letter, way, _ in _WAYS}
        if early and (early[0] in chosen or early[0] == "escape"):
            self.call_after_refresh(self._choose, chosen.get(early[0]))

    def action_take(self, n: int) -> None:
        """Choose a way by its place."""
        self._choose(_WAYS[n][1])

    def action_close(self) -> None:
        """Choose none."""
        self._choose(None)

    def _choose(self, way: Way | None) -> None:
        """Close with a choice, once: keys that come at once may make two."""
        if not self._made:
            self._made = True
            self.dismiss(way)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose the way under the cursor."""
        self.action_take(event.option_index)
