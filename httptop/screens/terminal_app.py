"""How the app draws on the terminal: its colours and symbols, and only what changes."""

from __future__ import annotations

import os
from typing import Any, cast

from rich.console import RenderableType
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.driver import Driver
from textual.events import Resize
from textual.filter import Monochrome, NoColor
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import Theme

from httptop.config.settings import DEFAULTS
from httptop.linux.terminal import has_job_control
from httptop.screens.base import Httptop
from httptop.screens.clipboard import Clipboard
from httptop.screens.plain import AsciiOnly
from httptop.screens.shown_cells import ChangedCells, ShownCells
from httptop.screens.terminal import TerminalDriver
from httptop.screens.themes import THEMES
from httptop.widgets.sparkline import Symbols


class TerminalApp(Httptop):
    """Knows the terminal, and nothing of what is shown."""

    theme: Reactive[str] = Reactive(DEFAULTS.ui.theme)

    def __init__(self, symbols: Symbols, *, no_color: bool) -> None:
        """``no_color``: attributes only."""
        super().__init__(ansi_color=True if no_color else None)
        self.symbols = symbols
        self._shown = ShownCells()
        self._copying = Clipboard(self, os.environ.get("TERM", ""))
        self._filter_lines(no_color, symbols)

    def _filter_lines(self, no_color: bool, symbols: Symbols) -> None:
        """Have lines without colours, and in ASCII; Textual's NO_COLOR would make colours grey."""
        self.no_color = no_color
        self._filters = [f for f in self._filters if not isinstance(f, Monochrome | NoColor)]
        if no_color:
            self._filters.append(NoColor())
        if symbols == "ascii":
            self._filters.append(AsciiOnly())

    @property
    def available_themes(self) -> dict[str, Theme]:
        """Our themes by their names; Textual's own lack our hues."""
        return dict(THEMES)

    def get_driver_class(self) -> type[Driver]:
        """Draw on a terminal that may go away."""
        return TerminalDriver

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send only the cells that change; Textual calls this for each update."""
        if isinstance(renderable, LayoutUpdate | ChopsUpdate):
            changed = cast(RenderableType, ChangedCells(self._shown, renderable))
            super()._display(screen, changed)
        else:
            super()._display(screen, renderable)

    def action_redraw(self) -> None:
        """Draw the whole screen, whatever the terminal shows."""
        self._shown.forget()
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Draw all that a terminal of another size may have moved, also where it is back at it."""
        self._shown.forget()
        if event.size == self.size:
            self.refresh()

    def write_to_terminal(self, sequence: str) -> None:
        """Send a control sequence to the terminal."""
        if self._driver is not None:
            self._driver.write(sequence)

    def copy_text(self, text: str, what: str) -> None:
        """Send a text to the terminal's clipboard and say so; ``what`` it is, in a few words."""
        self._copying.copy(text, what)

    def action_suspend(self) -> None:
        """Give the terminal back and stop, if somebody can have httptop go on."""
        if has_job_control():
            self.action_suspend_process()
        else:
            self.say("No shell could resume httptop, so it is not suspended.", wrong=True)
