"""The terminal that httptop was started from, and whether it is still there.

SIGHUP says either that the terminal is gone, and then the run ends, or that the configuration is
to be read again. The kernel takes the controlling terminal from the processes of a session before
it sends the signal, so a look is enough to tell which.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Final

_HUNG_UP: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Terminal:
    """To be made at the start, while the terminal is there."""

    def __init__(self) -> None:
        self._controlled = _has_controlling_terminal()
        self._input: select.poll | None = None
        if sys.__stdin__ is not None and os.isatty(sys.__stdin__.fileno()):
            self._input = select.poll()
            self._input.register(sys.__stdin__.fileno(), 0)  # a hang-up is always told

    @property
    def gone(self) -> bool:
        """Whether there was a terminal and is none any more."""
        if self._controlled and not _has_controlling_terminal():
            return True
        return self._input is not None and any(event & _HUNG_UP for _, event in self._input.poll(0))

    def wait_until_gone(self) -> bool:
        """Wait until standard input hangs up; False at once where that is no terminal.

        A terminal that is not ours to control sends no signal when it goes.
        """
        if self._input is None:
            return False
        self._input.poll()
        return True


def _has_controlling_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True
