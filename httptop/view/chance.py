"""What chance does alone to figures that are measured twice, and what is beyond that.

Rates are compared as counts, shares of errors as proportions, percentiles by the ranks between
which they are, whatever the shape of the distribution. Each comparison says how sure a change is, 0
(none) to 3, or None where it cannot be told: nothing is beyond chance, yet the values are so few
that it may have doubled. Requests come in bursts, so a rate that differs by less than a tenth is no
change, however many they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter
from statistics import NormalDist
from typing import Final, Protocol

from httptop.model import Latency

#: The standard deviations by which two values are apart at each level of being sure: chance alone
#: does that once in 20, in 100, in 1,000 comparisons.
LEVELS: Final = (1.96, 2.58, 3.29)
_TAILS: Final = tuple(NormalDist().cdf(-deviations) for deviations in LEVELS)  # on either side
_LEAST_RATE: Final = 0.1  # of the greater one
_LEAST_SHARE: Final = 0.005
_LEAST_RATIO: Final = 1.05  # of percentiles, beyond the width of a bucket
#: No change is one that is surely less than this: twice as much, or ten points of errors.
_DOUBLE: Final = 2.0
_POINTS: Final = 0.1
#: Latencies below a median are known only as far as they are as far off as those above it: with
#: fewer values that says too little.
_LEAST_MEDIAN: Final = 50
#: Where the median is between two heaps of latencies, chance moves it from one to the other; then
#: the 90th percentile does not move along, not even by this part of the way.
_ALONG: Final = 0.5
#: The number of values beyond a percentile is normally distributed if it is so large.
_MANY: Final = 30

#: The values that are known of a distribution, by the share of all that do not exceed them.
_VALUES: Final[Mapping[float, Callable[[Latency], float]]] = {
    0.5: attrgetter("p50_ns"),
    0.9: attrgetter("p90_ns"),
    0.95: attrgetter("p95_ns"),
    0.99: attrgetter("p99_ns"),
    0.999: attrgetter("p999_ns"),
    1.0: attrgetter("max_ns"),
}
#: Percentiles of one that may be beyond those of the other, those first that are sooner.
_PAST_MEDIAN: Final = ((0.5, 0.9), (0.5, 0.95), (0.5, 0.99), (0.5, 1.0))
_PAST_MAXIMUM: Final = ((0.99, 1.0), (0.95, 1.0), (0.9, 1.0), (0.5, 1.0))


class Counted(Protocol):
    """Requests in a window, and how many of them failed."""

    @property
    def rps(self) -> float:
        """Requests per second."""

    @property
    def requests(self) -> int:
        """How many there were."""

    @property
    def errors(self) -> int | None:
        """How many failed; None: not known, as in older captures."""


def sure_of_rates(now: Counted, before: Counted) -> int | None:
    """Return how sure it is that the rate has changed."""
    if not (now.requests and before.requests and now.rps and before.rps):
        return None
    difference = abs(now.rps - before.rps)
    # A count of n has the variance n.
    variance = now.rps**2 / now.requests + before.rps**2 / before.requests
    sure = _level(difference / math.sqrt(variance))
    if sure and difference >= _LEAST_RATE * max(now.rps, before.rps):
        return sure
    spread = LEVELS[0] * math.sqrt(1 / now.requests + 1 / before.requests)
    return 0 if abs(math.log(now.rps / before.rps)) + spread < math.log(_DOUBLE) else None


def sure_of_errors(now: Counted, before: Counted) -> int | None:
    """Return how sure it is that the share of errors has changed."""
    if now.errors is None or before.errors is None or not (now.requests and before.requests):
        return None
    of = now.requests, before.requests
    difference = abs(now.errors / of[0] - before.errors / of[1])
    both = (now.errors + before.errors) / sum(of)
    spread = math.sqrt(both * (1 - both) * (1 / of[0] + 1 / of[1]))
    sure = _level(difference / spread) if spread else 0
    if sure and difference >= _LEAST_SHARE:
        return sure
    # With two more of each kind the spread of few requests, none or all failed, is not nothing.
    variance = _variance(now.errors, of[0]) + _variance(before.errors, of[1])
    return 0 if difference + LEVELS[0] * math.sqrt(variance) < _POINTS else None


def _variance(errors: int, requests: int) -> float:
    share = (errors + 2) / (requests + 4)
    return share * (1 - share) / (requests + 4)


def sure_of_medians(now: Latency, before: Latency) -> int | None:
    """Return how sure it is that the median has changed."""
    beyond = _PAST_MEDIAN
    slower = _sure_of_more(now, before, beyond) - _sure_of_more(before, now, beyond)
    if slower or min(now.count, before.count) < _LEAST_MEDIAN:
        return abs(slower) or None
    sure = _sure_of_quantiles(now, before, 0.5)
    if sure and _moved(now, before, 0.9) / _moved(now, before, 0.5) < _ALONG:
        return None
    return sure


def _moved(now: Latency, before: Latency, share: float) -> float:
    return math.log(_value(now, share) / _value(before, share))


def sure_of_p99s(now: Latency, before: Latency) -> int | None:
    """Return how sure it is that the 99th percentile has changed, or of few: the slowest ones."""
    beyond = _PAST_MAXIMUM
    slower = _sure_of_more(now, before, beyond) - _sure_of_more(before, now, beyond)
    sure = _sure_of_quantiles(now, before, 0.99)
    return max(abs(slower), sure or 0) or sure


def _sure_of_more(one: Latency, other: Latency, beyond: Sequence[tuple[float, float]]) -> int:
    """Return how sure it is that ``one`` is the slower, by percentiles beyond others of the other.

    Of two samples of the same distribution, whatever it is, each order of all values is as likely.
    """
    further = []
    for share, past in beyond:
        if _value(one, share) <= _value(other, past) * _LEAST_RATIO:
            break
        further.append((share, past))
    if not further or not (one.count and other.count):
        return 0
    pairs = {(rank(one.count, share), rank(other.count, past)) for share, past in beyond}
    least = min(
        chance_of_order(one.count, rank(one.count, share), other.count, rank(other.count, past))
        for share, past in further
    )
    return sum(2 * len(pairs) * least <= 2 * tail for tail in _TAILS)


def _value(latency: Latency, share: float) -> float:
    return max(_VALUES[share](latency), 1.0)


@lru_cache(maxsize=4096)
def chance_of_order(count: int, rank: int, other: int, past: int) -> float:
    """Return how likely the value of a rank is beyond that of the rank ``past`` of ``other`` ones.

    It is if of the ``rank + past - 1`` smallest of all fewer than ``rank`` are of the first kind.
    """
    drawn = rank + past - 1
    if (rank - 1) * (count + other) >= drawn * count:
        return 1.0  # about a half, or more
    own = rank - 1
    part = math.exp(
        _log_ways(count, own) + _log_ways(other, drawn - own) - _log_ways(count + other, drawn)
    )
    found = part
    while own > max(0, drawn - other) and part > found * 1e-6:
        part *= own * (other - drawn + own) / ((count - own + 1) * (drawn - own + 1))
        own -= 1
        found += part
    return found


def _log_ways(of: int, some: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)


def _sure_of_quantiles(now: Latency, before: Latency, share: float) -> int | None:
    if not (now.count and before.count):
        return None
    if all(ranks(n, share, LEVELS[0])[1] > n for n in (now.count, before.count)):
        return None
    one, other = bounds(now, share, LEVELS[0]), bounds(before, share, LEVELS[0])
    if _apart(one, other):
        higher = (
            _apart(bounds(now, share, deviations), bounds(before, share, deviations))
            for deviations in LEVELS[1:]
        )
        return 1 + sum(higher)
    return 0 if one[1] < other[0] * _DOUBLE and other[1] < one[0] * _DOUBLE else None


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] > other[1] * _LEAST_RATIO or other[0] > one[1] * _LEAST_RATIO


def _level(deviations: float) -> int:
    return sum(deviations >= least for least in LEVELS)


def bounds(latency: Latency, share: float, deviations: float) -> tuple[float, float]:
    """Return the latencies (ns) between which a quantile is, by its rank.

    It may be above the largest of few values, and below the smallest: then they are infinite, or 0.
    """
    low, high = ranks(latency.count, share, deviations)
    return (
        ranked(latency, low) if low >= 1 else 0.0,
        ranked(latency, high) if high <= latency.count else math.inf,
    )


@lru_cache(maxsize=4096)
def ranks(count: int, share: float, deviations: float) -> tuple[float, float]:
    """Return the ranks between which a quantile of ``count`` values is, the smallest being 1."""
    if count * min(share, 1 - share) >= _MANY:
        spread = deviations * math.sqrt(share * (1 - share) * count)
        return share * count - spread, share * count + spread
    # How many values are above the quantile is binomially distributed.
    chance, part, up_to = _TAILS[LEVELS.index(deviations)], share**count, 0.0
    few = -1  # chance leaves so many, or fewer
    for above in range(count + 1):
        if 1 - up_to <= chance:  # chance leaves so many, or more
            return count + 1 - above, count - few
        up_to += part
        if up_to <= chance:
            few = above
        part *= (count - above) / (above + 1) * (1 - share) / share
    return 0, count - few


def rank(count: int, share: float) -> int:
    """Return the rank of a percentile of ``count`` values, the smallest one being the first."""
    return math.ceil(share * count)


@lru_cache(maxsize=4096)
def _points(latency: Latency) -> Sequence[tuple[int, float]]:
    """Return the ranks whose latencies are known, with these."""
    return [(rank(latency.count, share), _value(latency, share)) for share in _VALUES]


def ranked(latency: Latency, at: float) -> float:
    """Return about the latency (ns) of a rank, from those of the percentiles that are known.

    Between two of them the logarithm of the latency grows with that of the number beyond.
    """
    count = latency.count
    points = _points(latency)
    median = points[0][0]
    if at < median:
        # Below the median nothing is known; it goes down as it goes up on the other side.
        return points[0][1] ** 2 / ranked(latency, min(2 * median - at, count))
    for (low, low_ns), (high, high_ns) in pairwise(points):
        if low <= at < high:
            part = math.log((count + 1 - low) / (count + 1 - at))
            part /= math.log((count + 1 - low) / (count + 1 - high))
            return low_ns * math.exp(part * math.log(high_ns / low_ns))
    return points[-1][1]
