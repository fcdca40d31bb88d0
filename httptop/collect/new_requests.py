"""The sampled requests that came since somebody took them last: all of them, each once.

What a snapshot shows of them (samples.py) is chosen and bounded by what a screen can show; who logs
requests wants every one.
"""

from __future__ import annotations

from typing import Final, Protocol

from httptop.model import Snapshot, Transaction

#: The most that wait to be taken; there is no room for those that come then.
MOST_NEW: Final = 20_000


class RequestSource(Protocol):
    """Where a log has its requests from; for the feed's thread alone."""

    #: How many there was no room for since start, or were passed over.
    left_out: int

    def take(self, snapshot: Snapshot) -> tuple[Transaction, ...]:
        """Return what is new with a snapshot, in order of arrival."""


class NewRequests:
    """What is new in a live run: the collector adds, one reader takes."""

    def __init__(self, most: int = MOST_NEW) -> None:
        self._most = most
        self._new: list[Transaction] = []
        self.left_out = 0

    def add(self, request: Transaction) -> None:
        """Add a request, unless too many wait."""
        if len(self._new) < self._most:
            self._new.append(request)
        else:
            self.left_out += 1

    def take(self, snapshot: Snapshot) -> tuple[Transaction, ...]:  # noqa: ARG002
        """Return all that was added since, and forget it."""
        new, self._new = tuple(self._new), []
        return new


class ReplayedRequests:
    """What is new in a capture: of each snapshot those with higher serials than before.

    So each comes once, also where a replay goes back; what it passes over does not come.
    """

    def __init__(self) -> None:
        self._latest = 0
        self.left_out = 0

    def take(self, snapshot: Snapshot) -> tuple[Transaction, ...]:
        """Return what is new in a snapshot."""
        new = [request for request in snapshot.recent if request.serial > self._latest]
        new.sort(key=lambda request: request.serial)
        if new:
            self._latest = new[-1].serial
        return tuple(new)
