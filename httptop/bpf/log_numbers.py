"""The numbers that rows have in the log of the window (bpf/c/sums_abi.h)."""

from __future__ import annotations

from array import array
from mmap import mmap


class LogNumbers:
    """Gives rows numbers, and other rows the numbers of those that are merged into them.

    All numbers of a row are a ring. They are kept as arrays, since thousands of small objects that
    outlive the rows by a window would each keep a part of the heap.
    """

    def __init__(self, rows: mmap, most_rows: int) -> None:
        """``rows``: the row that each number is of, as 64 bits each; number 0 is never used."""
        self._rows = memoryview(rows).cast("Q")
        numbers = range(len(self._rows))
        #: How many there can be.
        self.most = len(numbers) - 1
        self._free = array("H", reversed(numbers[1:]))
        self._own = array("H", [0]) * most_rows  # of each row: the number that it logs; 0: none
        self._next, self._before = array("H", numbers), array("H", numbers)
        #: Those of merged rows, by the slot in which these were merged, the earliest first.
        self._merged: dict[int, array[int]] = {}

    def close(self) -> None:
        """Let go of the memory."""
        self._rows.release()

    @property
    def free(self) -> int:
        """How many are left."""
        return len(self._free)

    def take(self, row: int) -> int | None:
        """Return a number for a row that has none; None if it has one, or none is left."""
        if self._own[row] or not self._free:
            return None
        number = self._own[row] = self._free.pop()
        self._rows[number] = row
        return number

    def merge(self, row: int, into: int, slot: int) -> None:
        """Give another row the numbers of one, which is in no slot after ``slot``.

        The other has a number already.
        """
        own, self._own[row] = self._own[row], 0
        if not own:
            return
        self._rows[own] = into
        following, before = self._next, self._before
        first = number = following[own]
        while number != own:
            self._rows[number] = into
            number = following[number]
        if slot not in self._merged:
            self._merged[slot] = array("H")
        self._merged[slot].append(own)
        other = self._own[into]
        last = before[other]
        following[last], before[first] = first, last
        following[own], before[other] = other, own

    def expire(self, kept: int) -> None:
        """Have numbers be free of which the slots from ``kept`` on have nothing."""
        for known in [known for known in self._merged if known < kept]:
            for number in self._merged.pop(known):
                before, following = self._before[number], self._next[number]
                self._next[before], self._before[following] = following, before
                self._next[number] = self._before[number] = number
                self._free.append(number)
