"""One reading of the metrics as requests to a receiver, of so many data points at most.

One request takes memory at a time, whatever the number of series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    AGGREGATION_TEMPORALITY_DELTA,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ScopeMetrics,
)

from httptop.collect.metrics import Metrics, Outcome, Series
from httptop.linux.stretches import give_way
from httptop.model import EndpointKey
from httptop.output.otlp.attributes import (
    HTTPTOP,
    SCOPE,
    Owner,
    Resources,
    Value,
    key_values,
    of_endpoint,
    of_status,
)
from httptop.output.otlp.buckets import SCALE, explicit, exponential
from httptop.output.otlp.increments import Increments, Sum
from httptop.output.otlp.instruments import (
    ACTIVE,
    DURATION,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    UNANSWERED_REQUESTS,
    Instrument,
)
from httptop.output.otlp.own import own

MOST_POINTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Shape:
    """How metrics are sent."""

    resources: Resources
    #: Of explicit histograms, in seconds; None: histograms are exponential.
    bounds: tuple[float, ...] | None = None
    most_points: int = MOST_POINTS


@dataclass(frozen=True, slots=True)
class Batch:
    """A request to a receiver."""

    request: ExportMetricsServiceRequest
    points: int
    accepted: Callable[[], None]  # to be called if it was


def batches(
    metrics: Metrics, shape: Shape, increments: Increments | None = None
) -> Iterator[Batch]:
    """Yield the requests of one reading; ``increments``: what to send these of, None: sums.

    Once a batch is yielded, the next one takes its place.
    """
    building = _Building(metrics, shape, increments)
    for _ in _all_points(metrics, building):
        if building.points >= shape.most_points:
            yield building.take()
    if building.points:
        yield building.take()
    building.end()


def _all_points(metrics: Metrics, building: _Building) -> Iterator[None]:
    """Add all data points; yields after each."""
    active: Counter[EndpointKey] = Counter()
    for series in metrics.series:
        give_way()
        active[replace(series.key, path="", protocol="")] += series.in_flight
        yield from building.of_series(series)
    for key, in_flight in active.items():
        building.active(key, in_flight)
        yield
    for instrument, value, attributes in own(metrics):
        building.number(HTTPTOP, instrument, value, metrics.began_at, attributes)
        yield


class _Building:
    """The request that is being made."""

    def __init__(self, metrics: Metrics, shape: Shape, increments: Increments | None) -> None:
        self._metrics, self._shape, self._increments = metrics, shape, increments
        self._at_ns = _ns(metrics.taken_at)
        if increments is not None:
            increments.begin()
        self._begin()

    def _begin(self) -> None:
        self._request = ExportMetricsServiceRequest()
        self._scopes: dict[Owner, ScopeMetrics] = {}
        self._metric_of: dict[tuple[Owner, Instrument], Metric] = {}
        self.points = 0

    def take(self) -> Batch:
        """Return the request, and begin another."""
        accepted = self._increments.batch() if self._increments is not None else lambda: None
        taken = Batch(self._request, self.points, accepted)
        self._begin()
        return taken

    def end(self) -> None:
        """Forget what has been sent of series that there are no longer."""
        if self._increments is not None:
            self._increments.end()

    def of_series(self, series: Series) -> Iterator[None]:
        """Add the data points of a series; yields after each."""
        key = series.key
        owner = Owner(key.process, key.user)
        attributes = of_endpoint(key)
        shared = key_values(attributes)
        for outcome in series.outcomes:
            self._duration(owner, series, outcome, shared)
            yield
        side: dict[str, Value] = {"side": key.side}
        for instrument, value in (
            (UNANSWERED_REQUESTS, series.unanswered),
            (REQUEST_BYTES, series.request_bytes),
            (RESPONSE_BYTES, series.response_bytes),
        ):
            if value:
                self.number(owner, instrument, value, series.began_at, attributes | side, key)
                yield

    def active(self, key: EndpointKey, in_flight: int) -> None:
        """Add the requests in flight of a process, by method, scheme and port."""
        attributes = of_endpoint(key)
        for name in ("http.route", "url.template"):
            attributes.pop(name, None)
        owner = Owner(key.process, key.user)
        self.number(owner, ACTIVE[key.side], in_flight, self._metrics.began_at, attributes)

    def _duration(
        self, owner: Owner, series: Series, outcome: Outcome, shared: list[KeyValue]
    ) -> None:
        key = series.key
        total: Sum | None = Sum(series.began_at, outcome.sum_ns, outcome.buckets)
        assert total is not None
        total = self._since((DURATION[key.side].name, key, outcome.status), total)
        if total is None or not total.buckets:
            return
        point = self._histogram(self._metric(owner, DURATION[key.side]), total.buckets)
        point.attributes.extend(shared)
        point.attributes.extend(key_values(of_status(outcome.status, key.side)))
        point.start_time_unix_nano, point.time_unix_nano = _ns(total.began_at), self._at_ns
        point.count, point.sum = sum(total.buckets.values()), total.value / 1e9
        self.points += 1

    def _histogram(
        self, metric: Metric, buckets: dict[int, int]
    ) -> ExponentialHistogramDataPoint | HistogramDataPoint:
        bounds = self._shape.bounds
        if bounds is not None:
            point: HistogramDataPoint = metric.histogram.data_points.add()
            point.explicit_bounds.extend(bounds)
            point.bucket_counts.extend(explicit(buckets, bounds))
            return point
        exponent: ExponentialHistogramDataPoint = metric.exponential_histogram.data_points.add()
        exponent.scale = SCALE
        exponent.positive.offset, counts = exponential(buckets)
        exponent.positive.bucket_counts.extend(counts)
        return exponent

    def number(
        self,
        owner: Owner,
        instrument: Instrument,
        value: float,
        began_at: float,
        attributes: dict[str, Value],
        whose: Hashable = None,
    ) -> None:
        """Add a data point of a counter or a gauge; a counter's values are whole numbers.

        ``whose`` tells it from others of the instrument; None: its attributes do.
        """
        if instrument.kind == "counter":
            series = (instrument.name, whose or tuple(attributes.values()))
            total = self._since(series, Sum(began_at, int(value)))
            if total is None:
                return
            began_at, value = total.began_at, total.value
        metric = self._metric(owner, instrument)
        points = metric.gauge.data_points if instrument.kind == "gauge" else metric.sum.data_points
        point: NumberDataPoint = points.add()
        point.attributes.extend(key_values(attributes))
        point.time_unix_nano = self._at_ns
        if instrument.kind != "gauge":
            point.start_time_unix_nano = _ns(began_at)
        if isinstance(value, int):
            point.as_int = value
        else:
            point.as_double = value
        self.points += 1

    def _since(self, series: Hashable, total: Sum) -> Sum | None:
        """Return what is to be sent of a series; None: nothing."""
        if self._increments is None:
            return total
        return self._increments.of(series, total, self._metrics.taken_at)

    def _metric(self, owner: Owner, instrument: Instrument) -> Metric:
        found = self._metric_of.get((owner, instrument))
        if found is not None:
            return found
        scope = self._scopes.get(owner)
        if scope is None:
            resource = self._request.resource_metrics.add()
            resource.resource.CopyFrom(self._shape.resources.of(owner))
            scope = self._scopes[owner] = resource.scope_metrics.add()
            scope.scope.CopyFrom(SCOPE)
        metric: Metric = scope.metrics.add()
        self._metric_of[owner, instrument] = metric
        metric.name, metric.unit = instrument.name, instrument.unit
        metric.description = instrument.description
        # An up-down counter is a sum whatever counters are: its increments would say nothing.
        sums = self._increments is None or instrument.kind == "up-down counter"
        temporality = AGGREGATION_TEMPORALITY_CUMULATIVE if sums else AGGREGATION_TEMPORALITY_DELTA
        match instrument.kind:
            case "histogram" if self._shape.bounds is not None:
                metric.histogram.aggregation_temporality = temporality
            case "histogram":
                metric.exponential_histogram.aggregation_temporality = temporality
            case "gauge":
                metric.gauge.SetInParent()
            case _:
                metric.sum.aggregation_temporality = temporality
                metric.sum.is_monotonic = instrument.kind == "counter"
        return metric


def _ns(at: float) -> int:
    return int(at * 1e9)
