"""What processes, peers and statuses have of the requests of rows, in the window or since start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

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


class Part:
    """What one of them has of some rows; added up."""

    __slots__ = (
        "_latest", "answered", "endpoints", "errors", "max_ns", "processes", "requests", "spent_ns",
    )  # fmt: skip

    def __init__(self) -> None:
        self.processes: dict[str, None] = {}
        self.endpoints = self.requests = self.errors = self.answered = 0
        self.spent_ns = self.max_ns = 0.0  # of the answered ones
        self._latest = -1

    def add(
        self,
        row: int,
        process: str,
        requests: int,
        errors: int,
        answered: int = 0,
        spent_ns: float = 0.0,
        max_ns: float = 0.0,
    ) -> None:
        """Add what it has of a row, of which it may have several things, one after the other."""
        if row != self._latest:
            self._latest = row
            self.processes[process] = None
            self.endpoints += 1
        self.requests += requests
        self.errors += errors
        if answered:
            self.answered += answered
            self.spent_ns += spent_ns
            self.max_ns = max(self.max_ns, max_ns)

    def join(self, other: Part) -> None:
        """Add what it has of other rows."""
        self.processes |= other.processes
        self.endpoints += other.endpoints
        self.requests += other.requests
        self.errors += other.errors
        self.answered += other.answered
        self.spent_ns += other.spent_ns
        self.max_ns = max(self.max_ns, other.max_ns)


class Divided(NamedTuple):
    """What all of them have of some rows."""

    parts: Mapping[Any, Part]
    #: Whether that is since start, be it that what they had in the window is not known.
    since_start: bool


def divided(rows: Iterable[EndpointStats], by: PartedBy, *, window: bool) -> Divided:
    """Return what each has of rows, in the window if that is asked for and known."""
    found = list(rows)
    window = window and by == "status" and all(row.window_status is not None for row in found)
    parts: dict[Any, Part] = {}
    for at, row in enumerate(found):
        of_row = parts_of(row, by)
        if window:
            # The window's unanswered requests are all of a status that is not known.
            status = dict(row.window_status or {})
            of_row = parts_by_status(status, 0, {})
            if STATUS_UNKNOWN in of_row:
                failed = (row.window_errors or 0) - sum(one.errors for one in of_row.values())
                of_row[STATUS_UNKNOWN] = PartyStats(status[STATUS_UNKNOWN], failed)
        for id, one in of_row.items():
            part = parts.setdefault(id, Part())
            spent_ns = one.mean_ns * one.answered
            part.add(
                at, row.key.process, one.requests, one.errors, one.answered, spent_ns, one.max_ns
            )
    return Divided(parts, not window)


def joined(one: Divided, other: Divided) -> Divided:
    """Return what all have of some rows and of others."""
    parts: dict[Any, Part] = {}
    for some in (one, other):
        for id, part in some.parts.items():
            parts.setdefault(id, Part()).join(part)
    return Divided(parts, one.since_start or other.since_start)


def parts_of(row: EndpointStats, by: PartedBy) -> Parts:
    """Return what each has of a row since start; OTHER_PIDS and OTHER_PEERS: what is not known."""
    if by == "status":
        return parts_by_status(row.status, row.unanswered, row.latency_by_status or {})
    known: Parts | None = row.by_pid if by == "pid" else row.by_peer
    if known is not None:
        return known
    return {OTHER_PIDS if by == "pid" else OTHER_PEERS: PartyStats(row.requests, row.errors)}


def parts_by_status(
    status: Mapping[int, int], unanswered: int, latencies: Mapping[int, StatusLatency]
) -> dict[int, PartyStats]:
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
