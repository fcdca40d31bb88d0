"""What outputs of metrics send: counts by endpoint and status since start, with their latencies.

Unlike the rows of a snapshot these series only grow, whatever is pressed on the screen: an endpoint
is named when its first request is seen, and never renamed, merged or split afterwards. It ends some
minutes after httptop has forgotten the endpoint; should that come again, it begins at 0, as after a
restart. No two have the same key.

There are at most ``metrics.max_series`` of them, a status of an endpoint being one: who comes first
has one, and what comes later counts under ``~other`` of its process, method and side, for good.

Sums are exact: of a side, the responses and unanswered requests of all series, and of those that
have ended, are the requests of a snapshot of the same moment. A response that comes while its
endpoint is read may be counted here already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from httptop.collect.histogram import Histogram
from httptop.model import EndpointKey, Health, Overhead, Side, SinkStats


@dataclass(frozen=True, slots=True)
class Outcome:
    """An endpoint's responses of one status: a series."""

    #: A code, or a class (:func:`httptop.model.class_of`); STATUS_UNKNOWN: not known.
    status: int
    count: int  # responses
    sum_ns: int  # of their latencies
    #: Latencies by bucket of collect/histogram.py; less than ``count`` if some are not known.
    buckets: Histogram


@dataclass(frozen=True, slots=True)
class Series:
    """What an endpoint has counted since its series began."""

    key: EndpointKey  # as it was named then
    began_at: float  # Unix time, seconds
    outcomes: tuple[Outcome, ...]
    unanswered: int
    in_flight: int
    request_bytes: int
    response_bytes: int


class SeriesReading(Protocol):
    """All series at one moment, whose histograms are decoded as they are asked for."""

    def __iter__(self) -> Iterator[Series]:
        """Yield each series; only one of them takes memory at a time."""

    def of(self, side: Side) -> Iterator[Series]:
        """Yield those of a side, likewise; nothing of the other's is decoded."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """All that is exported, of one moment."""

    taken_at: float  # Unix time, seconds
    began_at: float  # of httptop
    host: str
    series: SeriesReading
    folded: int  # series that had no room, and count under ``~other``; as often as they came
    unmeasured: int  # responses whose latency is not known, since start
    health: Health
    overhead: Overhead  # of the last tick
    sinks: tuple[SinkStats, ...] = ()
    #: (pid, "tls" or "http2") -> connections seen to start with it; see Snapshot.
    other_protocols: Mapping[tuple[int, str], int] | None = None
    #: Series that have ended, since start, and the requests of a side that they had counted.
    ended: int = 0
    ended_requests: Mapping[Side, int] | None = None
