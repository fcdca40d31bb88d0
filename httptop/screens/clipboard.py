"""The clipboard of the terminal, by OSC 52; nothing tells whether a terminal has taken it."""

from __future__ import annotations

import base64
from typing import Final

from httptop.humanize import size
from httptop.screens.base import Httptop

#: The most bytes that go to a clipboard: what most terminals take of OSC 52, which is 100,000
#: bytes of base64.
_MOST_COPIED: Final = 74_994
#: Terminals, as TERM names them, that have no clipboard.
_WITHOUT: Final = ("", "dumb", "linux", "vt100", "vt102", "vt220")


class Clipboard:
    """Copies; the app owns it. ``term`` is the terminal's name: the variable TERM."""

    def __init__(self, app: Httptop, term: str) -> None:
        self._app, self._term = app, term

    def copy(self, text: str, what: str) -> None:
        """Send a text to the clipboard and say so, or why not; ``what`` it is, in a few words."""
        app, raw = self._app, text.encode("utf-8", "backslashreplace")
        if self._term in _WITHOUT:
            app.say(f"This terminal ({self._term or 'no TERM'}) has no clipboard.", wrong=True)
        elif len(raw) > _MOST_COPIED:
            most, there = size(_MOST_COPIED), size(len(raw))
            app.say(f"Not copied: {there}, and terminals take {most} at most.", wrong=True)
        else:
            app.write_to_terminal(f"\x1b]52;c;{base64.b64encode(raw).decode()}\a")
            inside = self._term.startswith(("tmux", "screen"))
            hint = "; tmux passes it on if set-clipboard is on" if inside else ""
            app.say(f"Sent to the terminal's clipboard: {what}{hint}.")
