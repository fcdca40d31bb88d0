"""Rolling windows: requests and latencies of the last minute, in slots that expire one by one."""

from __future__ import annotations

from typing import Final

from httptop.collect.accumulator import Accumulator

SLOTS: Final = 12


class Window:
    """The sum of the slots that have not expired; the maximum is not kept."""

    __slots__ = ("slots", "sum")

    def __init__(self) -> None:
        self.sum = Accumulator()
        self.slots: dict[int, Accumulator] = {}  # by number, ascending with time; none empty

    def slot(self, number: int) -> Accumulator:
        """Return a slot: what is counted there is to be counted in the sum, too."""
        slot = self.slots.get(number)
        if slot is None:
            slot = self.slots[number] = Accumulator()
        return slot

    def expire(self, number: int) -> bool:
        """Forget what is older than the window that ends with this slot; return whether any was."""
        old = [known for known in self.slots if known <= number - SLOTS]
        for known in old:
            self.sum.subtract(self.slots.pop(known))
        return bool(old)

    def add(self, other: Window) -> None:
        """Add all of another window, slot by slot."""
        self.sum.add(other.sum)
        for number, more in other.slots.items():
            self.slot(number).add(more)
