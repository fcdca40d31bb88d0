"""What is on the screen, as text and as an SVG picture."""

from __future__ import annotations

import io
import re
from typing import Any, Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from textual.app import App

#: Rich's picture without the fonts that it would have a browser fetch.
_SVG: Final = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


class Picture:
    """The cells of the screen as they are now."""

    def __init__(self, app: App[Any]) -> None:
        """Take the screen on top, and those that are seen behind it."""
        width, height = app.size
        console = Console(
            width=width,
            height=height,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            record=True,
            legacy_windows=False,
            safe_box=False,
        )
        console.print(
            app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
        )
        self._console, self._title = console, app.title

    def text(self) -> str:
        """Return the lines, without blanks at their ends; none below the last one is blank."""
        lines = self._console.export_text(clear=False).split("\n")
        return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"

    def svg(self) -> str:
        """Return the picture, of some hundred kilobytes; it refers to nothing outside."""
        return self._console.export_svg(title=self._title, clear=False, code_format=_SVG)
