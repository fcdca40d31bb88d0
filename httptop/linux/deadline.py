"""End this process at a set time, whatever its threads wait for."""

from __future__ import annotations

import faulthandler
import os
from typing import Final

from httptop.console import nothing
from httptop.linux.stretches import hurry

_STANDARD_ERROR: Final = 2


class Deadline:
    """The time by which this process has ended; a thread of the C library's sees to that.

    It needs neither the event loop nor Python's interpreter lock: a signal handler sets it, and the
    thread that was to act on the signal may be stuck.
    """

    def __init__(self) -> None:
        """Set no time yet."""
        self._nothing: int | None = None
        self._set = False

    def set(self, left_s: float) -> None:
        """Have the process end with status 1 in so many seconds, unless it is set already.

        A signal handler may call it.
        """
        if self._set:
            return
        self._set = True
        hurry(True)
        if self._nothing is None:
            try:
                self._nothing = nothing()
            except OSError:  # no descriptor is left
                self._nothing = _STANDARD_ERROR
        faulthandler.dump_traceback_later(left_s, exit=True, file=self._nothing)

    def cancel(self) -> None:
        """Set no time after all; idempotent."""
        if not self._set:
            return
        faulthandler.cancel_dump_traceback_later()
        hurry(False)
        self._set = False
        nothing, self._nothing = self._nothing, None
        if nothing not in (None, _STANDARD_ERROR):
            os.close(nothing)
