"""Rolling windows: counts and latencies of the last minute, in slots that expire one by one."""

from __future__ import annotations

from collections import deque
from typing import Final

from httptop.collect import histogram
from httptop.collect.histogram import Histogram
from httptop.model import NO_LATENCY, Latency

SLOTS: Final = 12


class Slot:
    """What came in one twelfth of the window."""

    __slots__ = ("errors", "histogram", "number", "requests", "sum_ns")

    def __init__(self, number: int) -> None:
        self.number = number
        self.requests = 0
        self.errors = 0
        self.sum_ns = 0
        self.histogram: Histogram = {}


class Window:
    """The sum of the slots that have not expired."""

    __slots__ = ("_latency", "_slots", "errors", "histogram", "requests", "sum_ns")

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()
        self.requests = 0
        self.errors = 0
        self.sum_ns = 0
        self.histogram: Histogram = {}
        self._latency: Latency | None = NO_LATENCY

    def add(
        self, slot_number: int, requests: int, errors: int, sum_ns: int, latencies: Histogram
    ) -> None:
        """Add to the current slot."""
        if not self._slots or self._slots[-1].number != slot_number:
            self._slots.append(Slot(slot_number))
        slot = self._slots[-1]
        slot.requests += requests
        slot.errors += errors
        self.requests += requests
        self.errors += errors
        if latencies:
            slot.sum_ns += sum_ns
            self.sum_ns += sum_ns
            histogram.add(slot.histogram, latencies)
            histogram.add(self.histogram, latencies)
            self._latency = None

    def expire(self, slot_number: int) -> bool:
        """Forget what is older than the window; return whether anything is left."""
        while self._slots and self._slots[0].number <= slot_number - SLOTS:
            slot = self._slots.popleft()
            self.requests -= slot.requests
            self.errors -= slot.errors
            self.sum_ns -= slot.sum_ns
            histogram.subtract(self.histogram, slot.histogram)
            self._latency = None
        return bool(self._slots)

    def absorb(self, other: Window) -> None:
        """Add all of another window, slot by slot."""
        slots = {slot.number: slot for slot in self._slots}
        for more in other._slots:
            slot = slots.setdefault(more.number, Slot(more.number))
            slot.requests += more.requests
            slot.errors += more.errors
            slot.sum_ns += more.sum_ns
            histogram.add(slot.histogram, more.histogram)
        self._slots = deque(slots[number] for number in sorted(slots))
        self.requests += other.requests
        self.errors += other.errors
        self.sum_ns += other.sum_ns
        histogram.add(self.histogram, other.histogram)
        self._latency = None

    def latency(self, total_max_ns: int) -> Latency:
        """Return the summary of the latencies; ``total_max_ns`` bounds the greatest."""
        if self._latency is None:
            self._latency = histogram.summary(self.histogram, self.sum_ns, total_max_ns)
        return self._latency
