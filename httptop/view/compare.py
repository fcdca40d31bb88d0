"""Now against a baseline: what has changed of each endpoint, and how sure that is.

A figure measured twice differs. So each change is tested against what chance would do alone
(chance.py); of few requests it often cannot be told whether anything has changed.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from httptop.model import EndpointKey, EndpointStats, Latency, Side, Snapshot
from httptop.view.chance import (
    sure_of_errors,
    sure_of_medians,
    sure_of_p99s,
    sure_of_rates,
)
from httptop.view.rows import RowsOnDemand

#: So many of the busiest endpoints are compared.
MOST_ROWS: Final = 500
#: What may be chance, but is as many times as high or as low as that, is shown with what is not.
_STRIKING: Final = 2.0


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
    """A figure now and before, and how sure it is that it has changed: 0 (not at all) to 3.

    None: it cannot be told, as there are too few requests.
    """

    now: float | None
    before: float | None
    sure: int | None = None

    @property
    def known(self) -> bool:
        """Whether both figures are known."""
        return self.now is not None and self.before is not None

    @property
    def is_unclear(self) -> bool:
        """Whether both are known, but not whether that is a change."""
        return self.known and self.sure is None

    @property
    def log_ratio(self) -> float:
        """How far they are apart, as the logarithm of how many times the greater one is as high."""
        return abs(math.log(self.now / self.before)) if self.now and self.before else 0.0


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
    def changes(self) -> tuple[Change, ...]:
        """The change of each figure."""
        return self.rate, self.p50_ns, self.p99_ns, self.error_share

    @property
    def changed(self) -> bool:
        """Whether anything has changed by more than chance."""
        return bool(self.state or any(change.sure for change in self.changes))

    @property
    def is_unclear(self) -> bool:
        """Whether nothing has changed as far as can be told, and that cannot be of something."""
        return not self.changed and any(change.is_unclear for change in self.changes)

    @property
    def striking(self) -> bool:
        """Whether a latency is far from what it was, though that may be chance."""
        far = math.log(_STRIKING)
        latencies = (self.p50_ns, self.p99_ns)
        return any(change.is_unclear and change.log_ratio >= far for change in latencies)

    @property
    def weight(self) -> tuple[bool, float, float]:
        """What it is sorted by, the greatest first: the greater change of its two percentiles."""
        latencies = (self.p50_ns, self.p99_ns)
        counted = [change for change in latencies if change.sure or not self.changed]
        points = abs((self.error_share.now or 0) - (self.error_share.before or 0))
        return self.changed, max((change.log_ratio for change in counted), default=0.0), points


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
    rates = Change(now and now.rps, before and before.rps)
    p50s, p99s = (Change(_figure(now, name), _figure(before, name)) for name in _QUANTILES)
    shares = Change(now and now.error_share, before and before.error_share)
    if now is None or before is None:
        return Compared(key, rates, p50s, p99s, shares, "new" if before is None else "gone")
    return Compared(
        key,
        rates._replace(sure=sure_of_rates(now, before)),
        p50s._replace(sure=sure_of_medians(now.latency, before.latency)),
        p99s._replace(sure=sure_of_p99s(now.latency, before.latency)),
        shares._replace(sure=sure_of_errors(now, before)),
    )


_QUANTILES: Final = ("p50_ns", "p99_ns")


def _figure(one: Measured | None, name: str) -> float | None:
    return getattr(one.latency, name) if one is not None and one.latency.count else None
