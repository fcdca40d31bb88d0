"""Now against a baseline: what has changed of each endpoint, and how sure that is.

A figure measured twice differs. So each change is tested against what chance would do alone:
rates as counts, shares of errors as proportions, 99th percentiles by the ranks between which they
are, whatever the shape of the distribution. Requests come in bursts, so a rate that differs by less
than a tenth is no change, however many they are.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from httptop.model import EndpointKey, EndpointStats, Latency, Side, Snapshot
from httptop.view.rows import RowsOnDemand

#: So many of the busiest endpoints are compared.
MOST_ROWS: Final = 500
#: The standard deviations by which two values are apart at each level of being sure: chance alone
#: does that once in 20, in 100, in 1,000 comparisons.
LEVELS: Final = (1.96, 2.58, 3.29)
_LEAST_RATE: Final = 0.1  # of the greater one
_LEAST_SHARE: Final = 0.005
_LEAST_RATIO: Final = 1.05  # of percentiles, beyond the width of a bucket
#: The quantiles that are compared, and the least latencies that it takes to know them so well.
_P50: Final = (0.5, 50)
_P99: Final = (0.99, 300)


class Measured(NamedTuple):
    """The figures of an endpoint in a window."""

    rps: float
    requests: int
    errors: int | None  # None: not known, as in older captures
    latency: Latency

    @classmethod
    def of(cls, row: EndpointStats) -> Measured:
        """Return those of a row."""
        requests = row.latency.count if row.window_requests is None else row.window_requests
        return cls(row.rps, requests, row.window_errors, row.latency)

    @property
    def error_share(self) -> float | None:
        """The share of errors among the requests, 0 to 1; None: not known."""
        return None if self.errors is None or not self.requests else self.errors / self.requests


@dataclass(frozen=True, slots=True)
class Baseline:
    """What endpoints did in a window that is past."""

    taken_at: float  # Unix time at its end
    window: str  # how long it was
    rows: Mapping[EndpointKey, Measured]


class Change(NamedTuple):
    """A figure now and before, and how sure it is that it has changed: 0 (not at all) to 3."""

    now: float | None
    before: float | None
    sure: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What has changed of an endpoint; all figures of an endpoint that is new or gone are None."""

    key: EndpointKey
    rate: Change
    p50_ns: Change
    p99_ns: Change
    error_share: Change
    state: str = ""  # "new", "gone", or nothing

    @property
    def changed(self) -> bool:
        """Whether anything has changed by more than chance."""
        changes = (self.rate, self.p50_ns, self.p99_ns, self.error_share)
        return bool(self.state or any(change.sure for change in changes))

    @property
    def weight(self) -> tuple[float, float]:
        """What it is sorted by, the greatest first: the greater change of its two percentiles."""
        ratios = [
            abs(math.log(change.now / change.before))
            for change in (self.p50_ns, self.p99_ns)
            if change.sure and change.now and change.before
        ]
        return max(ratios, default=0.0), abs(
            (self.error_share.now or 0) - (self.error_share.before or 0)
        )


def measured(snapshot: Snapshot) -> dict[EndpointKey, Measured]:
    """Return the figures of the endpoints that were active in the window, the busiest ones."""
    rows = snapshot.endpoints
    if isinstance(rows, RowsOnDemand):
        rates = rows.values("rps") or ()
        busy = [at for at, rate in enumerate(rates) if rate > 0]
        chosen = [rows.passing(at) for at in heapq.nlargest(MOST_ROWS, busy, rates.__getitem__)]
    else:
        active = (row for row in rows if row.rps > 0)
        chosen = heapq.nlargest(MOST_ROWS, active, key=lambda row: row.rps)
    return {row.key: Measured.of(row) for row in chosen}


def compare(now: Mapping[EndpointKey, Measured], baseline: Baseline, side: Side) -> list[Compared]:
    """Return what has changed of each endpoint of a side, the greatest changes first."""
    keys = [key for key in {**baseline.rows, **now} if key.side == side]
    found = [compared(key, now.get(key), baseline.rows.get(key)) for key in keys]
    found.sort(key=lambda one: (one.weight, one.rate.now or 0.0), reverse=True)
    return found


