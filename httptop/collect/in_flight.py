"""The requests in flight, as somebody has asked for them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from httptop.collect.source import RawInFlight
from httptop.model import MOST_IN_FLIGHT, EndpointKey, RequestInFlight


@dataclass(frozen=True, slots=True)
class InFlight:
    """The requests in flight at a moment."""

    requests: tuple[RequestInFlight, ...] = ()  # the oldest first, at most MOST_IN_FLIGHT
    oldest_ns: dict[int, float] = field(default_factory=dict)  # the age of each row's oldest

    def moved(self, rows: Mapping[int, int]) -> InFlight:
        """Return the same where some rows have other numbers."""
        return InFlight(
            self.requests, {rows.get(row, row): age_ns for row, age_ns in self.oldest_ns.items()}
        )


class Pace:
    """Says when something dear is due again, so that it takes at most a share of a CPU."""

    def __init__(self, share: float) -> None:
        self._share, self._due_s = share, float("-inf")

    def is_due(self, now_s: float) -> bool:
        """Return whether it may be done now."""
        return now_s >= self._due_s

    def took(self, now_s: float, cpu_s: float) -> None:
        """Note what it has taken, in seconds of CPU time."""
        self._due_s = now_s + cpu_s / self._share


def in_flight_of(
    requests: Iterable[RawInFlight],
    now_ns: float,
    row_of: Callable[[int], int | None],
    key_of: Callable[[int], EndpointKey | None],
) -> InFlight:
    """Return the requests in flight at ``now_ns``, of the monotonic clock.

    ``row_of`` returns the row of a cell, None: those of that cell are left out; ``key_of`` the key
    of a row.
    """
    found: list[tuple[int, RawInFlight]] = []
    oldest_ns: dict[int, float] = {}
    for raw in requests:
        row = row_of(raw.endpoint)
        if row is not None:
            found.append((row, raw))
            oldest_ns[row] = max(_age_ns(raw, now_ns), oldest_ns.get(row, 0.0))
    made = []
    for row, raw in heapq.nsmallest(MOST_IN_FLIGHT, found, key=lambda item: item[1].start_ns):
        key = key_of(row)
        if key is not None:
            made.append(RequestInFlight(key, _age_ns(raw, now_ns), raw.pid or None, raw.peer))
    return InFlight(tuple(made), oldest_ns)


def _age_ns(raw: RawInFlight, now_ns: float) -> float:
    return max(0.0, now_ns - raw.start_ns)
