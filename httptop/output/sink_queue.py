"""What waits for a sink: bounded, and the newest stays."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from httptop.model import Snapshot
from httptop.view.rows import RowsOnDemand

MOST_ITEMS: Final = 64
MOST_BYTES: Final = 4 << 20
#: About what a row takes that has been made, and a snapshot besides its rows.
_ROW_BYTES: Final = 2500
_SNAPSHOT_BYTES: Final = 10_000


class Waiting(NamedTuple):
    """A snapshot that waits, or is being sent."""

    snapshot: Snapshot
    size_bytes: int


class SinkQueue:
    """Snapshots in their order. Where there are too many the oldest are dropped, and counted.

    The newest has a place whatever its size. Whoever shares a queue between threads locks it.
    """

    def __init__(self, most_items: int = MOST_ITEMS, most_bytes: int = MOST_BYTES) -> None:
        self._most_items, self._most_bytes = most_items, most_bytes
        self._waiting: deque[Waiting] = deque()
        self._size_bytes = 0
        #: How many were dropped since start; all of them are older than what waits.
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, snapshot: Snapshot) -> None:
        """Add a snapshot, and drop what it leaves no room for."""
        new = Waiting(snapshot, size_of(snapshot))
        self._waiting.append(new)
        self._size_bytes += new.size_bytes
        while len(self) > 1 and (
            len(self) > self._most_items or self._size_bytes > self._most_bytes
        ):
            self._drop()

    def keep_newest(self) -> None:
        """Drop all but the newest snapshot."""
        while len(self) > 1:
            self._drop()

    def _drop(self) -> None:
        self.take()
        self.dropped += 1

    def take(self) -> Snapshot | None:
        """Remove the oldest snapshot and return it; None: none waits."""
        if not self._waiting:
            return None
        oldest = self._waiting.popleft()
        self._size_bytes -= oldest.size_bytes
        return oldest.snapshot


def size_of(snapshot: Snapshot) -> int:
    """Return about the memory that a snapshot takes which waits, and which others do not share."""
    rows = snapshot.endpoints
    size_bytes = rows.size_bytes if isinstance(rows, RowsOnDemand) else len(rows) * _ROW_BYTES
    return _SNAPSHOT_BYTES + size_bytes
