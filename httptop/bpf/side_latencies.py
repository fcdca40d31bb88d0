"""The latencies of a side, of all its rows together: of the tick, the window, and since start."""

from __future__ import annotations

from httptop.collect import histogram
from httptop.collect.histogram import Histogram
from httptop.collect.sums import SLOTS


class SideLatencies:
    """Histograms of a side; the window's is kept by its slots, which expire one by one."""

    def __init__(self) -> None:
        self.tick: Histogram = {}
        self.window: Histogram = {}
        self.total: Histogram = {}
        self._slots: dict[int, Histogram] = {}

    def add(self, slot: int, tick: Histogram) -> None:
        """Add what is new in a tick's histogram."""
        news = dict(tick)
        histogram.subtract(news, self.tick)
        self.tick = tick
        if news:
            histogram.add(self.window, news)
            histogram.add(self.total, news)
            histogram.add(self._slots.setdefault(slot, {}), news)

    def expire(self, slot: int) -> None:
        """Drop the slots before the window that ends with ``slot``."""
        for old in [known for known in self._slots if known <= slot - SLOTS]:
            histogram.subtract(self.window, self._slots.pop(old))
