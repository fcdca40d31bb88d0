"""Do long work in short stretches, so that whoever waits for the CPU has it in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: Seconds of work at a stretch, and of the pause that follows.
_LONGEST_S: Final = 0.002
_PAUSE_S: Final = 0.0002


class Stretches:
    """Pauses work that goes on for too long at a stretch; for one thread.

    Others are to have the CPU whatever the scheduler thinks of them: it compares nice values only
    within a control group or session, and looks who waits only when its own tick comes, each 4 ms
    or so.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``clock`` and ``sleep`` are in seconds."""
        self._clock, self._sleep = clock, sleep
        self._since_s = clock()

    def begin(self) -> None:
        """Begin a stretch: the thread has waited for something just now."""
        self._since_s = self._clock()

    def go_on(self) -> None:
        """Pause if the stretch has been long; call it often."""
        if self._clock() - self._since_s >= _LONGEST_S:
            self._sleep(_PAUSE_S)
            self._since_s = self._clock()
