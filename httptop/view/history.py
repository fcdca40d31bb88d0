"""Snapshots of the past: each tick of the last minutes, and one in ten seconds of the last hour.

What is kept is bounded in memory: with many endpoints it goes back less far, or leaves ticks out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final, NamedTuple

from httptop.model import Side, Snapshot, Transaction
from httptop.view.moment import Rate
from httptop.view.rows import RowsOnDemand

#: Every tick is kept for so long; then one in so many seconds, for so long.
FINE_S: Final = 300.0
COARSE_STEP_S: Final = 10.0
COARSE_S: Final = 3600.0
#: About the memory that all of it may take.
MOST_BYTES: Final = 6 << 20
#: About what a snapshot takes besides its rows, and a row that was made already.
_SNAPSHOT_BYTES: Final = 4096
_ROW_BYTES: Final = 1024
#: So many of the requests in flight are kept, the oldest ones, and about what each takes.
_MOST_IN_FLIGHT: Final = 20
_IN_FLIGHT_BYTES: Final = 250
#: So many of the sampled requests are kept, the newest ones, and about what each takes besides its
#: header sections, and each line of these besides its text.
_MOST_RECENT: Final = 10
_RECENT_BYTES: Final = 400
_LINE_BYTES: Final = 57
#: Rows of so many bytes are packed in each tick: a millisecond or two. Larger ones less often.
_BYTES_A_TICK: Final = 400_000

_AT = attrgetter("at")


class _Kept(NamedTuple):
    at: float  # Unix time, seconds
    snapshot: Snapshot
    size_bytes: int


class History:
    """The snapshots that are kept; for one thread alone."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: list[_Kept] = []  # the oldest first
        self._size_bytes = 0
        self._skip = 0

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot that is newer than all others; an older one begins anew."""
        if self._kept and snapshot.taken_at <= self._kept[-1].at:
            if snapshot.taken_at == self._kept[-1].at:
                return
            self._kept, self._size_bytes = [], 0
        if self._skip:
            self._skip -= 1
            return
        rows = snapshot.endpoints
        size_bytes = _SNAPSHOT_BYTES
        if isinstance(rows, RowsOnDemand):
            self._skip = rows.size_bytes // _BYTES_A_TICK
            rows = rows.packed()
            size_bytes += rows.size_bytes
        else:
            size_bytes += _ROW_BYTES * len(rows)
        recent = snapshot.recent[:_MOST_RECENT]
        kept = replace(snapshot, endpoints=rows, recent=recent)
        size_bytes += sum(map(_size_of, self._new(recent)))
        if kept.in_flight is not None:
            oldest = kept.in_flight[:_MOST_IN_FLIGHT]
            cut = kept.in_flight_cut or len(oldest) < len(kept.in_flight)
            kept = replace(kept, in_flight=oldest, in_flight_cut=cut)
            size_bytes += _IN_FLIGHT_BYTES * len(oldest)
        self._kept.append(_Kept(snapshot.taken_at, kept, size_bytes))
        self._size_bytes += size_bytes
        self._thin_out()

    def _new(self, recent: Sequence[Transaction]) -> Iterator[Transaction]:
        """Return those of the newest requests that the snapshot before does not have, too."""
        before = self._kept[-1].snapshot.recent if self._kept else ()
        last = before[0].serial if before else 0
        return (request for request in recent if request.serial > last)

    def _thin_out(self) -> None:
        newest = self._kept[-1].at
        fine = bisect_left(self._kept, newest - FINE_S, key=_AT)
        # Those before ``fine`` but for the last one have been thinned out before.
        while fine >= 2 and self._kept[fine - 1].at - self._kept[fine - 2].at < COARSE_STEP_S:
            fine -= 1
            self._drop(fine)
        while self._kept and (
            self._kept[0].at < newest - COARSE_S or self._size_bytes > self._most_bytes
        ):
            if len(self._kept) == 1:
                return
            self._drop(0)

    def _drop(self, at: int) -> None:
        self._size_bytes -= self._kept.pop(at).size_bytes

    def step(self, taken_at: float, steps: int) -> Snapshot | None:
        """Return the snapshot so many steps after one of that time, before it if negative.

        None: nothing is kept there.
        """
        if steps < 0:
            index = bisect_left(self._kept, taken_at, key=_AT) + steps
        else:
            index = bisect_right(self._kept, taken_at, key=_AT) + steps - 1
        return self._kept[index].snapshot if 0 <= index < len(self._kept) else None

    def near(self, taken_at: float) -> Snapshot | None:
        """Return the first snapshot that is not older than a time, or else the newest one."""
        if not self._kept:
            return None
        index = bisect_left(self._kept, taken_at, key=_AT)
        return self._kept[min(index, len(self._kept) - 1)].snapshot

    def until(self, taken_at: float) -> Snapshot | None:
        """Return the last snapshot that is not newer than a time; None: all are."""
        index = bisect_right(self._kept, taken_at, key=_AT)
        return self._kept[index - 1].snapshot if index else None

    def rates(self, side: Side) -> list[Rate]:
        """Return the requests a second of a side, at each time that is kept.

        Each is the mean of the ticks since the one before it that is kept.
        """
        found: list[Rate] = []
        for kept in self._kept:
            totals, interval_s = kept.snapshot.total(side), kept.snapshot.interval_s
            since_s = kept.at - found[-1].at if found else interval_s
            ticks = max(1, round(since_s / interval_s)) if interval_s > 0 else 1
            some = totals.trend_rps[-ticks:] or (totals.rps,)
            found.append(Rate(kept.at, sum(some) / len(some)))
        return found

    @property
    def size_bytes(self) -> int:
        """About the memory that all of it takes."""
        return self._size_bytes

    @property
    def times(self) -> Sequence[float]:
        """The times of what is kept, ascending."""
        return [kept.at for kept in self._kept]


def _size_of(request: Transaction) -> int:
    lines = (*request.request_head, *request.response_head)
    return _RECENT_BYTES + sum(_LINE_BYTES + len(line) for line in lines)
