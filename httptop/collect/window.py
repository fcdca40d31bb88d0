"""The window: which time rates and latencies cover, as numbered slots that come and leave.

A source adds what it reads to the last slot, and the window has the slots from a first one to that
(sums.py). Here it is decided which is the first, and known when it began: so it is known exactly of
which time the figures are, whatever the window is changed to, and however irregular the readings
are. Slots that have left are kept for a while, as far as there is room: a longer window has them
again at once. The older they are, the fewer of them it can begin with.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from httptop.collect.sums import RowSums, Slots
from httptop.model import Snapshot

#: The window can begin once in each twelfth of its length.
SLOTS: Final = 12
#: The memory that the log of a window may take, but for that of its last LEAST_S seconds. A row
#: takes 28 bytes of it for each tick in which it has five requests, and 60 where it has many.
MOST_BYTES: Final = 15 << 20
LEAST_S: Final = 60.0
#: For how long what has left the window is kept, if all of the log takes no more than so much.
KEPT_S: Final = 300.0
MOST_KEPT_BYTES: Final = 6 << 20
#: A slot is no longer than this (s), so that any window can begin with one.
_LONGEST_S: Final = 10 / SLOTS


def window_fits(seconds: float, snapshot: Snapshot) -> bool:
    """Return whether a longer window has room for what is counted at the pace of a snapshot."""
    taken, logged_s = snapshot.overhead.window_bytes, max(snapshot.covered_s, snapshot.kept_s)
    if not math.isfinite(seconds) or seconds <= LEAST_S or not taken or logged_s <= 0:
        return True
    return taken * seconds / logged_s <= MOST_BYTES


class Window:
    """The slots of a window that ends with the latest reading; for one thread.

    Times are of the run, in seconds.
    """

    def __init__(self, seconds: float, kept_s: float = 0.0) -> None:
        """``kept_s``: for how long slots are kept that a longer window would have again."""
        #: How long the window is to be; it may be changed between two readings.
        self.seconds = seconds
        self._longest_s = kept_s
        self._read_s = 0.0  # the latest reading
        #: The slots that the window can begin with, each with when it began, the oldest first.
        self._slots: deque[tuple[int, float]] = deque([(0, 0.0)])
        self._first, self._begun_s = 0, 0.0  # the first one of the window

    @property
    def covered_s(self) -> float:
        """The seconds up to the latest reading of which the figures of the window are."""
        return self._read_s - self._begun_s

    @property
    def kept_s(self) -> float:
        """The seconds up to the latest reading that a longer window would cover at once."""
        return self._read_s - min(self._slots[0][1], self._begun_s)

    def slots(self, now_s: float) -> Slots:
        """Return the slots for what is read now."""
        length_s = self.seconds / SLOTS
        wanted_s = now_s - self.seconds  # when the window should begin
        last, begun_s = self._slots[-1]
        if self._read_s - begun_s >= min(length_s, _LONGEST_S) or begun_s < wanted_s:
            last += 1
            self._slots.append((last, self._read_s))
        self._read_s = now_s
        # A slot is as long as a late tick: the window may rather be longer than half as long.
        self._first, self._begun_s = min(self._slots, key=lambda slot: abs(slot[1] - wanted_s))
        kept_since_s = min(wanted_s, now_s - self._longest_s)
        while self._slots[0][0] < self._first and self._slots[0][1] < kept_since_s:
            self._slots.popleft()
        self._thin_out(now_s)
        return Slots(self._first, tuple([number for number, _ in self._slots]))

    def _thin_out(self, now_s: float) -> None:
        """Leave starts out that a window as long as they are old does not need."""
        kept = [self._slots[0]]
        for at in range(1, len(self._slots) - 1):
            (number, _), (_, before_s), (_, next_s) = self._slots[at], kept[-1], self._slots[at + 1]
            if number == self._first or next_s - before_s > (now_s - before_s) / SLOTS:
                kept.append(self._slots[at])
        self._slots = deque([*kept, *list(self._slots)[max(len(self._slots) - 1, 1) :]])

    def fit(self, sums: RowSums) -> bool:
        """Forget the oldest slots if there is no room for them; return whether the window had them.

        They leave it with the next reading. What it has of the last LEAST_S stays.
        """
        taken = sums.window_bytes
        too_many = len(self._slots) // SLOTS if sums.window_is_crowded else 0
        cut = False
        while len(self._slots) > 1:
            (number, _), (end, next_s) = self._slots[0], self._slots[1]
            inside = number >= self._first
            if inside and self._read_s - next_s < LEAST_S:
                break
            if too_many <= 0 and taken <= (MOST_BYTES if inside else MOST_KEPT_BYTES):
                break
            self._slots.popleft()
            taken -= sums.log_bytes(number, end)
            too_many -= 1
            cut |= inside
        return cut
