"""The numbers that rows have in the log of the window (bpf/c/sums_abi.h)."""

from __future__ import annotations

from collections import deque
from mmap import mmap

from httptop.collect.sums import SLOTS


class LogNumbers:
    """Gives rows numbers, and other rows the numbers of those that are merged into them."""

    def __init__(self, rows: mmap) -> None:
        """``rows``: the row that each number is of, as 64 bits each; number 0 is never used."""
        self._rows = memoryview(rows).cast("Q")
        self._free = deque(range(1, len(self._rows)))
        self._of: dict[int, list[int]] = {}  # row -> its numbers, its own last
        self._merged: deque[tuple[int, int]] = deque()  # (slot, number), in the order of slots

    def close(self) -> None:
        """Let go of the memory."""
        self._rows.release()

    @property
    def free(self) -> int:
        """How many are left."""
        return len(self._free)

    def take(self, row: int) -> int | None:
        """Return a number for a row that has none; None if it has one, or none is left."""
        if row in self._of or not self._free:
            return None
        number = self._free.popleft()
        self._of[row] = [number]
        self._rows[number] = row
        return number

    def merge(self, row: int, into: int, slot: int) -> None:
        """Give another row the numbers of one; the window ends with a slot, by number."""
        numbers = self._of.pop(row, [])
        for number in numbers:
            self._rows[number] = into
        if numbers:
            self._merged.append((slot, numbers[-1]))
            own = self._of[into].pop()
            self._of[into] += (*numbers, own)

    def expire(self, slot: int) -> None:
        """Have numbers be free of which the window that ends with ``slot`` has nothing."""
        while self._merged and self._merged[0][0] <= slot - SLOTS:
            _, number = self._merged.popleft()
            self._of[self._rows[number]].remove(number)
            self._free.append(number)
