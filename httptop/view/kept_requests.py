"""Sampled requests of the last minutes: of each endpoint the slowest and the failed stay longest.

A snapshot has the newest samples only, on a busy host those of a few seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from httptop.model import STATUS_UNKNOWN, EndpointKey, Snapshot, Transaction

Order = Literal["slowest", "failed", "newest"]

#: For so long requests are kept, at most so many of all endpoints, and so many are listed of one.
KEPT_S: Final = 300.0
MOST_KEPT: Final = 600
MOST_LISTED: Final = 100


def failed(request: Transaction) -> bool:
    """Return whether a request counts as an error of its endpoint."""
    return request.status >= 400 or request.status == STATUS_UNKNOWN


class KeptRequests:
    """What is kept of the samples of all endpoints; for one thread alone."""

    def __init__(self, most: int = MOST_KEPT, kept_s: float = KEPT_S) -> None:
        self._most, self._kept_s = most, kept_s
        #: How many samples have been noted, kept or not.
        self.seen = 0
        self._kept: list[Transaction] = []  # at most twice as many, until they are thinned out
        self._serial = 0  # of the newest one
        self._at = 0.0  # Unix time of the newest snapshot

    def note(self, snapshot: Snapshot) -> None:
        """Keep the new samples of a snapshot; one that is older than the last one begins anew."""
        if snapshot.taken_at < self._at:
            self._kept, self._serial, self.seen = [], 0, 0
        self._at = snapshot.taken_at
        for request in snapshot.recent:  # the newest first
            if request.serial <= self._serial:
                break
            self._kept.append(request)
            self.seen += 1
        if snapshot.recent:
            self._serial = max(self._serial, snapshot.recent[0].serial)
        if len(self._kept) > 2 * self._most:
            self._thin_out()

    def _thin_out(self) -> None:
        """Keep for each endpoint its slowest and its newest failed ones, for all of them alike."""
        ranks: dict[int, int] = {}
        found = [one for one in self._kept if one.started_at >= self._at - self._kept_s]
        for order in ("slowest", "failed"):
            seen: Counter[EndpointKey] = Counter()
            for request in ordered(found, order):
                rank = seen[request.key]
                seen[request.key] += 1
                ranks[request.serial] = min(rank, ranks.get(request.serial, rank))
        found.sort(key=lambda request: ranks[request.serial])
        self._kept = found[: self._most]

    def newest(self) -> list[Transaction]:
        """Return all that are kept, the newest first."""
        if len(self._kept) > self._most:
            self._thin_out()
        return ordered(self._kept, "newest")

    def of(self, key: EndpointKey, snapshot: Snapshot, order: Order) -> list[Transaction]:
        """Return the samples of an endpoint up to a snapshot, in an order.

        The slowest and the failed ones are those of the last minutes, whatever the snapshot has.
        """
        last = snapshot.taken_at
        found = {one.serial: one for one in snapshot.recent if one.key == key}
        for one in self._kept:
            if one.key == key and one.started_at + one.latency_ns / 1e9 <= last:
                found.setdefault(one.serial, one)
        first = 0.0 if order == "newest" else last - self._kept_s
        within = (one for one in found.values() if one.started_at >= first)
        return ordered(within, order)[:MOST_LISTED]


def ordered(requests: Iterable[Transaction], order: Order) -> list[Transaction]:
    """Return requests in an order, of which ``failed`` leaves the others out."""
    newest = sorted(requests, key=lambda one: one.serial, reverse=True)
    match order:
        case "slowest":
            return sorted(newest, key=lambda one: one.latency_ns, reverse=True)
        case "failed":
            return [one for one in newest if failed(one)]
        case "newest":
            return newest
