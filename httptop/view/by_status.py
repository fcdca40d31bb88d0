"""The requests of a row by status, and what those of some statuses have of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from httptop.model import STATUS_UNKNOWN, EndpointStats, class_of


class ByStatus(NamedTuple):
    """The requests of a row by status; STATUS_UNKNOWN: those that were unanswered, too."""

    total: Mapping[int, int]  # since start
    window: Mapping[int, int] | None  # None: not known


class StatusPart(NamedTuple):
    """What requests of some statuses have of a row."""

    requests: int
    errors: int  # among them
    alone: bool  # whether no response has another status: latencies are those of the row


def counts_by_status(row: EndpointStats) -> ByStatus:
    """Return the counts of a row by status."""
    total = dict(row.status)
    if row.unanswered:
        total[STATUS_UNKNOWN] = total.get(STATUS_UNKNOWN, 0) + row.unanswered
    return ByStatus(total, row.window_status)


def part_of(counts: Mapping[int, int], codes: Collection[int], errors: int) -> StatusPart:
    """Return what some statuses have of a row's counts by status; ``errors``: of all of these."""
    some = failed = others = 0
    for code, count in counts.items():
        if class_of(code) >= 4:
            errors -= count
            failed += count * (code in codes)
        if code in codes:
            some += count
        else:
            others += count
    # The errors that are left were unanswered.
    if STATUS_UNKNOWN in codes:
        return StatusPart(some, failed + errors, others == 0)
    return StatusPart(some, failed, others == errors)
