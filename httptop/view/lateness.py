"""How old the newest figures are, once they are late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from httptop.model import Snapshot
from httptop.view.watches import lasting

#: Figures are late from so many intervals on.
_LATE: Final = 2.0


class Lateness:
    """Remembers when the newest snapshot was made; any thread may call its methods."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` returns seconds on a monotonic clock."""
        self._clock = clock
        self._made_s = clock()

    def made(self) -> None:
        """Note that a snapshot has just been made."""
        self._made_s = self._clock()

    def text(self, newest: Snapshot | None) -> str:
        """Return how old the figures are: ``3s old``; empty while they are not late.

        Those of a run that is over are not.
        """
        if newest is None or newest.final:
            return ""
        age_s = self._clock() - self._made_s
        return f"{lasting(age_s)} old" if age_s > _LATE * newest.interval_s else ""
