"""The latencies of a side, of all its rows together: of the tick, the window, and since start."""

from __future__ import annotations

from array import array

from httptop.collect import histogram
from httptop.collect.histogram import Histogram
from httptop.collect.sums import Slots


class SideLatencies:
    """Histograms of a side; the window's is that of its slots."""

    def __init__(self) -> None:
        self.tick: Histogram = {}
        self.window: Histogram = {}
        self.total: Histogram = {}
        self._first = 0  # of the slots in the window
        #: Of each slot buckets and how many times each has got, in turns: a histogram takes ten
        #: times the memory.
        self._slots: dict[int, array[int]] = {}

    def add(self, slot: int, tick: Histogram) -> None:
        """Add what is new in a tick's histogram."""
        news = dict(tick)
        histogram.subtract(news, self.tick)
        self.tick = tick
        if news:
            histogram.add(self.window, news)
            histogram.add(self.total, news)
            slots = self._slots.setdefault(slot, array("I"))
            slots.extend(number for pair in news.items() for number in pair)

    def move(self, slots: Slots) -> None:
        """Have the window begin with another slot; forget those that do not come back."""
        for slot, news in self._slots.items():
            if self._first <= slot < slots.first:
                for bucket, count in _pairs(news):
                    histogram.subtract(self.window, {bucket: count})
            elif slots.first <= slot < self._first:
                for bucket, count in _pairs(news):
                    histogram.add(self.window, {bucket: count})
        self._first = slots.first
        for gone in [slot for slot in self._slots if slot < slots.kept]:
            del self._slots[gone]


def _pairs(news: array[int]) -> zip[tuple[int, int]]:
    return zip(news[::2], news[1::2], strict=True)
