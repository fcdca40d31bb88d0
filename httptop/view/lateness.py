"""How old the newest figures are, once they are late."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from httptop.model import Snapshot
from httptop.view.watch_texts import lasting

#: Figures are late from so many intervals on.
_LATE: Final = 2.0


class Lateness:
    """Knows how long ago a snapshot's moment was; any thread may call its methods.

    A snapshot may arrive long after its moment, where its maker waits for the CPU. So times since
    the run's start are compared: that start is known as well as the promptest arrival tells it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` returns seconds on a monotonic clock."""
        self._clock = clock
        self._begun_s = math.inf  # the run's start, or a little later
        self._uptime_s = 0.0  # of the newest snapshot

    def arrived(self, snapshot: Snapshot) -> None:
        """Note that a snapshot has just arrived; where time has gone back, of another run."""
        begun_s = self._clock() - snapshot.uptime_s
        same = snapshot.uptime_s >= self._uptime_s
        self._begun_s = min(begun_s, self._begun_s) if same else begun_s
        self._uptime_s = snapshot.uptime_s

    def text(self, newest: Snapshot | None) -> str:
        """Return how old the figures are: ``3s old``; empty while they are not late.

        Those of a run that is over are not.
        """
        if newest is None or newest.final:
            return ""
        age_s = self._clock() - self._begun_s - newest.uptime_s
        return f"{lasting(age_s)} old" if age_s > _LATE * newest.interval_s else ""
