"""What waits for a sink: bounded, and the newest stays."""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

MOST_ITEMS: Final = 64
MOST_BYTES: Final = 4 << 20


class Waiting(NamedTuple, Generic[Item]):
    """What waits, or is being sent."""

    item: Item
    taken_at: float  # Unix time, seconds
    size_bytes: int  # about the memory that it takes, and that others do not share
    units: int = 1  # how many it counts for where they are counted: a batch, as many as it has


class SinkQueue(Generic[Item]):
    """What waits, in its order. Where there is too much the oldest is dropped, and counted.

    The newest has a place whatever its size. Whoever shares a queue between threads locks it.
    """

    def __init__(self, most_items: int = MOST_ITEMS, most_bytes: int = MOST_BYTES) -> None:
        self._most_items, self._most_bytes = most_items, most_bytes
        self._waiting: deque[Waiting[Item]] = deque()
        self._size_bytes = 0
        #: How many units wait.
        self.units = 0
        #: How many were dropped since start; all of them are older than what waits.
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, new: Waiting[Item]) -> None:
        """Add an item, and drop what it leaves no room for."""
        self._waiting.append(new)
        self._size_bytes += new.size_bytes
        self.units += new.units
        while len(self) > 1 and (
            len(self) > self._most_items or self._size_bytes > self._most_bytes
        ):
            self._drop()

    def keep_newest(self) -> None:
        """Drop all but the newest item."""
        while len(self) > 1:
            self._drop()

    def _drop(self) -> None:
        oldest = self.take()
        assert oldest is not None
        self.dropped += oldest.units

    def take(self) -> Waiting[Item] | None:
        """Remove the oldest item and return it; None: none waits."""
        if not self._waiting:
            return None
        oldest = self._waiting.popleft()
        self._size_bytes -= oldest.size_bytes
        self.units -= oldest.units
        return oldest
