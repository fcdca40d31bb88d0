"""What a Prometheus server is asked, in its language.

Rates are Prometheus' ``rate()``, which knows of restarts and extrapolates to the window's ends.
Counts are what hosts themselves have counted since they started. Where a host sends native
histograms these are asked for first, and classic ones where it does not: a host has either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from httptop.fleet.names import (
    ACTIVE,
    BPF_CPU,
    BUILD,
    CPU,
    DURATION,
    ENDPOINT,
    HEALTH,
    ROUTE,
    RSS,
    STATUS,
    UNANSWERED,
)
from httptop.model import Side

#: At most so many endpoints of a side have latencies: those with most requests in the window.
MOST_LATENCIES: Final = 500
#: What is asked of what httptops say of themselves.
_OWN: Final = "|".join((BUILD, *HEALTH, CPU, BPF_CPU, RSS))


@dataclass(frozen=True, slots=True)
class Queries:
    """The queries of a tick."""

    host: str  # the label that has the host
    window_s: int
    native: bool  # whether the server may have native histograms

    @property
    def hosts(self) -> str:
        """When each host was heard last: the time of its newest sample."""
        return f"max by ({self.host}) (timestamp({BUILD}))"

    def hosts_before(self, seconds: int) -> str:
        """The same of all hosts that were heard within a longer time."""
        return f"max by ({self.host}) (max_over_time(timestamp({BUILD})[{seconds}s:30s]))"

    def scrapes(self, seconds: int) -> str:
        """The samples of some time, for how far they lie apart."""
        return f"{BUILD}[{seconds}s]"

    @property
    def own(self) -> str:
        """What httptops say of themselves."""
        return f'{{__name__=~"{_OWN}"}}'

    def endpoints(self, side: Side) -> str:
        """The number of a side's endpoints."""
        return f"count(group by ({self._endpoint(side)}) ({self._of_counts(side)}))"

    def counts(self, side: Side, most: int | None = None) -> str:
        """Responses since start by endpoint and status; of the busiest ``most`` endpoints."""
        return self._busiest(
            f"sum by ({self._outcome(side)}) ({self._of_counts(side)})", side, most
        )

    def rates(self, side: Side, most: int | None = None) -> str:
        """Responses a second in the window, likewise."""
        return self._busiest(f"sum by ({self._outcome(side)}) ({self._of_rates(side)})", side, most)

    def counts_by_host(self, side: Side) -> str:
        """Responses since start by host and status."""
        return f"sum by ({self.host},{STATUS}) ({self._of_counts(side)})"

    def rates_by_host(self, side: Side) -> str:
        """Responses a second in the window, likewise."""
        return f"sum by ({self.host},{STATUS}) ({self._of_rates(side)})"

    def classic(self, side: Side, most: int | None) -> str:
        """Latencies a second in the window, by endpoint and bucket."""
        buckets = f"rate({DURATION[side]}_bucket[{self.window_s}s])"
        return self._busiest(f"sum by ({self._endpoint(side)},le) ({buckets})", side, most)

    def classic_sums(self, side: Side, most: int | None) -> str:
        """The seconds spent in a second, by endpoint."""
        sums = f"rate({DURATION[side]}_sum[{self.window_s}s])"
        return self._busiest(f"sum by ({self._endpoint(side)}) ({sums})", side, most)

    def native_histograms(self, side: Side, most: int | None) -> str:
        """Both as native histograms."""
        found = f"rate({DURATION[side]}[{self.window_s}s])"
        return self._busiest(f"sum by ({self._endpoint(side)}) ({found})", side, most)

    def classic_of_all(self, side: Side) -> str:
        """Latencies a second of a whole side, by bucket."""
        return f"sum by (le) (rate({DURATION[side]}_bucket[{self.window_s}s]))"

    def classic_sum_of_all(self, side: Side) -> str:
        """The seconds spent in a second of a whole side."""
        return f"sum(rate({DURATION[side]}_sum[{self.window_s}s]))"

    def native_of_all(self, side: Side) -> str:
        """Both as a native histogram."""
        return f"sum(rate({DURATION[side]}[{self.window_s}s]))"

    def counter(self, name: str, side: Side, most: int | None = None) -> str:
        """A counter of endpoints since start, where it is not 0."""
        found = f'sum by ({self._endpoint(side)}) ({name}{{side="{side}"}}) > 0'
        return self._busiest(found, side, most)

    def counter_by_host(self, name: str, side: Side) -> str:
        """The same by host."""
        return f'sum by ({self.host}) ({name}{{side="{side}"}}) > 0'

    def unanswered_rates(self, side: Side, most: int | None = None) -> str:
        """Unanswered requests a second in the window, where there are any."""
        found = f"sum by ({self._endpoint(side)}) ({self._of_unanswered(side)}) > 0"
        return self._busiest(found, side, most)

    def unanswered_rates_by_host(self, side: Side) -> str:
        """The same by host."""
        return f"sum by ({self.host}) ({self._of_unanswered(side)}) > 0"

    def _of_unanswered(self, side: Side) -> str:
        return f'rate({UNANSWERED}{{side="{side}"}}[{self.window_s}s])'

    def active_by_host(self, side: Side) -> str:
        """Requests in flight, by host."""
        return f"sum by ({self.host}) ({ACTIVE[side]})"

    def active(self, side: Side) -> str:
        """Requests in flight, by host and what else is known of them."""
        return f"sum by ({_list((self.host, *ENDPOINT))}) ({ACTIVE[side]})"

    def _of_counts(self, side: Side) -> str:
        name = DURATION[side]
        classic = f"{name}_count"
        return f"histogram_count({name}) or {classic}" if self.native else classic

    def _of_rates(self, side: Side) -> str:
        name, window = DURATION[side], f"[{self.window_s}s]"
        classic = f"rate({name}_count{window})"
        return f"histogram_count(rate({name}{window})) or {classic}" if self.native else classic

    def _busiest(self, expression: str, side: Side, most: int | None) -> str:
        if most is None:
            return expression
        by = self._endpoint(side)
        busy = f"sum by ({by}) ({self._of_rates(side)})"
        return f"({expression}) and on ({by}) topk({most}, {busy})"

    def _endpoint(self, side: Side) -> str:
        return _list((self.host, ROUTE[side], *ENDPOINT))

    def _outcome(self, side: Side) -> str:
        return f"{self._endpoint(side)},{STATUS}"


def _list(names: Iterable[str]) -> str:
    return ",".join(names)
