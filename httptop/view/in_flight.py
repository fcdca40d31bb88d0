"""The requests in flight as a view shows them: the oldest first, against what is usual.

Pure functions, without Textual. What is usual for a request is what its endpoint has taken since
the start; ages are those of the moment when they were read.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from httptop.filters.on_screen import screen_filter
from httptop.model import (
    NO_LATENCY,
    EndpointKey,
    EndpointStats,
    Latency,
    RequestInFlight,
    Side,
    Snapshot,
)
from httptop.view.rows import row_of
from httptop.view.state import View

#: A request hangs if it is older than this, and than so many times its endpoint's p99. On a busy
#: host there is always one just beyond a p99.
HANGS_FROM_NS: Final = 1e9
HANGS_TIMES: Final = 2.0
#: Likewise where none of its endpoint's responses has been measured.
HANGS_UNMEASURED_NS: Final = 5e9
#: From this age on it hangs, unless so many responses of its endpoint have taken as long, for the
#: most part: long polls. What has hung a few times is not usual for that.
HANGS_ANYWAY_NS: Final = 10e9
LONG_POLLS: Final = 100
#: The ages that the list counts: up to each of these, and beyond the last.
AGES_NS: Final = (1e8, 1e9, 1e10)


def hangs(age_ns: float, usual: Latency) -> bool:
    """Return whether a request is far older than is usual for its endpoint, or very old."""
    polls = usual.count >= LONG_POLLS and usual.p50_ns >= HANGS_ANYWAY_NS
    if age_ns >= HANGS_ANYWAY_NS and not polls:
        return True
    if not usual.count:
        return age_ns >= HANGS_UNMEASURED_NS
    return age_ns >= HANGS_FROM_NS and age_ns > HANGS_TIMES * usual.p99_ns


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request in flight, and what is usual for it."""

    request: RequestInFlight
    usual: Latency  # of its endpoint, since start; count 0: none is known
    begun_us: int  # since start; with the rest of it, what tells it from others

    @property
    def times(self) -> float | None:
        """How many times its endpoint's p99 its age is; None: it is not beyond that."""
        usual = self.usual
        if not usual.count or usual.p99_ns <= 0 or self.request.age_ns <= usual.p99_ns:
            return None
        return self.request.age_ns / usual.p99_ns

    @property
    def young(self) -> bool:
        """Whether half of its endpoint's requests take longer, and it does not hang."""
        return bool(self.usual.count) and self.request.age_ns < self.usual.p50_ns and not self.hangs

    @property
    def hangs(self) -> bool:
        """Whether it is far beyond what is usual."""
        return hangs(self.request.age_ns, self.usual)

    @property
    def identity(self) -> tuple[EndpointKey, int | None, str, int]:
        """What it is found by in the next snapshot."""
        request = self.request
        return request.key, request.pid, request.peer, self.begun_us


@dataclass(frozen=True, slots=True)
class InFlightScene:
    """The requests in flight of one side and filter; all of the list is drawn from it."""

    snapshot: Snapshot | None
    view: View
    waiting: tuple[Waiting, ...] = ()  # the oldest first
    unlisted: int = 0  # younger ones of this side, which the snapshot does not hold

    @property
    def known(self) -> bool:
        """Whether the snapshot has them at all."""
        return self.snapshot is not None and self.snapshot.in_flight is not None

    @property
    def number(self) -> int | None:
        """How many there are; None: of those that the filter picks it is not known.

        By the counters, where the snapshot has no list, as in a replay.
        """
        if self.snapshot is None:
            return None
        if not self.known:
            total = self.snapshot.total(self.view.side).in_flight
            return None if self.view.filtered else total
        return len(self.waiting) + (0 if self.view.filtered else self.unlisted)

    @property
    def young(self) -> int:
        """How many are younger than is usual."""
        return sum(one.young for one in self.waiting)

    @property
    def hanging(self) -> int:
        """How many hang."""
        return sum(one.hangs for one in self.waiting)

    @property
    def by_age(self) -> tuple[int, ...]:
        """How many are of which age: up to the first of AGES_NS, and so on, and beyond the last."""
        counts = [0] * (len(AGES_NS) + 1)
        for one in self.waiting:
            counts[sum(one.request.age_ns >= step for step in AGES_NS)] += 1
        return tuple(counts)

    def listed(self, *, young: bool) -> tuple[Waiting, ...]:
        """Return those with a line of their own; ``young``: those younger than is usual, too."""
        return self.waiting if young else tuple(one for one in self.waiting if not one.young)


def in_flight_scene(snapshot: Snapshot | None, view: View) -> InFlightScene:
    """Return the requests in flight that a view shows; its order and selection do not matter."""
    if snapshot is None or snapshot.in_flight is None:
        return InFlightScene(snapshot, view)
    of_side = [one for one in snapshot.in_flight if one.key.side == view.side]
    unlisted = 0
    if snapshot.in_flight_cut:
        unlisted = max(0, (snapshot.total(view.side).in_flight or 0) - len(of_side))
    endpoints = _Endpoints(snapshot)
    needle = view.path_filter.casefold()
    ready = None if view.expression is None else screen_filter(view.expression)
    kept = (
        one
        for one in of_side
        if (not needle or needle in one.key.path.casefold())
        and (ready is None or ready.keeps_in_flight(one, endpoints.row(one.key)))
    )
    return InFlightScene(snapshot, view, tuple(map(endpoints.waiting, kept)), unlisted)


def of_endpoint(snapshot: Snapshot, key: EndpointKey) -> tuple[Waiting, ...] | None:
    """Return the requests in flight of one endpoint, the oldest first; None: they are not known."""
    if snapshot.in_flight is None:
        return None
    waiting = _Endpoints(snapshot).waiting
    return tuple(waiting(one) for one in snapshot.in_flight if one.key == key)


def hanging(snapshot: Snapshot, side: Side) -> tuple[Waiting, ...]:
    """Return the requests of a side that hang, the oldest first, as far as is known."""
    waiting = _Endpoints(snapshot).waiting
    old = takewhile(lambda one: one.age_ns >= HANGS_FROM_NS, snapshot.in_flight or ())
    found = (waiting(one) for one in old if one.key.side == side)
    return tuple(one for one in found if one.hangs)


class _Endpoints:
    """The rows of a snapshot's requests in flight, each looked up once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._rows: dict[EndpointKey, EndpointStats | None] = {}

    def row(self, key: EndpointKey) -> EndpointStats | None:
        """Return the row of an endpoint; None: it has none."""
        if key not in self._rows:
            self._rows[key] = row_of(self._snapshot.endpoints, key)
        return self._rows[key]

    def waiting(self, request: RequestInFlight) -> Waiting:
        """Return a request with what is usual for it."""
        row = self.row(request.key)
        read_s = self._snapshot.uptime_s - self._snapshot.in_flight_age_s
        begun_us = round((read_s * 1e9 - request.age_ns) / 1e3)
        return Waiting(request, NO_LATENCY if row is None else row.latency_total, begun_us)