def compared(key: EndpointKey, now: Measured | None, before: Measured | None) -> Compared:
    """Return what has changed of an endpoint that is there now, or was, or both."""
    rates = Change(now and now.rps, before and before.rps, 0)
    p50s, p99s = (Change(_figure(now, name), _figure(before, name), 0) for name in _QUANTILES)
    shares = Change(now and now.error_share, before and before.error_share, 0)
    if now is None or before is None:
        return Compared(key, rates, p50s, p99s, shares, "new" if before is None else "gone")
    return Compared(
        key,
        rates._replace(sure=sure_of_rates(now, before)),
        p50s._replace(sure=sure_of_quantiles(now.latency, before.latency, *_P50)),
        p99s._replace(sure=sure_of_quantiles(now.latency, before.latency, *_P99)),
        shares._replace(sure=sure_of_errors(now, before)),
    )


_QUANTILES: Final = ("p50_ns", "p99_ns")


def _figure(one: Measured | None, name: str) -> float | None:
    return getattr(one.latency, name) if one is not None and one.latency.count else None


def _level(deviations: float) -> int:
    return sum(deviations >= least for least in LEVELS)


def sure_of_rates(now: Measured, before: Measured) -> int:
    """Return how sure it is that the rate has changed, 0 to 3."""
    if not (now.requests and before.requests and now.rps and before.rps):
        return 0
    difference = abs(now.rps - before.rps)
    if difference < _LEAST_RATE * max(now.rps, before.rps):
        return 0
    # A count of n has the variance n.
    variance = now.rps**2 / now.requests + before.rps**2 / before.requests
    return _level(difference / math.sqrt(variance))


def sure_of_errors(now: Measured, before: Measured) -> int:
    """Return how sure it is that the share of errors has changed, 0 to 3."""
    if now.errors is None or before.errors is None or not (now.requests and before.requests):
        return 0
    difference = abs(now.errors / now.requests - before.errors / before.requests)
    both = (now.errors + before.errors) / (now.requests + before.requests)
    variance = both * (1 - both) * (1 / now.requests + 1 / before.requests)
    if difference < _LEAST_SHARE or variance <= 0:
        return 0
    return _level(difference / math.sqrt(variance))


def sure_of_quantiles(now: Latency, before: Latency, share: float, least: int) -> int:
    """Return how sure it is that a quantile has changed, 0 to 3; ``least``: latencies it takes."""
    if min(now.count, before.count) < least:
        return 0
    sure = 0
    for deviations in LEVELS:
        low, high = bounds(now, share, deviations), bounds(before, share, deviations)
        sure += low[0] > high[1] * _LEAST_RATIO or high[0] > low[1] * _LEAST_RATIO
    return sure


def bounds(latency: Latency, share: float, deviations: float) -> tuple[float, float]:
    """Return the latencies (ns) between which a quantile is, by its rank."""
    spread = deviations * math.sqrt(share * (1 - share) / latency.count)
    return quantile(latency, share - spread), quantile(latency, share + spread)


def quantile(latency: Latency, share: float) -> float:
    """Return about the latency (ns) that ``share`` of all do not exceed, from those that are known.

    Between two of them the logarithm of the latency grows with that of the share beyond.
    """
    points: Sequence[tuple[float, float]] = (
        (0.5, latency.p50_ns),
        (0.9, latency.p90_ns),
        (0.95, latency.p95_ns),
        (0.99, latency.p99_ns),
        (0.999, latency.p999_ns),
    )
    if share >= 1 - 1 / latency.count or share >= points[-1][0]:
        return latency.max_ns
    if share <= points[0][0]:
        # Below the median nothing is known; it goes down as it goes up on the other side.
        above = quantile(latency, min(0.9, 1 - share)) if share < points[0][0] else latency.p50_ns
        return latency.p50_ns**2 / above
    for (low, low_ns), (high, high_ns) in pairwise(points):
        if share <= high:
            part = math.log((1 - low) / (1 - share)) / math.log((1 - low) / (1 - high))
            return math.exp(math.log(low_ns) + part * (math.log(high_ns) - math.log(low_ns)))
    raise AssertionError("the last point is above")
