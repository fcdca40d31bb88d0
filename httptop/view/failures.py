"""Which endpoints fail now, and whether a single process does.

How many requests fail is known from each row's own counts of the window, so it is known at once,
also of the first snapshot that is seen. Since when, and in which process, is known of what was seen
only: the counts of a few rows are kept tick by tick. Where rows have no counts of the window by
status, as in older captures, the difference of counts since start stands for them.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from httptop.model import OTHER_PIDS, EndpointKey, EndpointStats, Side, Snapshot, class_of
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
#: What fails goes on as long as its share is above the least one, whatever chance may do, and for
#: so long after that.
HOLD_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Failing:
    """An endpoint that fails."""

    key: EndpointKey
    failed: int  # responses with a status of 500 or more, in the window
    share: float  # of its requests in the window, 0 to 1
    #: The process that has all its errors in the window, if there are others that have none.
    pid: int | None
    #: Since the first failure of the window in which it was found to fail.
    seconds: float = 0.0
    #: Whether it may have failed for longer: it did when it was first seen.
    at_least: bool = False
    #: Since its last failure, if the window has none any more; its share is that of before.
    ended_s: float | None = None


class _Counted(NamedTuple):
    at_s: float  # uptime
    failed: int  # since start, as what follows
    requests: int
    by_pid: Mapping[int, tuple[int, int]] | None  # requests, errors; None: not known
    clean: bool  # whether no failure was in the window


@dataclass(slots=True)
class _Episode:
    began_s: float  # uptime, as what follows
    at_least: bool
    until_s: float  # it was last found to fail
    failed_s: float  # its failures last grew
    latest_s: float  # the window last had failures
    latest: Failing  # as of then


class Failures:
    """Remembers what rows have counted; for one thread alone."""

    def __init__(self) -> None:
        self._rows: dict[EndpointKey, deque[_Counted]] = {}
        self._episodes: dict[EndpointKey, _Episode] = {}
        self._failing: list[Failing] = []
        self._noted_s: float | None = None  # uptime of the last snapshot
        self._noted_all = False  # whether all rows with errors were noted then

    def note(self, snapshot: Snapshot) -> None:
        """Note the next snapshot."""
        now_s = snapshot.uptime_s
        if now_s == self._noted_s:
            return
        for key, one in list(self._episodes.items()):
            if now_s - one.until_s > HOLD_S and one.until_s != self._noted_s:
                del self._episodes[key]
        noted: dict[EndpointKey, deque[_Counted]] = {}
        for row in _with_most_errors(snapshot):
            noted[row.key] = counts = self._counts(row, snapshot)
            self._judge(row, counts, snapshot)
        self._rows, self._noted_s, self._noted_all = noted, now_s, len(noted) < MOST_ROWS
        self._failing = [_shown(one, now_s) for one in self._episodes.values()]

    def _counts(self, row: EndpointStats, snapshot: Snapshot) -> deque[_Counted]:
        """Return what a row has counted at each tick of the window that was seen, until now."""
        now_s, failed, in_window = snapshot.uptime_s, row.status_class(5), failed_in_window(row)
        counts = self._rows.get(row.key)
        if counts is None:
            counts = deque(maxlen=_MOST_TICKS)
            if self._noted_s is not None and self._noted_all and in_window is not None:
                # It had no errors then, so that all of its window are of this tick.
                before = _Counted(self._noted_s, failed - in_window, 0, None, clean=True)
                counts.append(before)
        by_pid = None
        if row.by_pid is not None:
            by_pid = {pid: (one.requests, one.errors) for pid, one in row.by_pid.items()}
        counts.append(
            _Counted(now_s, failed, row.requests, by_pid, clean=failed == 0 or in_window == 0)
        )
        kept_s = max(snapshot.window_s, snapshot.covered_s)  # late ticks make it longer
        while len(counts) > 2 and counts[1].at_s <= now_s - kept_s:
            counts.popleft()
        return counts

    def _judge(self, row: EndpointStats, counts: deque[_Counted], snapshot: Snapshot) -> None:
        """Note whether a row fails."""
        first, last = counts[0], counts[-1]
        failed, requests = failed_in_window(row), row.window_requests
        if failed is None or requests is None:
            failed, requests = last.failed - first.failed, last.requests - first.requests
        mean = LEAST_SHARE * requests
        episode = self._episodes.get(row.key)
        fails = failed >= LEAST_FAILED and _beyond_chance(failed, mean)
        if not failed or (episode is None and not fails):
            return
        # The tick with which the window begins; times are not exact.
        from_s = last.at_s - snapshot.covered_s + snapshot.interval_s / 2
        share = min(1.0, failed / max(requests, 1))
        latest = Failing(row.key, failed, share, _only_pid(row, counts, from_s))
        if episode is None:
            at_least = first.at_s > from_s and not first.clean
            began_s = first.at_s if at_least else _first_failure_s(counts)
            episode = _Episode(began_s, at_least, last.at_s, last.at_s, last.at_s, latest)
            self._episodes[row.key] = episode
        episode.latest, episode.latest_s = latest, last.at_s
        if failed > mean:
            episode.until_s = last.at_s
        if len(counts) > 1 and last.failed > counts[-2].failed:
            episode.failed_s = last.at_s

    def worst(self, side: Side) -> tuple[Failing | None, int]:
        """Return the endpoint of a side with the most failures, and how many others fail.

        A proxy fails as often as what it asks: of those that fail about as often the one stands
        for all of which a single process fails.
        """
        found = [one for one in self._failing if one.key.side == side]
        failing = [one for one in found if one.ended_s is None] or found
        if not failing:
            return None, 0
        most = max(one.failed for one in failing)

        def rank(one: Failing) -> tuple[bool, bool, int]:
            return one.failed >= _AS_OFTEN * most, one.pid is not None, one.failed

        return max(failing, key=rank), len(failing) - 1


def failed_in_window(row: EndpointStats) -> int | None:
    """Return the responses of the window with a status of 500 or more; None: not known."""
    if row.window_status is None:
        return None
    return sum(n for code, n in row.window_status.items() if class_of(code) == 5)


def _shown(one: _Episode, now_s: float) -> Failing:
    """Return an episode as it is now."""
    ended = one.latest_s < now_s
    seconds = max(0.0, (one.failed_s if ended else now_s) - one.began_s)
    ended_s = now_s - one.failed_s if ended else None
    return replace(one.latest, seconds=seconds, at_least=one.at_least, ended_s=ended_s)


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
    first, last = counts[0], counts[-1]
    return next((one.at_s for one in counts if one.failed > first.failed), last.at_s)


def _only_pid(row: EndpointStats, counts: deque[_Counted], from_s: float) -> int | None:
    """Return the process that alone had errors, though others had requests, too.

    Where that was not seen from the window's beginning on, its errors have to be all of these.
    """
    first, last = next((one for one in counts if one.by_pid is not None), counts[-1]), counts[-1]
    before = first.by_pid or {}
    added = {
        pid: (requests - had[0], errors - had[1])
        for pid, (requests, errors) in (last.by_pid or {}).items()
        for had in [before.get(pid, (0, 0))]
    }
    busy = [pid for pid, (requests, _) in added.items() if requests > 0]
    wrong = [pid for pid in busy if added[pid][1] > 0]
    if len(wrong) != 1 or len(busy) < 2 or wrong[0] == OTHER_PIDS:
        return None
    return (
        wrong[0] if first.at_s <= from_s or added[wrong[0]][1] >= (row.window_errors or 0) else None
    )
