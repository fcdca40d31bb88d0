"""Gather what a report needs of snapshots, one by one, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from httptop.model import Snapshot, Transaction
from httptop.report.timeline import Stretch, Timeline
from httptop.view.kept_requests import KeptRequests

#: The most sampled requests of a report: of each endpoint the slowest and the failed stay longest.
MOST_REQUESTS: Final = 2000
#: The most characters of a header section; a run keeps fewer, a capture may hold more.
MOST_OF_HEAD: Final = 8192
_MOST_NOTES: Final = 100


@dataclass(frozen=True, slots=True)
class Report:
    """What is told of a run."""

    last: Snapshot  # with the counters of the whole run
    stretches: tuple[Stretch, ...]
    requests: tuple[Transaction, ...]  # sampled ones, the newest first, as many as are kept
    sampled: int  # how many sampled requests were seen
    notes: tuple[str, ...]  # of all snapshots, each once
    scope: tuple[str, ...] = ()  # what limits the report, as filters

    @property
    def began_at(self) -> float:
        """Unix time of the start of the run."""
        return self.last.taken_at - self.last.uptime_s

    @property
    def left_out(self) -> int:
        """How many sampled requests were not kept."""
        return self.sampled - len(self.requests)


class Gathering:
    """Keeps what a report needs of the snapshots of a run, given in their order, but rows."""

    def __init__(self, scope: tuple[str, ...] = ()) -> None:
        """``scope``: what limits the snapshots, as filters."""
        self._scope = scope
        self._timeline = Timeline()
        self._requests = KeptRequests(MOST_REQUESTS, kept_s=math.inf)
        self._at = 0.0
        self._notes: dict[str, None] = {}

    def see(self, snapshot: Snapshot) -> None:
        """Take a snapshot."""
        self._timeline.see(snapshot)
        # Should the clock be set back, what was before stays.
        self._at = max(self._at, snapshot.taken_at)
        recent = tuple(map(_limited, snapshot.recent))
        self._requests.note(replace(snapshot, taken_at=self._at, recent=recent))
        for note in snapshot.notes:
            if len(self._notes) < _MOST_NOTES:
                self._notes[note] = None

    def note(self, sentence: str) -> None:
        """Add what is to be known of the report itself."""
        self._notes[sentence] = None

    def report(self, last: Snapshot, redact: Callable[[Snapshot], Snapshot]) -> Report:
        """Return the report of the snapshots so far.

        ``last`` is the last one of these, with all its rows; ``redact`` masks what sampled requests
        tell.
        """
        kept = replace(last, recent=tuple(self._requests.newest()))
        return Report(
            last=replace(last, recent=()),
            stretches=self._timeline.stretches,
            requests=redact(kept).recent,
            sampled=self._requests.seen,
            notes=tuple(self._notes),
            scope=self._scope,
        )


def _limited(request: Transaction) -> Transaction:
    """Return a request with header sections of a limited length."""
    heads = (request.request_head, request.response_head)
    if all(sum(map(len, head)) <= MOST_OF_HEAD for head in heads):
        return request
    sent, received = map(_start_of, heads)
    return replace(request, request_head=sent, response_head=received)


def _start_of(head: tuple[str, ...]) -> tuple[str, ...]:
    left, kept = MOST_OF_HEAD, []
    for line in head:
        left -= len(line)
        if left < 0:
            break
        kept.append(line)
    return tuple(kept)
