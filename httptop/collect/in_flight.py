"""The requests in flight, as somebody has asked for them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from httptop.collect.source import RawInFlight
from httptop.model import MOST_IN_FLIGHT, EndpointKey, RequestInFlight

#: By how much a client's send may be seen later than the server's read of it, on another CPU.
_SEEN_LATE_NS: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class InFlight:
    """The requests in flight at a moment."""

    requests: tuple[RequestInFlight, ...] = ()  # the oldest first, at most MOST_IN_FLIGHT
    cut: bool = False  # there are more
    oldest_ns: dict[int, float] = field(default_factory=dict)  # the age of each row's oldest

    def moved(self, rows: Mapping[int, int]) -> InFlight:
        """Return the same where some rows have other numbers."""
        oldest_ns = {rows.get(row, row): age_ns for row, age_ns in self.oldest_ns.items()}
        return InFlight(self.requests, self.cut, oldest_ns)


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
    """Return the requests in flight at ``now_ns``, when they had been read: monotonic.

    ``row_of`` returns the row of a cell, None: those of that cell are left out; ``key_of`` the key
    of a row.
    """
    found: list[tuple[int, RawInFlight]] = []
    ends = _Ends(key_of)
    oldest_ns: dict[int, float] = {}
    for raw in requests:
        row = row_of(raw.endpoint)
        if row is not None:
            found.append((row, raw))
            ends.add(row, raw)
            oldest_ns[row] = max(_age_ns(raw, now_ns), oldest_ns.get(row, 0.0))
    made = []
    for row, raw in heapq.nsmallest(MOST_IN_FLIGHT, found, key=lambda item: item[1].start_ns):
        key = key_of(row)
        if key is not None:
            other = ends.other_of(key, raw)
            process, pid = ("", None) if other is None else other
            age_ns = _age_ns(raw, now_ns)
            made.append(RequestInFlight(key, age_ns, raw.pid or None, raw.peer, process, pid))
    return InFlight(tuple(made), len(found) > MOST_IN_FLIGHT, oldest_ns)


def _age_ns(raw: RawInFlight, now_ns: float) -> float:
    return max(0.0, now_ns - raw.start_ns)


class _Ends:
    """Finds who has the other end of a connection, where both ends are on this host and seen.

    A pair of ports alone may be that of several connections, as containers have their own. So both
    ends must be on the loopback interface, or name each other by one address; they must have the
    same request in flight, sent before it was read; and nobody else may answer to that.
    """

    def __init__(self, key_of: Callable[[int], EndpointKey | None]) -> None:
        self._key_of = key_of
        self._by_ports: dict[tuple[int, int], list[tuple[int, RawInFlight]]] = {}

    def add(self, row: int, raw: RawInFlight) -> None:
        """Note a request of a row."""
        if raw.ports is not None:
            self._by_ports.setdefault(raw.ports, []).append((row, raw))

    def other_of(self, key: EndpointKey, raw: RawInFlight) -> tuple[str, int | None] | None:
        """Return name and pid of the process at the other end; None: not known."""
        if raw.ports is None:
            return None
        found = set()
        for row, other in self._by_ports[raw.ports]:
            its = self._key_of(row)
            if its is not None and its.side != key.side and _is_same(key, raw, its, other):
                found.add((its.process, other.pid or None))
        return found.pop() if len(found) == 1 else None


def _is_same(key: EndpointKey, raw: RawInFlight, its: EndpointKey, other: RawInFlight) -> bool:
    """Return whether requests at two ends of this host, of the same ports, are one."""
    if (key.method, key.path, key.protocol) != (its.method, its.path, its.protocol):
        return False
    if key.side == "server":
        sent, read = other, raw
    else:
        sent, read = raw, other
    near = raw.peer == other.peer or (_is_loopback(raw.peer) and _is_loopback(other.peer))
    return near and sent.start_ns <= read.start_ns + _SEEN_LATE_NS


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith(("127.", "::ffff:127."))
