"""What rows had counted by status when the window began: what has come since is the window's.

Counters are of the whole run. With the first reading of each slot that the window can begin with
(window.py) it is noted what had been counted before it, so that the window's counts are exact
differences, of the same time as all that the source keeps of the window. Rows that become others'
stay so in what was noted, and a number that a row has given back is a new row's.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, NamedTuple

from httptop.collect.row_names import RowNames
from httptop.collect.sums import CELL, ROW, RowFigures, Slots, Sums
from httptop.model import STATUS_UNKNOWN

_ROW_WORDS: Final = ROW.size // 8
_UNANSWERED_AT: Final = RowFigures._fields.index("unanswered")
_LEVEL: Final = 1


def counts_of(cells: bytes) -> memoryview:
    """Return how many responses each cell has counted; ``cells``: CELL after CELL."""
    return memoryview(cells).cast("Q")[:: CELL.size // 8]


@dataclass(frozen=True)
class Counted:
    """What rows had counted at a moment; nothing of it changes."""

    names: RowNames
    cells: bytes  # responses of each cell, 64 bits each
    unanswered: bytes  # requests of each row, likewise
    #: The rows of then that a row stands for now, where that is not the one of its number alone.
    stands_for: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, sums: Sums, names: RowNames) -> Counted:
        """Return what rows have counted now."""
        unanswered = memoryview(sums.rows).cast("Q")[_UNANSWERED_AT::_ROW_WORDS]
        return cls(names, counts_of(sums.cells).tobytes(), unanswered.tobytes())

    @cached_property
    def counts(self) -> list[int]:
        """The responses of each cell."""
        return memoryview(self.cells).cast("Q").tolist()

    @cached_property
    def unanswered_counts(self) -> list[int]:
        """The unanswered requests of each row."""
        return memoryview(self.unanswered).cast("Q").tolist()

    def by_status(self, row: int) -> dict[int, int]:
        """Return the requests of a row by status; STATUS_UNKNOWN: those that were unanswered, too.

        The row is one of today's.
        """
        found: dict[int, int] = {}
        for then in self.stands_for.get(row, (row,)):
            if then < len(self.unanswered_counts):
                self._add(then, found)
        return found

    def _add(self, row: int, found: dict[int, int]) -> None:
        counts = self.counts
        for code, cell in self.names.statuses[row]:
            if cell < len(counts) and counts[cell]:
                found[code] = found.get(code, 0) + counts[cell]
        for code, answered in self.names.apart.get(row, {}).items():
            found[code] = found.get(code, 0) + answered.responses
        if unanswered := self.unanswered_counts[row]:
            found[STATUS_UNKNOWN] = found.get(STATUS_UNKNOWN, 0) + unanswered

    def moved(self, rows: Mapping[int, int]) -> Counted:
        """Return the same after rows have become others'; their numbers may be used again.

        None of the others becomes another's itself.
        """
        stands_for = dict(self.stands_for)
        more: dict[int, list[int]] = {}
        for row, into in rows.items():
            more.setdefault(into, []).extend(stands_for.get(row, (row,)))
            stands_for[row] = ()
        for into, then in more.items():
            stands_for[into] = (*stands_for.get(into, (into,)), *then)
        return replace(self, stands_for=stands_for)

    @cached_property
    def packed(self) -> PackedCounted:
        """The same in less memory."""
        cells, unanswered = (zlib.compress(part, _LEVEL) for part in (self.cells, self.unanswered))
        return PackedCounted(self.names, cells, unanswered, self.stands_for)


@dataclass(frozen=True, slots=True)
class PackedCounted:
    """What rows had counted, compressed."""

    names: RowNames
    cells: bytes
    unanswered: bytes
    stands_for: Mapping[int, tuple[int, ...]]

    @property
    def size_bytes(self) -> int:
        """The memory that it takes, besides what it shares."""
        return len(self.cells) + len(self.unanswered)

    def whole(self) -> Counted:
        """Return it as it was."""
        cells, unanswered = map(zlib.decompress, (self.cells, self.unanswered))
        return Counted(self.names, cells, unanswered, self.stands_for)


def added(now: Mapping[int, int], before: Mapping[int, int]) -> dict[int, int]:
    """Return what has been added to counts by status."""
    return {code: more for code, count in now.items() if (more := count - before.get(code, 0)) > 0}


class _Waiting(NamedTuple):
    """What is packed until the window begins with it."""

    packed: PackedCounted
    seen: int  # how many moves of rows it knows of


class CountedAgo:
    """What had been counted when each slot that the window can begin with began.

    What is not of the window is packed, and told of rows that have become others' once it is
    unpacked: rows may come and go by the thousand. For one thread alone.
    """

    def __init__(self) -> None:
        self._first = 0
        self._slots: dict[int, Counted | _Waiting] = {}
        #: The moves of rows that some have not seen, and how many there were before.
        self._moves: list[Mapping[int, int]] = []
        self._all_seen = 0

    def begin(self, slots: Slots, counted: Callable[[], Counted]) -> None:
        """Note what was counted before the last slot of the window, which has these from now on."""
        starts = set(slots.starts)
        kept = {slot: one for slot, one in self._slots.items() if slot in starts}
        if slots.last not in kept:
            kept[slots.last] = counted()
        moves = self._all_seen + len(self._moves)
        for slot, one in kept.items():
            if slot < slots.first and isinstance(one, Counted):
                kept[slot] = _Waiting(one.packed, moves)
        first = kept.get(slots.first)
        if isinstance(first, _Waiting):
            whole = first.packed.whole()
            for rows in self._moves[first.seen - self._all_seen :]:
                whole = whole.moved(rows)
            kept[slots.first] = whole
        self._first, self._slots = slots.first, kept
        seen = min((one.seen for one in kept.values() if isinstance(one, _Waiting)), default=moves)
        del self._moves[: seen - self._all_seen]
        self._all_seen = seen

    @property
    def oldest(self) -> Counted | None:
        """What had been counted when the window began; None: it has not begun."""
        found = self._slots.get(self._first)
        return found if isinstance(found, Counted) else None

    def move(self, rows: Mapping[int, int]) -> None:
        """Have rows be others' now, with all that they had counted; see RowLedger."""
        self._moves.append(dict(rows))
        for slot, one in self._slots.items():
            if isinstance(one, Counted):
                self._slots[slot] = one.moved(rows)
