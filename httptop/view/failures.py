"""Which endpoints fail now, and whether a single process does: from counts of the last window.

Rows have their errors in the window, but those are of clients, too. What fails is counted since
start only, so the counts of a few rows are kept tick by tick, and the difference is what was added.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from httptop.model import OTHER_PIDS, EndpointKey, EndpointStats, Side, Snapshot
from httptop.view.rows import RowsOnDemand

#: The rows with the most errors of any kind; failures are looked for among these.
MOST_ROWS: Final = 20
#: Ticks that are kept, however long the window is.
_MOST_TICKS: Final = 300
#: An endpoint fails if so many of its requests do, and more than this share of them, of which no
#: more than this part is chance: one that fails once in a hundred times does not come and go.
LEAST_FAILED: Final = 3
LEAST_SHARE: Final = 0.01
_CHANCE: Final = 0.005
_AS_OFTEN: Final = 0.75


@dataclass(frozen=True, slots=True)
class Failing:
    """An endpoint that fails."""

    key: EndpointKey
    failed: int  # responses with a status of 500 or more, in the window
    share: float  # of its requests in the window, 0 to 1
    #: The process that has all its errors in the window, if there are others that have none.
    pid: int | None
    #: Since it was first counted as failing, back to the first of these failures.
    seconds: float = 0.0


class _Counted(NamedTuple):
    at_s: float  # uptime
    failed: int
    requests: int
    by_pid: Mapping[int, tuple[int, int]]  # requests, errors


class Failures:
    """Remembers what rows have counted; for one thread alone."""

    def __init__(self) -> None:
        self._rows: dict[EndpointKey, deque[_Counted]] = {}
        self._began_s: dict[EndpointKey, float] = {}  # uptime; of those that fail
        self._failing: list[Failing] = []

    def note(self, snapshot: Snapshot) -> None:
        """Note the next snapshot."""
        now_s = snapshot.uptime_s
        noted: dict[EndpointKey, deque[_Counted]] = {}
        for row in _with_most_errors(snapshot):
            counts = self._rows.get(row.key, deque(maxlen=_MOST_TICKS))
            if not counts or counts[-1].at_s < now_s:
                by_pid = {
                    pid: (one.requests, one.errors) for pid, one in (row.by_pid or {}).items()
                }
                counts.append(_Counted(now_s, row.status_class(5), row.requests, by_pid))
            while len(counts) > 2 and counts[1].at_s <= now_s - snapshot.window_s:
                counts.popleft()
            noted[row.key] = counts
        self._rows = noted
        failing = [one for item in noted.items() if (one := _failing(*item)) is not None]
        self._began_s = {
            one.key: self._began_s.get(one.key, _first_failure_s(noted[one.key])) for one in failing
        }
        self._failing = [
            replace(one, seconds=max(0.0, now_s - self._began_s[one.key])) for one in failing
        ]

    def worst(self, side: Side) -> tuple[Failing | None, int]:
        """Return the endpoint of a side with the most failures, and how many others fail.

        A proxy fails as often as what it asks: of those that fail about as often the one stands
        for all of which a single process fails.
        """
        failing = [one for one in self._failing if one.key.side == side]
        if not failing:
            return None, 0
        most = max(one.failed for one in failing)

        def rank(one: Failing) -> tuple[bool, bool, int]:
            return one.failed >= _AS_OFTEN * most, one.pid is not None, one.failed

        return max(failing, key=rank), len(failing) - 1


def _with_most_errors(snapshot: Snapshot) -> Iterable[EndpointStats]:
    rows = snapshot.endpoints
    if not isinstance(rows, RowsOnDemand):
        return heapq.nlargest(
            MOST_ROWS,
            (row for row in rows if row.window_errors),
            key=lambda row: row.window_errors or 0,
        )
    errors = rows.values("window_errors") or ()
    some = [at for at, count in enumerate(errors) if count > 0]
    return [rows.row(at) for at in heapq.nlargest(MOST_ROWS, some, key=errors.__getitem__)]


def _failing(key: EndpointKey, counts: deque[_Counted]) -> Failing | None:
    first, last = counts[0], counts[-1]
    failed, requests = last.failed - first.failed, last.requests - first.requests
    if failed < LEAST_FAILED or not _beyond_chance(failed, LEAST_SHARE * requests):
        return None
    return Failing(key, failed, min(1.0, failed / max(requests, 1)), _only_pid(first, last))


def _beyond_chance(count: int, mean: float) -> bool:
    """Return whether so many are too many where there are ``mean`` on average (Poisson)."""
    if count <= mean:
        return False
    if mean > 100:  # where the normal distribution is near enough
        return count > mean + 2.6 * math.sqrt(mean)
    fewer, part = 0.0, math.exp(-mean)
    for n in range(count):
        fewer += part
        part *= mean / (n + 1)
    return 1 - fewer < _CHANCE


def _first_failure_s(counts: deque[_Counted]) -> float:
    """Return the end of the tick in which the first failure of the window was counted."""
    return next(one.at_s for one in counts if one.failed > counts[0].failed)


def _only_pid(first: _Counted, last: _Counted) -> int | None:
    """Return the process that alone had errors, though others had requests, too."""
    added = {
        pid: (requests - before[0], errors - before[1])
        for pid, (requests, errors) in last.by_pid.items()
        for before in [first.by_pid.get(pid, (0, 0))]
    }
    busy = [pid for pid, (requests, _) in added.items() if requests > 0]
    wrong = [pid for pid in busy if added[pid][1] > 0]
    return wrong[0] if len(wrong) == 1 and len(busy) > 1 and wrong[0] != OTHER_PIDS else None
