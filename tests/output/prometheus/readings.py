"""Readings of metrics that are made up, and what a reader of the formats must find in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from httptop.collect.histogram import Histogram, bucket_of
from httptop.collect.metrics import Metrics, Outcome, Series
from httptop.config.settings import DEFAULTS
from httptop.model import EndpointKey, Health, Overhead, Side, SinkStats
from tests.factory import NOON

BOUNDS = DEFAULTS.metrics.bounds_ns


def histogram(*latencies_ns: int) -> Histogram:
    """Return the histogram of some latencies."""
    found: Histogram = {}
    for latency_ns in latencies_ns:
        bucket = bucket_of(latency_ns)
        found[bucket] = found.get(bucket, 0) + 1
    return found


def outcome(status: int = 200, *latencies_ns: int, unmeasured: int = 0) -> Outcome:
    """Return an outcome with such latencies, and some responses whose latency is not known."""
    count = len(latencies_ns) + unmeasured
    return Outcome(status, count, sum(latencies_ns), histogram(*latencies_ns))


def key(path: str = "/", side: Side = "server", **values: Any) -> EndpointKey:
    """Return the key of an endpoint."""
    about: dict[str, Any] = {
        "process": "nginx",
        "protocol": "HTTP/1.1",
        "tls": False,
        "method": "GET",
    } | values
    return EndpointKey(side=side, path=path, **about)


def series(of: EndpointKey, *outcomes: Outcome, **values: int) -> Series:
    """Return a series."""
    figures = {"unanswered": 0, "in_flight": 0, "request_bytes": 0, "response_bytes": 0} | values
    return Series(of, NOON, outcomes, **figures)


@dataclass
class Readings:
    """Series that can be read again and again; counts how many were, by side."""

    all: list[Series] = field(default_factory=list)
    read: int = 0

    def __iter__(self) -> Iterator[Series]:
        return iter(self.all)

    def of(self, side: Side) -> Iterator[Series]:
        for one in self.all:
            if one.key.side == side:
                self.read += 1
                yield one


def metrics(*some: Series, **values: Any) -> Metrics:
    """Return a reading."""
    about: dict[str, Any] = {
        "taken_at": NOON,
        "began_at": NOON - 60,
        "host": "web-1",
        "folded": 0,
        "unmeasured": 0,
        "health": Health(),
        "overhead": Overhead(),
    }
    return Metrics(series=Readings([*some]), **about | values)


#: A reading with something of everything.
BUSY = metrics(
    series(
        key("/users/{id}", port=80, user="www-data"),
        outcome(200, 300_000, 310_000, 12_000_000),
        outcome(503, 2_000_000_000, unmeasured=2),
        outcome(0, 1_000),
        outcome(4, 20_000_000_000_000),
        unanswered=3,
        in_flight=2,
        request_bytes=1000,
        response_bytes=2**63,
    ),
    series(key("~other", method="OTHER", protocol="HTTP/1.0"), outcome(404, 5_000_000)),
    series(
        key("/users/{id}", "client", process="curl", tls=True, port=8443),
        outcome(404, 1_000_000),
        in_flight=1,
    ),
    folded=7,
    unmeasured=2,
    health=Health(lost_samples=5),
    overhead=Overhead(
        cpu_percent=1.5,
        rss_bytes=50 << 20,
        open_fds=40,
        context_switches=12,
        bpf_cpu_percent=2.5,
        bpf_ns_per_call=120.0,
        bpf_calls=99,
        samples_per_s=3.5,
        window_bytes=100,
        shed=("samples",),
        tables={"endpoints": 0.25},
    ),
    sinks=(SinkStats("recording", "failing", sent=4, waiting=1, dropped=2, failed=3),),
)


def responses(some: Iterable[Series]) -> int:
    """Return how many responses series have counted."""
    return sum(one.count for of in some for one in of.outcomes)
