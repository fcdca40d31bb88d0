"""Tell whether the terminal that httptop was started from still exists.

SIGHUP means either that the terminal is gone, which ends the run, or that the configuration should
be read again. The kernel detaches a session's processes from their controlling terminal before it
sends the signal, so it is enough to check for one.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Final

_HUNG_UP: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Terminal:
    """The terminal at the time this is created: at the start, while there is one."""

    def __init__(self) -> None:
        self._controlled = _has_controlling_terminal()
        self._input: int | None = None
        if sys.__stdin__ is not None and os.isatty(sys.__stdin__.fileno()):
            self._input = sys.__stdin__.fileno()

    @property
    def gone(self) -> bool:
        """Whether there was a terminal and it is gone."""
        if self._controlled and not _has_controlling_terminal():
            return True
        return self._input is not None and has_hung_up(self._input)

    def wait_until_gone(self) -> bool:
        """Wait until standard input hangs up; return False at once if it is not a terminal.

        A terminal that is not our controlling terminal sends no signal when it goes away.
        """
        if self._input is None:
            return False
        has_hung_up(self._input, wait=True)
        return True


def has_hung_up(terminal: int, *, wait: bool = False) -> bool:
    """Return whether the other end of a terminal is gone; ``wait``: once it is."""
    polled = select.poll()  # two threads cannot use the same one
    polled.register(terminal, 0)  # poll always reports a hang-up
    return any(event & _HUNG_UP for _, event in polled.poll(None if wait else 0))


def has_job_control() -> bool:
    """Return whether a shell, or a process of sudo's, can continue us when we are stopped."""
    pid, session, group = os.getpid(), os.getsid(0), os.getpgrp()
    while pid > 1:
        try:
            pid = _parent_of(pid)
            if not pid or os.getsid(pid) != session:
                return False
            if os.getpgid(pid) != group:
                return True
        except OSError:
            return False
    return False


def _parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])


def _has_controlling_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True
