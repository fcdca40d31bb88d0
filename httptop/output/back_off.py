"""How long to wait before what has failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

LEAST_S: Final = 0.5
MOST_S: Final = 30.0


class BackOff:
    """Waits that double with each failure in a row.

    Each is shortened at random by up to half, so that many hosts do not come back all at once.
    """

    def __init__(
        self,
        chance: Callable[[], float] = random.random,
        *,
        least_s: float = LEAST_S,
        most_s: float = MOST_S,
    ) -> None:
        """``chance`` returns a number from 0 to 1, without 1."""
        self._chance = chance
        self._least_s, self._most_s = least_s, most_s
        self._failures = 0

    def failed(self) -> float:
        """Note a failure; return the seconds to wait."""
        longest_s = min(self._most_s, self._least_s * 2.0 ** min(self._failures, 60))
        self._failures += 1
        return longest_s * (1 - self._chance() / 2)

    def worked(self) -> None:
        """Begin afresh."""
        self._failures = 0
