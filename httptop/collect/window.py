"""The window: which time rates and latencies cover, as numbered slots that leave one by one.

A source adds what it reads to the slot that it is given, and forgets the slots that are SLOTS or
more below the newest one (sums.py). Here it is decided which number that is, and known when each
slot began: so it is known exactly of which time the figures are, whatever the window is changed to,
and however irregular the readings are.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from httptop.collect.sums import SLOTS
from httptop.model import Snapshot

#: The memory that the log of a window may take, but for that of its last KEPT_S seconds. A row
#: takes 28 bytes of it for each tick in which it has five requests, and 60 where it has many.
MOST_BYTES: Final = 15 << 20
KEPT_S: Final = 60.0
#: A slot leaves once the window would cover more than it should, by this share of a slot.
_SLACK: Final = 0.5


def window_fits(seconds: float, snapshot: Snapshot) -> bool:
    """Return whether a longer window has room for what is counted at the pace of a snapshot."""
    taken, covered_s = snapshot.overhead.window_bytes, snapshot.covered_s
    if not math.isfinite(seconds) or seconds <= KEPT_S or not taken or covered_s <= 0:
        return True
    return taken * seconds / covered_s <= MOST_BYTES


class Window:
    """The slots of a window that ends with the latest reading; for one thread.

    Wider, the window grows from what it has: the slots that it still has stay, and the next ones
    are longer. Narrower, it drops at once what is too old. Times are of the run, in seconds.
    """

    def __init__(self, seconds: float) -> None:
        #: How long the window is to be; it may be changed between two readings.
        self.seconds = seconds
        self._read_s = 0.0  # the latest reading
        #: The slots that the window has, each with when it began, the oldest first.
        self._slots: deque[tuple[int, float]] = deque([(0, 0.0)])
        self._leaves = -SLOTS  # the slot that leaves with the next reading, whatever its age

    @property
    def covered_s(self) -> float:
        """The seconds up to the latest reading of which the figures of the window are."""
        return self._read_s - self._slots[0][1]

    def slot(self, now_s: float) -> int:
        """Return the number of the slot for what is read now; the window ends with it."""
        length_s = self.seconds / SLOTS
        number, begun_s = self._slots[-1]
        newest = number + (self._read_s - begun_s >= length_s)
        oldest_s = now_s - self.seconds - _SLACK * length_s
        for known, begun_s in self._slots:
            if known == self._leaves or begun_s < oldest_s:
                newest = max(newest, known + SLOTS)
        while self._slots and self._slots[0][0] <= newest - SLOTS:
            self._slots.popleft()
        if newest > number:
            self._slots.append((newest, self._read_s))
        self._read_s = now_s
        return newest

    def shorten(self) -> bool:
        """Have the oldest slot leave with the next reading; return whether it does.

        What is of the last KEPT_S stays.
        """
        if len(self._slots) < 2 or self._read_s - self._slots[1][1] < KEPT_S:
            return False
        self._leaves = self._slots[0][0]
        return True
