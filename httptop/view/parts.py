"""What processes, peers and statuses have of a row's requests, since start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from httptop.model import (
    OTHER_PEERS,
    OTHER_PIDS,
    STATUS_UNKNOWN,
    EndpointStats,
    PartyStats,
    StatusLatency,
    class_of,
)

#: By what the requests of a row are divided.
PartedBy = Literal["pid", "peer", "status"]
#: What each pid (an int), peer (a str) or status (an int) has of a row.
Parts = Mapping[Any, PartyStats]


def parts_of(row: EndpointStats, by: PartedBy) -> Parts:
    """Return what each has of a row; OTHER_PIDS and OTHER_PEERS have what is not known."""
    if by == "status":
        return parts_by_status(row.status, row.unanswered, row.latency_by_status or {})
    known: Parts | None = row.by_pid if by == "pid" else row.by_peer
    if known is not None:
        return known
    return {OTHER_PIDS if by == "pid" else OTHER_PEERS: PartyStats(row.requests, row.errors)}


def parts_by_status(
    status: Mapping[int, int], unanswered: int, latencies: Mapping[int, StatusLatency]
) -> Parts:
    """Return what each status has; STATUS_UNKNOWN has the unanswered requests, too."""
    counts = dict(status)
    if unanswered:
        counts[STATUS_UNKNOWN] = counts.get(STATUS_UNKNOWN, 0) + unanswered
    found = {}
    for code, count in counts.items():
        latency, errors = latencies.get(code), 0
        if class_of(code) >= 4:
            errors = count
        elif code == STATUS_UNKNOWN:
            errors = unanswered
        answered, mean_ns = (latency.count, latency.mean_ns) if latency else (0, 0.0)
        found[code] = PartyStats(count, errors, answered, mean_ns)
    return found
