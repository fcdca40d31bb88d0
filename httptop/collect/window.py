"""A rolling window (``general.window_s``) over requests, in slots that expire one by one.

Slots are numbered from the start of the run; each covers a twelfth of the window.
"""

from __future__ import annotations

from typing import Final

from httptop.collect.accumulator import Accumulator

SLOTS: Final = 12


class Window:
    """The sum of the slots that have not expired, except for its maximum, which is not kept."""

    __slots__ = ("slots", "sum")

    def __init__(self) -> None:
        self.sum = Accumulator()
        self.slots: dict[int, Accumulator] = {}  # by number; none is empty

    def slot(self, number: int) -> Accumulator:
        """Return a slot, made if need be; what is counted there is to be added to the sum, too."""
        slot = self.slots.get(number)
        if slot is None:
            slot = self.slots[number] = Accumulator()
        return slot

    def expire(self, number: int) -> bool:
        """Drop the slots before the window that ends with ``number``; return whether any were."""
        old = [known for known in self.slots if known <= number - SLOTS]
        for known in old:
            self.sum.subtract(self.slots.pop(known))
        return bool(old)

    def add(self, other: Window) -> None:
        """Add all of another window, slot by slot."""
        self.sum.add(other.sum)
        for number, more in other.slots.items():
            self.slot(number).add(more)
