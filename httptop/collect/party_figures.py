"""What parties have had: at a moment, and in the time since another one.

Figures of parties are read a moment after those of rows. What a row's parties have more than the
row by then is left out; each is still one that the party has had since the tick before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol


class Party(NamedTuple):
    """Who has a number."""

    endpoint: int  # its cell
    pid: int  # 0: a process that has no id here
    peer: str  # an address without a port, or "unix"
    since: int = 0  # the slot of time (sums.py) in which it was seen first


class PartyFigures(NamedTuple):
    """What a party has had so far, or in some time."""

    requests: int  # that are over
    errors: int  # with a status of 400 or more, or unanswered
    answered: int
    latency_sum_ns: int
    latency_max_ns: int  # so far; of some time it is not known: 0


NO_FIGURES: Final = PartyFigures(0, 0, 0, 0, 0)


class PartyColumns(NamedTuple):
    """The figures of all parties, each as a list by their numbers."""

    requests: Sequence[int]
    errors: Sequence[int]
    answered: Sequence[int]
    latency_sum_ns: Sequence[int]
    latency_max_ns: Sequence[int]


class AllFigures(Protocol):
    """What all parties have had at one moment; immutable."""

    def of(self, number: int) -> PartyFigures:
        """Return the figures of a party; nothing, if it was not there yet."""

    def columns(self, end: int) -> PartyColumns:
        """Return those of all parties with numbers below ``end``."""

    def changed(self, before: AllFigures, numbers: Iterable[int]) -> list[int]:
        """Return those of some parties that have had something since ``before``."""

    def packed(self) -> AllFigures | None:
        """Return the same in less memory, to be kept; None: there are too many."""

    def whole(self) -> AllFigures:
        """Return the same unpacked, to be looked at more than once."""


class FiguresAgo(NamedTuple):
    """What parties had had when a slot of time began."""

    slot: int
    figures: AllFigures
    before: AllFigures  # a tick earlier

    def whole(self) -> FiguresAgo:
        """Return the same unpacked."""
        return FiguresAgo(self.slot, self.figures.whole(), self.before.whole())

    def in_time(self, had: RowHad, parties: Sequence[tuple[int, Party]]) -> list[PartyFigures]:
        """Return what a row's parties had had, of whom some may have come since."""
        old = [number for number, party in parties if party.since < self.slot]
        found = [(number, self.figures.of(number)) for number in old]
        then = dict(cut(had, found, self.figures, self.before))
        return [then.get(number, NO_FIGURES) for number, _ in parties]


class RowHad(NamedTuple):
    """What a row has had."""

    requests: int
    errors: int


def cut(
    had: RowHad, found: Sequence[tuple[int, PartyFigures]], now: AllFigures, before: AllFigures
) -> list[tuple[int, PartyFigures]]:
    """Return the figures of a row's parties, by number, so that they are not more than the row's.

    Nothing is left out but what a party has had between ``before`` and ``now``, a tick.
    """
    more = sum(one.requests for _, one in found) - had.requests
    failed = sum(one.errors for _, one in found) - had.errors
    if more <= 0 and failed <= 0:
        return list(found)
    rest = []
    for number, one in found:
        latest, earlier = now.of(number), before.of(number)
        less = max(0, min(more, one.requests, latest.requests - earlier.requests))
        fewer = max(0, min(failed, one.errors, latest.errors - earlier.errors))
        more, failed = more - less, failed - fewer
        kept = one._replace(requests=one.requests - less, errors=one.errors - fewer)
        rest.append((number, kept))
    return rest


def less(now: PartyFigures, then: PartyFigures) -> PartyFigures:
    """Return what a party has had since a time when it had had ``then``."""
    return PartyFigures(
        max(0, now.requests - then.requests),
        max(0, now.errors - then.errors),
        max(0, now.answered - then.answered),
        max(0, now.latency_sum_ns - then.latency_sum_ns),
        0,
    )
