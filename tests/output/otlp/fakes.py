"""Metrics that a test knows, and what a receiver of them adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_DELTA,
    Metric,
)

from httptop.collect.histogram import Histogram, bucket_of
from httptop.collect.metrics import Metrics, Outcome, Series
from httptop.model import EndpointKey, Health, Overhead, Side, SinkStats
from tests.factory import NOON, key

#: Attributes of a resource and of a data point, each as text.
Name = tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]


@dataclass
class Reading:
    """Series that can be looked at again and again."""

    series: list[Series]

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def of(self, side: Side) -> Iterator[Series]:
        return (one for one in self.series if one.key.side == side)


def outcome(latencies_ns: Iterable[int], status: int = 200) -> Outcome:
    """Return the responses that took so long each."""
    buckets: Histogram = {}
    values = list(latencies_ns)
    for value in values:
        bucket = bucket_of(value)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return Outcome(status, len(values), sum(values), buckets)


def series(
    name: EndpointKey | None = None,
    *outcomes: Outcome,
    began_at: float = NOON,
    unanswered: int = 0,
    in_flight: int = 0,
    request_bytes: int = 0,
    response_bytes: int = 0,
) -> Series:
    """Return a series."""
    return Series(
        name or key(),
        began_at,
        outcomes,
        unanswered,
        in_flight,
        request_bytes,
        response_bytes,
    )


def metrics(
    *all_series: Series,
    at: float = NOON + 60,
    health: Health = Health(),  # noqa: B008 - it is frozen
    overhead: Overhead = Overhead(),  # noqa: B008 - it is frozen
    sinks: tuple[SinkStats, ...] = (),
    unmeasured: int = 0,
    folded: int = 0,
    ended: int = 0,
    ended_requests: Mapping[Side, int] | None = None,
) -> Metrics:
    """Return the metrics of a moment."""
    return Metrics(
        taken_at=at,
        began_at=NOON,
        host="web-1",
        series=Reading(list(all_series)),
        folded=folded,
        unmeasured=unmeasured,
        health=health,
        overhead=overhead,
        sinks=sinks,
        ended=ended,
        ended_requests=ended_requests,
    )


class Traffic:
    """Responses that come one after the other, of some endpoints."""

    def __init__(self, paths: int = 3) -> None:
        self.answered = 0
        self._latencies: dict[tuple[EndpointKey, int], list[int]] = {}
        self._keys = [key(f"/path/{number}") for number in range(paths)]

    def some(self, number: int) -> None:
        """Have so many responses come."""
        for _ in range(number):
            self.answered += 1
            name = self._keys[self.answered % len(self._keys)]
            status = 500 if self.answered % 5 == 0 else 200
            latencies = self._latencies.setdefault((name, status), [])
            latencies.append(100_000 + self.answered * 7_919 % 3_000_000)

    def metrics(self, at: float = NOON + 60) -> Metrics:
        """Return the metrics of now."""
        return metrics(
            *(
                series(
                    name,
                    *(
                        outcome(ns, status)
                        for (n, status), ns in self._latencies.items()
                        if n == name
                    ),
                    request_bytes=1,
                )
                for name in self._keys
            ),
            at=at,
        )


def texts(attributes: Iterable[KeyValue]) -> tuple[tuple[str, str], ...]:
    """Return attributes as texts, in order."""
    return tuple(
        sorted(
            (one.key, str(getattr(one.value, str(one.value.WhichOneof("value")))))
            for one in attributes
        )
    )


@dataclass
class Sums:
    """What a receiver knows once it has got some requests."""

    count: Counter[Name] = field(default_factory=Counter)
    seconds: dict[Name, float] = field(default_factory=dict)
    buckets: dict[Name, Counter[int]] = field(default_factory=dict)
    values: dict[Name, float] = field(default_factory=dict)
    times: dict[Name, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, request: ExportMetricsServiceRequest) -> None:
        """Take a request; each data point of it must be new."""
        for resource in request.resource_metrics:
            whose = texts(resource.resource.attributes)
            for scope in resource.scope_metrics:
                assert scope.scope.name == "httptop"
                for metric in scope.metrics:
                    self._add(whose, metric)

    def _add(self, whose: tuple[tuple[str, str], ...], metric: Metric) -> None:
        kind = metric.WhichOneof("data")
        data = getattr(metric, str(kind))
        delta = kind != "gauge" and data.aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA
        assert data.data_points
        for point in data.data_points:
            name = (metric.name, whose, texts(point.attributes))
            times = self.times.setdefault(name, [])
            if times and kind != "gauge":
                # An increment begins where the last one ended, and a sum where it always began.
                assert point.start_time_unix_nano == times[-1][1 if delta else 0], name
                assert point.time_unix_nano >= times[-1][1]
            times.append((point.start_time_unix_nano, point.time_unix_nano))
            if kind in ("gauge", "sum"):
                value = getattr(point, point.WhichOneof("value"))
                before = self.values.get(name, 0)
                self.values[name] = before + value if delta else value
                continue
            if kind == "histogram":
                found = Counter(dict(enumerate(point.bucket_counts)))
            else:
                first = point.positive.offset
                found = Counter(
                    {first + at: n for at, n in enumerate(point.positive.bucket_counts)}
                )
            assert found.total() == point.count
            if not delta:
                self.count[name], self.seconds[name] = 0, 0.0
                self.buckets[name] = Counter()
            self.count[name] += point.count
            self.seconds[name] = self.seconds.get(name, 0.0) + point.sum
            self.buckets.setdefault(name, Counter()).update(found)

    def of(self, metric: str) -> int:
        """Return the count of all histograms of a name."""
        return sum(n for name, n in self.count.items() if name[0] == metric)
