"""Endpoints that are idle: without a request in the window, be it over there or in flight."""

from __future__ import annotations

from collections.abc import Sequence

from httptop.model import EndpointStats
from httptop.view.rows import RowsOnDemand


def is_idle(row: EndpointStats) -> bool:
    """Return whether a row is idle."""
    return not row.rps and not row.in_flight


def idle_last(rows: Sequence[EndpointStats], order: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the indices of active rows, and those of idle ones, both in the given order."""
    if isinstance(rows, RowsOnDemand):
        rates, in_flight = rows.values("rps"), rows.values("in_flight")
        if rates is not None and in_flight is not None:
            active = [at for at in order if rates[at] or in_flight[at] > 0]
            if len(active) == len(order):
                return active, []
            return active, [at for at in order if not (rates[at] or in_flight[at] > 0)]
    active = []
    idle: list[int] = []
    for at in order:
        (idle if is_idle(rows[at]) else active).append(at)
    return active, idle
