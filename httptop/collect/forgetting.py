"""Which rows give their place back.

A row that has been idle for ``general.forget`` does, and before that the longest idle ones do where
room is short: first of those processes that have most. What they have counted goes to the row
``~idle`` of their process and side.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from httptop.collect.sums import ROW, RowFigures

#: If more than this part of the room is taken, so much of it is made free that less than the second
#: part is. The kernel lets nobody take more of the last eighth than they need (bpf/c/shares.h).
FULL: Final = 0.75
ROOMY: Final = 0.625
#: A row with so many requests is used; it stays while it has been used lately.
_USED: Final = 3
#: Ticks, and seconds, for which a row that is used stays, however tight the room is.
_LATELY_TICKS: Final = 10
_LATELY_S: Final = 10.0

#: So often rows are looked at until one that is idle is forgotten. If none ever is, cells that
#: nobody uses are looked for as if it were after so many seconds.
_LOOKS: Final = 16
_FOREVER_S: Final = 900.0

_WORDS: Final = ROW.size // 8
_NUMBERS: Final = ROW.size // 4
_REQUESTS: Final = RowFigures._fields.index("requests")
_OPEN: Final = RowFigures._fields.index("open")
#: Where the number of the last tick stands, in 32 bits: two numbers and four bytes are behind it.
_TICK_AT: Final = _NUMBERS - 3


class Owner(NamedTuple):
    """Who has rows."""

    side: str
    process: str
    user: str


class RowActivity(NamedTuple):
    """What rows have done, each by its number."""

    requests: memoryview
    open: memoryview
    tick: memoryview  # the last one in which anything was counted

    @classmethod
    def of(cls, rows: bytes) -> RowActivity:
        """Return that of the sums of rows."""
        words, numbers = memoryview(rows).cast("q"), memoryview(rows).cast("i")
        return cls(words[_REQUESTS::_WORDS], words[_OPEN::_WORDS], numbers[_TICK_AT::_NUMBERS])


class _Ago:
    """The last tick that was a time ago."""

    def __init__(self) -> None:
        self._later: deque[tuple[float, int]] = deque()  # (when, number), the oldest first
        self._since = -1

    def since(self, tick: int, now_s: float, ago_s: float) -> int:
        """Note a tick's number; return that of the last one that was so long ago, or -1."""
        self._later.append((now_s, tick))
        while self._later and self._later[0][0] <= now_s - ago_s:
            self._since = self._later.popleft()[1]
        return self._since


class Forgetting:
    """Chooses the rows that are forgotten; for the collector's thread alone."""

    def __init__(self) -> None:
        self._idle, self._unused = _Ago(), _Ago()
        self._due_s = 0.0

    def idle_since(self, tick: int, now_s: float, forget_s: float) -> int:
        """Return the number of the last tick that was ``forget_s`` ago, or -1; called in each tick.

        It is -1 for ever if ``forget_s`` is 0.
        """
        return self._idle.since(tick, now_s, forget_s) if forget_s else -1

    def unused_since(self, tick: int, now_s: float) -> int:
        """Return a tick after which a row that is in use has been used; called in each tick."""
        return min(tick - _LATELY_TICKS, self._unused.since(tick, now_s, _LATELY_S))

    def is_due(self, now_s: float, forget_s: float) -> bool:
        """Return whether to look for idle rows, for which each tick would be too often."""
        if now_s < self._due_s:
            return False
        self._due_s = now_s + (forget_s or _FOREVER_S) / _LOOKS
        return True


def idle(rows: Iterable[int], activity: RowActivity, since: int) -> list[int]:
    """Return those of some rows that have done nothing after a tick, and have nothing open."""
    return [row for row in rows if activity.tick[row] <= since and not activity.open[row]]


def longest_idle(rows: Iterable[int], activity: RowActivity, count: int) -> list[int]:
    """Return as many rows, or fewer: the longest idle ones that have nothing open."""
    closed = (row for row in rows if not activity.open[row])
    return sorted(closed, key=lambda row: activity.tick[row])[: max(0, count)]


class Pressure(NamedTuple):
    """A kind of room that is tight."""

    full: float  # the part that is taken, 0 to 1
    taken: Mapping[int, int]  # by row: how much of it; rows that have none may be left out
    others: int  # what is taken without a row


def surplus(
    rows: Mapping[Owner, Collection[int]], activity: RowActivity, unused: int, pressure: Pressure
) -> list[int]:
    """Return rows that are to make room; ``unused``: as :meth:`Forgetting.unused_since` has it.

    What is taken without a row makes room first. Users who have most give most, and of what they
    run the processes that have most: whatever these call themselves. Where their rows may not go,
    nobody else's go instead.
    """
    full, taken, others = pressure
    users: dict[str, list[tuple[int, Collection[int]]]] = {}
    for owner, some in rows.items():
        size = sum(taken.get(row, 0) for row in some)
        users.setdefault(owner.user, []).append((size, some))
    sizes = {user: sum(size for size, _ in owned) for user, owned in users.items()}
    wanted = math.ceil((others + sum(sizes.values())) * (1 - ROOMY / full)) - others
    if wanted <= 0:
        return []
    most_of_user = level(list(sizes.values()), wanted)
    found: list[int] = []
    for user, owned in users.items():
        surplus_of_user = max(0, sizes[user] - most_of_user)
        most = level([size for size, _ in owned], surplus_of_user)
        spare = []
        for size, some in owned:
            idle_rows = [row for row in some if taken.get(row) and _may_go(row, activity, unused)]
            idle_rows.sort(key=lambda row: (activity.tick[row], activity.requests[row]))
            spare += _first(idle_rows, taken, size - most)
        found += _first(spare, taken, surplus_of_user)
    return _first(found, taken, wanted)


def _first(rows: Iterable[int], taken: Mapping[int, int], wanted: int) -> list[int]:
    """Return the first of some rows, as many as it takes for all that is wanted."""
    found = []
    for row in rows:
        if wanted <= 0:
            break
        wanted -= taken[row]
        found.append(row)
    return found


def _may_go(row: int, activity: RowActivity, unused: int) -> bool:
    """Return whether a row may make room: nothing is open, and it is not in use."""
    used_lately = activity.requests[row] >= _USED and activity.tick[row] > unused
    return not activity.open[row] and not used_lately


def level(sizes: Sequence[int], surplus: int) -> int:
    """Return the number that each is to be cut down to for the sum to be smaller by ``surplus``."""
    ordered = sorted(sizes, reverse=True)
    cut = 0
    for at, size in enumerate(ordered, 1):
        following = ordered[at] if at < len(ordered) else 0
        step = (size - following) * at
        if cut + step >= surplus:
            return max(0, size - -(-(surplus - cut) // at))
        cut += step
    return 0
