"""One tick's reading of a fleet: all queries at one moment of the server's clock.

A second is waited for scrapes that are being stored, so that all queries see the same ones. What a
reading cannot do without fails it; latencies and what hosts say of themselves may be missing, and a
note says why.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from httptop.config.scope import Scope
from httptop.filters import comparisons, matches_key
from httptop.fleet.client import Client
from httptop.fleet.hosts import DEFAULT_SCRAPE_S, FORGET_S, Hosts, scrape_interval
from httptop.fleet.latencies import Buckets, latency_of, merged
from httptop.fleet.problems import FleetError, Refused
from httptop.fleet.queries import Queries
from httptop.fleet.registry import Registry
from httptop.fleet.results import Element, labels_of
from httptop.fleet.rows import Columns
from httptop.fleet.tick import MOST, Tick
from httptop.model import NO_LATENCY, SIDES, EndpointKey, HostStats, Latency, Side

#: How long scrapes may take to be stored.
_SETTLED_S: Final = 1.0
#: A window has at least so many scrapes of each host; one that misses so many is down.
_SCRAPES: Final = 4
_LONGEST_SCRAPE_S: Final = 600
#: How often it is looked how far scrapes lie apart.
_LOOK_S: Final = 60.0
#: The end of the year 9999 as Unix time: no clock says more, and no calendar has it.
_LATEST: Final = 253_402_300_799.0

#: What is known of requests in flight.
_OF_PARTIES: Final = frozenset(("comm", "method", "tls", "port", "side", "host"))


@dataclass(slots=True)
class Reading:
    """What a tick has read."""

    at: float  # Unix time of the server's clock, seconds
    window_s: int
    scrape_s: float
    columns: Columns
    hosts: tuple[HostStats, ...] = ()
    numbers: array[int] = field(default_factory=lambda: array("I"))  # of those that are shown
    #: Latencies a second of each side's shown endpoints together; None: not known.
    buckets: dict[Side, Buckets | None] = field(default_factory=dict)
    latency: dict[Side, Latency] = field(default_factory=dict)
    in_flight: dict[Side, int | None] = field(default_factory=dict)
    native: bool = False  # whether any latency is of a native histogram
    classic: bool = False
    notes: tuple[str, ...] = ()


class Reader:
    """Reads a fleet; for one thread."""

    def __init__(
        self,
        client: Client,
        scope: Scope,
        host_label: str,
        most: int,
        ahead_s: float = _SETTLED_S,
    ) -> None:
        """``most``: endpoints of a side; ``ahead_s``: how long scrapes take to be stored."""
        self._client, self._scope, self._most = client, scope, most
        self._host_label, self._ahead_s = host_label, ahead_s
        self._native = True
        asked = {part.name for item in scope.kernel + scope.collector for part in comparisons(item)}
        self._by_party = asked <= _OF_PARTIES
        self._registry = Registry(host_label)
        self._admitted: list[bool] = []  # by endpoint
        self._hosts = Hosts()
        self._scrape_s: float | None = None
        self._looked_at = -math.inf
        self._last: Reading | None = None

    def read(self, window_s: float) -> Reading:
        """Read all; ``window_s``: what rates are to cover at least. Raises :class:`FleetError`."""
        at = self._now() - self._ahead_s
        first = self._last is None
        queries = Queries(self._host_label, 0, self._native)
        if at - self._looked_at >= _LOOK_S or self._scrape_s is None:
            self._look(queries, at)
        scrape_s = self._scrape_s or DEFAULT_SCRAPE_S
        silent_s = _SCRAPES * min(scrape_s, _LONGEST_SCRAPE_S)
        self._hosts.heard(self._times(queries.hosts, at), at, silent_s)
        if first:
            self._hosts.before(self._times(queries.hosts_before(FORGET_S), at))
        whole_s = max(1, math.ceil(max(window_s, silent_s)))
        self._forget()
        while True:
            queries = Queries(self._host_label, whole_s, self._native)
            tick = Tick(self._client, queries, self._registry, at, self._most, self._hosts.up)
            try:
                tick.counts()
            except Refused:
                if not self._native:
                    raise
                self._native = False  # it knows no function of native histograms
                continue
            break
        tick.keep_stale(None if self._last is None else self._last.columns, self._hosts)
        reading = Reading(at, whole_s, scrape_s, tick.columns)
        there = tick.columns.there
        shown = (at for at in range(len(there)) if there[at] and self._admits(at))
        reading.numbers = array("I", shown)
        self._read_latencies(tick, reading)
        for side in SIDES:
            reading.in_flight[side] = self._in_flight(tick, side)
        notes = list(tick.notes)
        own: list[Element] = []
        try:
            own = list(self._client.query(queries.own, at))
        except FleetError as error:
            notes.append(f"what hosts say of themselves is not known: {error}")
        reading.hosts = self._hosts.stats(self._registry, own)
        reading.notes = tuple(notes)
        self._last = reading
        return reading

    def _now(self) -> float:
        found = next(iter(list(self._client.query("vector(time())", None))), None)
        if found is None or not 0 < found.value < _LATEST:
            raise FleetError("it does not know the time")
        return found.value

    def _times(self, expression: str, at: float) -> Iterator[tuple[str, float]]:
        for element in self._client.query(expression, at):
            if 0 < element.value < _LATEST:
                yield self._registry.host(labels_of(element.labels)), element.value

    def _look(self, queries: Queries, at: float) -> None:
        """Look how far scrapes lie apart."""
        for seconds in (120, 1200):
            found = scrape_interval(self._client.query(queries.scrapes(seconds), at))
            if found is not None:
                self._scrape_s, self._looked_at = found, at
                return

    def _forget(self) -> None:
        """Begin anew with endpoints' numbers where most of them are gone."""
        last = len(self._last.numbers) if self._last is not None else 0
        if self._registry.texts > 8 * last + 20_000:
            self._registry = Registry(self._host_label)
            self._admitted = []

    # What the run's filters admit

    def _admits(self, number: int) -> bool:
        keys, admitted = self._registry.keys, self._admitted
        while len(admitted) <= number:
            admitted.append(self._admits_key(keys[len(admitted)]))
        return admitted[number]

    def _admits_key(self, key: EndpointKey) -> bool:
        scope = self._scope
        return scope.admits_key(key) and all(
            matches_key(part, key, None) is not False for part in scope.kernel
        )

    def _in_flight(self, tick: Tick, side: Side) -> int | None:
        """Return the requests in flight of a side; None: the run's filters leave that open."""
        if not self._scope.everything and not self._by_party:
            return None
        found = 0.0
        everything = self._scope.everything
        for key, value in tick.active(side, by_host=everything):
            if key.host in self._hosts.up and (everything or self._admits_key(key)):
                found += value
        return min(round(found), MOST)

    def _read_latencies(self, tick: Tick, reading: Reading) -> None:
        for side in SIDES:
            of_side = [at for at in reading.numbers if tick.keys[at].side == side]
            try:
                found = tick.latencies(side)
                reading.buckets[side] = None
                if all(at in found or not tick.has_rate(at) for at in of_side):
                    reading.buckets[side] = merged(found[at][0] for at in of_side if at in found)
                    seconds = math.fsum(found[at][1] for at in of_side if at in found)
                elif self._scope.everything:
                    reading.buckets[side], seconds = tick.latencies_of_all(side)
            except FleetError as error:
                tick.notes.append(f"latencies of the {side} side are not known: {error}")
                continue
            buckets = reading.buckets[side]
            window_s = reading.window_s
            reading.latency[side] = (
                NO_LATENCY if buckets is None else latency_of(buckets, seconds, window_s)
            )
            for at in of_side:
                if at in found and tick.columns.there[at] == 1:
                    latency = latency_of(*found[at], window_s)
                    if latency.count:
                        tick.columns.latencies[at] = latency
                        tick.columns.p99_ns[at] = latency.p99_ns
        reading.native, reading.classic = tick.native, tick.classic
