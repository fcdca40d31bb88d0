"""The terminal that the screen is drawn on, which may go away at any moment."""

from __future__ import annotations

import contextlib
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import IO, Any, cast

from textual.drivers.linux_driver import LinuxDriver

from httptop.linux.terminal import has_hung_up


class TerminalDriver(LinuxDriver):
    """Textual's driver for terminals that outlives them: the run ends in order then.

    It draws on standard output; Textual's draws on standard error, which is for messages.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take the arguments of LinuxDriver."""
        super().__init__(*arguments, **named)
        out = sys.__stdout__
        if out is not None:
            # The locale's encoding may have none of the characters that ui.symbols asks for.
            raw = FileIO(out.fileno(), "w", closefd=False)
            file = TextIOWrapper(BufferedWriter(raw), encoding="utf-8", errors="replace")
            self._file = cast(Any, LenientFile(file))

    def run_input_thread(self) -> None:
        """Read keys until the end, or until the terminal is gone."""
        try:
            super().run_input_thread()
        except OSError:
            if not has_hung_up(self.fileno):
                raise


class LenientFile:
    """A file for the thread that writes to the terminal.

    If that thread failed, as the terminal is gone, nobody would empty its queue any more, and who
    fills it would wait for ever.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write, if that is possible."""
        with contextlib.suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with contextlib.suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._file.fileno()
