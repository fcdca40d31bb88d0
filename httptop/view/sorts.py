"""What rows can be sorted by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from httptop.model import EndpointStats, Latency

#: Orders by fields of the key.
KEY_SORTS: Final = frozenset({"process", "user", "port", "method", "path", "protocol", "host"})
#: Orders of text, which ascend by nature.
TEXT_SORTS: Final = KEY_SORTS | {"container"}


def descends(sort: str) -> bool:
    """Return whether the natural order of a column is descending; that of text is ascending."""
    return sort not in TEXT_SORTS


def _measured(pick: Callable[[Latency], float]) -> Callable[[EndpointStats], float]:
    """Return a sort key from the window's latency; it is below all others if there is none."""
    return lambda row: pick(row.latency) if row.latency.count else -1.0


def _newest(row: EndpointStats) -> float:
    for value in reversed(row.trend_ns):
        if value is not None:
            return value
    return -1.0


def _class(hundreds: int) -> Callable[[EndpointStats], int]:
    return lambda row: row.status_class(hundreds)


#: Every name that a view can be sorted by, and its sort key.
SORTS: Final[Mapping[str, Callable[[EndpointStats], Any]]] = MappingProxyType(
    {
        "host": lambda row: row.key.host,
        "process": lambda row: row.key.process,
        "user": lambda row: row.key.user,
        "container": lambda row: row.containers,
        "port": lambda row: row.key.port,
        "method": lambda row: row.key.method,
        "path": lambda row: row.key.path,
        "protocol": lambda row: row.key.protocol,
        "rps": lambda row: row.rps,
        "share": lambda row: row.rps,
        "requests": lambda row: row.requests,
        "1xx": _class(1),
        "2xx": _class(2),
        "3xx": _class(3),
        "4xx": _class(4),
        "5xx": _class(5),
        "errors": lambda row: row.errors,
        "error_share": lambda row: -1.0 if row.error_share is None else row.error_share,
        "unanswered": lambda row: row.unanswered,
        "mean": _measured(lambda latency: latency.mean_ns),
        "p50": _measured(lambda latency: latency.p50_ns),
        "p90": _measured(lambda latency: latency.p90_ns),
        "p95": _measured(lambda latency: latency.p95_ns),
        "p99": _measured(lambda latency: latency.p99_ns),
        "p999": _measured(lambda latency: latency.p999_ns),
        "max": _measured(lambda latency: latency.max_ns),
        "change": lambda row: row.p99_change or 0.0,
        "in_flight": lambda row: -1 if row.in_flight is None else row.in_flight,
        "oldest": lambda row: -1.0 if row.oldest_in_flight_ns is None else row.oldest_in_flight_ns,
        "request_bytes": lambda row: row.request_bytes,
        "response_bytes": lambda row: row.response_bytes,
        "trend": _newest,
    }
)
