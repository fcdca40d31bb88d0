"""The queries of one tick, and the columns that their results fill.

Endpoints beyond the busiest ones, where there are too many, are in the row ``~other`` of their
host: what the host has, less what its rows have. So sums are those of the hosts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from httptop.fleet.client import Client
from httptop.fleet.hosts import Hosts
from httptop.fleet.latencies import Buckets, classic, merged, native
from httptop.fleet.names import REQUEST_BYTES, RESPONSE_BYTES, STATUS, UNANSWERED
from httptop.fleet.queries import MOST_LATENCIES, Queries
from httptop.fleet.registry import Registry, status_of
from httptop.fleet.results import Element, labels_of
from httptop.fleet.rows import Columns
from httptop.model import OVERFLOW_PATH, SIDES, EndpointKey, Side

#: More a second than that is no rate.
_MOST_RATE: Final = 1e15
#: The largest count.
MOST: Final = (1 << 63) - 1


class Tick:
    """The queries of one tick, and what they have found so far."""

    def __init__(
        self,
        client: Client,
        queries: Queries,
        registry: Registry,
        at: float,
        most: int,
        up: frozenset[str],
    ) -> None:
        self._client, self._queries, self._registry = client, queries, registry
        self._at, self._most, self._up = at, most, up
        self._endpoints: dict[Side, int] = {}
        self.columns = Columns(registry, queries.window_s)
        self.keys = registry.keys
        self.notes: list[str] = []
        self.native = self.classic = False

    def _query(self, expression: str) -> Iterator[Element]:
        return self._client.query(expression, self._at)

    def counts(self) -> None:
        """Read all counts and rates of endpoints that are up."""
        for side in SIDES:
            found = next(iter(list(self._query(self._queries.endpoints(side)))), None)
            self._endpoints[side] = 0 if found is None else _whole(found.value)
            if self._endpoints[side]:
                self._read_side(side)
        self.columns.fit()

    def _read_side(self, side: Side) -> None:
        of, queries = self.columns, self._queries
        most = self._most if self._endpoints[side] > self._most else None
        if most is not None:
            self.notes.append(
                f"{self._endpoints[side]:,} endpoints on the {side} side: those beyond the "
                f"{most:,} busiest are in {OVERFLOW_PATH} of their hosts (fleet.max_endpoints)"
            )
        self._outcomes(side, queries.counts(side, most), lambda: of.counts, _whole, begins=True)
        self._outcomes(side, queries.rates(side, most), lambda: of.rates, _rate)
        for name, column in (
            (UNANSWERED, "unanswered"),
            (REQUEST_BYTES, "request_bytes"),
            (RESPONSE_BYTES, "response_bytes"),
        ):
            self._of_endpoints(side, queries.counter(name, side, most), column, _whole)
            if most is not None:
                rest = queries.counter_by_host(name, side)
                self._rest_of_endpoints(side, rest, column, _whole)
        rates = queries.unanswered_rates(side, most)
        self._of_endpoints(side, rates, "unanswered_rates", _rate)
        if most is not None:
            rest = queries.unanswered_rates_by_host(side)
            self._rest_of_endpoints(side, rest, "unanswered_rates", _rate)
            self._rest_of_outcomes(side, queries.counts_by_host(side), lambda: of.counts, _whole)
            self._rest_of_outcomes(side, queries.rates_by_host(side), lambda: of.rates, _rate)

    def _outcomes(
        self,
        side: Side,
        expression: str,
        column: Callable[[], Any],
        read: Callable[[float], float],
        *,
        begins: bool = False,
    ) -> None:
        """Add what a query has by outcome; ``begins``: what it names is there."""
        of, registry = self.columns, self._registry
        for element in self._query(expression):
            number = registry.outcome(side, element.labels)
            endpoint = registry.endpoints[number]
            if number >= len(of.counts) or endpoint >= len(of.there):
                of.fit()
            if begins and self.keys[endpoint].host in self._up:
                of.there[endpoint] = 1
            if of.there[endpoint] == 1:
                column()[number] += read(element.value)

    def _of_endpoints(
        self, side: Side, expression: str, name: str, read: Callable[[float], float]
    ) -> None:
        """Add what a query has by endpoint; one may have had unanswered requests only."""
        of, registry = self.columns, self._registry
        for element in self._query(expression):
            number = registry.endpoint(side, element.labels)
            if number >= len(of.there):
                of.fit()
            if name == "unanswered" and self.keys[number].host in self._up:
                of.there[number] = 1
            if of.there[number] == 1:
                getattr(of, name)[number] += read(element.value)

    def _rest_of_outcomes(
        self,
        side: Side,
        expression: str,
        column: Callable[[], Any],
        read: Callable[[float], float],
    ) -> None:
        """Give what a query has by host and status, beyond what endpoints have, to ``~other``."""
        of, registry = self.columns, self._registry
        had: dict[tuple[str, int], float] = {}
        for number, value in enumerate(column()):
            if value:
                key, status = self.keys[registry.endpoints[number]], registry.statuses[number]
                if key.side == side:
                    had[key.host, status] = had.get((key.host, status), 0) + value
        for element in self._query(expression):
            labels = labels_of(element.labels)
            host, status = registry.host(labels), status_of(labels.get(STATUS, ""))
            rest = read(element.value) - had.get((host, status), 0)
            if rest > 1e-9 and host in self._up:
                number = registry.outcome_of(self._other(side, host), status)
                of.fit()
                column()[number] += rest

    def _rest_of_endpoints(
        self, side: Side, expression: str, name: str, read: Callable[[float], float]
    ) -> None:
        of, registry = self.columns, self._registry
        had: dict[str, float] = {}
        for number, value in enumerate(getattr(of, name)):
            if value and self.keys[number].side == side:
                host = self.keys[number].host
                had[host] = had.get(host, 0) + value
        for element in self._query(expression):
            host = registry.host(labels_of(element.labels))
            rest = read(element.value) - had.get(host, 0)
            if rest > 1e-9 and host in self._up:
                getattr(of, name)[self._other(side, host)] += rest

    def _other(self, side: Side, host: str) -> int:
        """Return the row of a host's endpoints that have none of their own."""
        key = EndpointKey(side, OVERFLOW_PATH, "HTTP", False, "OTHER", OVERFLOW_PATH, host=host)
        number = self._registry.number_of(key)
        self.columns.fit()
        self.columns.there[number] = 1
        return number

    def active(self, side: Side, *, by_host: bool) -> Iterator[tuple[EndpointKey, float]]:
        """Yield what is in flight, by what is known of it, or by ``host`` alone."""
        queries = self._queries
        for element in self._query(
            queries.active_by_host(side) if by_host else queries.active(side)
        ):
            yield self._registry.key(side, labels_of(element.labels)), _rate(element.value)

    def has_rate(self, endpoint: int) -> bool:
        """Return whether an endpoint has had responses in the window."""
        rates = self.columns.rates
        return any(rates[at] > 0 for at in self._registry.outcomes_of[endpoint] if at < len(rates))

    def latencies(self, side: Side) -> dict[int, tuple[Buckets, float]]:
        """Return the buckets of endpoints' latencies, and the seconds these add up to."""
        if not self._endpoints[side]:
            return {}
        most = MOST_LATENCIES if self._endpoints[side] > MOST_LATENCIES else None
        registry = self._registry
        found: dict[int, tuple[Buckets, float]] = {}
        if self._queries.native:
            for element in self._query(self._queries.native_histograms(side, most)):
                if (histogram := element.histogram) is not None:
                    number = registry.endpoint(side, element.labels)
                    found[number] = native(histogram), histogram.added
        self.native = self.native or bool(found)
        for number, buckets in self._classic(side, most).items():
            if number not in found and buckets:
                found[number] = classic(buckets), math.nan
                self.classic = True
        if self.classic:
            for element in self._query(self._queries.classic_sums(side, most)):
                number = registry.endpoint(side, element.labels)
                if number in found and math.isnan(found[number][1]):
                    found[number] = found[number][0], element.value
        return found

    def _classic(self, side: Side, most: int | None) -> dict[int, list[tuple[float, float]]]:
        cumulative: dict[int, list[tuple[float, float]]] = {}
        for element in self._query(self._queries.classic(side, most)):
            number, bound = self._registry.bucket(side, element.labels)
            cumulative.setdefault(number, []).append((bound, element.value))
        return cumulative

    def latencies_of_all(self, side: Side) -> tuple[Buckets, float]:
        """Return the same of all endpoints of a side together."""
        some: list[Buckets] = []
        seconds = 0.0
        if self._queries.native:
            for element in self._query(self._queries.native_of_all(side)):
                if (histogram := element.histogram) is not None:
                    some.append(native(histogram))
                    seconds += histogram.added
        cumulative = [
            (float(labels_of(element.labels).get("le", "nan")), element.value)
            for element in self._query(self._queries.classic_of_all(side))
        ]
        if cumulative:
            some.append(classic(cumulative))
            for element in self._query(self._queries.classic_sum_of_all(side)):
                seconds += element.value
        return merged(some), seconds

    def keep_stale(self, before: Columns | None, hosts: Hosts) -> None:
        """Keep the counts of hosts that send figures no longer, as they were last."""
        if before is None:
            return
        of = self.columns
        keys, statuses = before.registry.keys, before.registry.statuses
        for number, there in enumerate(before.there):
            if not there or keys[number].host in hosts.up or keys[number].host not in hosts.known:
                continue
            here = self._registry.number_of(keys[number])
            outcomes = [
                (self._registry.outcome_of(here, statuses[at]), before.counts[at])
                for at in before.registry.outcomes_of[number]
                if at < len(before.counts)
            ]
            of.fit()
            of.there[here] = 2
            of.unanswered[here] = before.unanswered[number]
            of.request_bytes[here] = before.request_bytes[number]
            of.response_bytes[here] = before.response_bytes[number]
            for at, count in outcomes:
                of.counts[at] = count


def _whole(value: float) -> int:
    """Return a count; what is none is 0."""
    return round(value) if 0 <= value <= MOST else 0


def _rate(value: float) -> float:
    return value if 0 <= value < _MOST_RATE else 0.0
