"""The terminal that the screen is drawn on, which may go away at any moment."""

from __future__ import annotations

import contextlib
from typing import IO, Any, cast

from textual.drivers.linux_driver import LinuxDriver

from httptop.linux.terminal import has_hung_up


class TerminalDriver(LinuxDriver):
    """Textual's driver for terminals that outlives them: the run ends in order then."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take the arguments of LinuxDriver."""
        super().__init__(*arguments, **named)
        if self._file is not None:
            self._file = cast(Any, LenientFile(self._file))

    def run_input_thread(self) -> None:
        """Read keys until the end, or until the terminal is gone."""
        try:
            super().run_input_thread()
        except OSError:
            if not has_hung_up(self.fileno):
                raise


class LenientFile:
    """Standard error for the thread that writes to the terminal.

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
