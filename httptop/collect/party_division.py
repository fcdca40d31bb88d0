"""What all rows together have of each process or peer, out of columns of figures.

With thousands of rows the figures of a row's parties are not looked at one by one, but where they
are more than the row's (party_figures.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import sub
from typing import Any, NamedTuple

from httptop.collect.party_figures import (
    AllFigures,
    FiguresAgo,
    Party,
    PartyColumns,
    PartyFigures,
    RowHad,
)
from httptop.model import EndpointKey
from httptop.view.parts import Part


class RowColumns(NamedTuple):
    """What rows have had, each as a list by their indices."""

    numbers: Sequence[int]
    keys: Sequence[EndpointKey]
    requests: Sequence[float]  # since start, like the errors
    errors: Sequence[float]
    window_requests: Sequence[float]
    window_errors: Sequence[float]

    def total(self, at: int) -> RowHad:
        """Return what a row has had since start."""
        return RowHad(int(self.requests[at]), int(self.errors[at]))

    def window(self, at: int) -> RowHad:
        """Return what a row has had in the window."""
        return RowHad(int(self.window_requests[at]), int(self.window_errors[at]))


class Division:
    """Divides the requests of rows, those in the window or those since start."""

    def __init__(
        self, parties: Mapping[int, Party], figures: AllFigures, ago: FiguresAgo | None
    ) -> None:
        """``ago``: what parties had had when the window began; None: since start."""
        end = max(parties, default=-1) + 1
        self._now = figures.columns(end)
        self._then: PartyColumns | None = None
        self._had = self._now
        if ago is not None:
            then = [list(column) for column in ago.figures.columns(end)]
            for number, party in parties.items():
                if party.since >= ago.slot:
                    for column in then:
                        column[number] = 0
            self._then = PartyColumns(*then)
            self._had = PartyColumns(*map(_minus, self._now, self._then))

    def parts(
        self,
        rows: RowColumns,
        indices: Iterable[int],
        numbers_of: Callable[[int], Sequence[int]],
        id_of: Mapping[int, Any],
        rest: Any,
        exactly: Callable[[int], Iterable[tuple[int, PartyFigures]]],
    ) -> dict[Any, Part]:
        """Return what each has.

        ``numbers_of`` returns the parties of a row, ``id_of`` says by what each is told, ``rest``
        has what no party has. ``exactly`` returns the figures of the parties of a row, by index.
        """
        parts: dict[Any, Part] = {}
        requests, errors, answered, spent_ns, max_ns = self._had
        window = self._then is not None
        totals = (rows.window_requests, rows.window_errors) if window else rows[2:4]
        for at in indices:
            left, failed = int(totals[0][at]), int(totals[1][at])
            if not left:
                continue
            row, process = rows.numbers[at], rows.keys[at].process
            numbers = numbers_of(row)
            found = dict(exactly(at)) if self._is_more(numbers, rows, at) else None
            for number in numbers:
                had, wrong = requests[number], errors[number]
                if found is not None:
                    had, wrong, *_ = found[number]
                if not had:
                    continue
                id = id_of[number]
                part = parts.get(id)
                if part is None:
                    part = parts[id] = Part()
                longest = 0 if window else max_ns[number]
                part.add(row, process, had, wrong, answered[number], spent_ns[number], longest)
                left -= had
                failed -= wrong
            if left > 0 or failed > 0:
                parts.setdefault(rest, Part()).add(row, process, left, failed)
        return parts

    def _is_more(self, numbers: Sequence[int], rows: RowColumns, at: int) -> bool:
        """Return whether a row's parties have more than the row, or had when the window began."""
        requests, failed = rows.requests[at], rows.errors[at]
        if _sum(self._now.requests, numbers) > requests:
            return True
        if _sum(self._now.errors, numbers) > failed:
            return True
        if self._then is None:
            return False
        of_window, failed_in_window = rows.window_requests[at], rows.window_errors[at]
        if _sum(self._then.requests, numbers) > requests - of_window:
            return True
        if _sum(self._then.errors, numbers) > failed - failed_in_window:
            return True
        if _sum(self._had.requests, numbers) > of_window:
            return True
        return _sum(self._had.errors, numbers) > failed_in_window


def _sum(column: Sequence[int], numbers: Sequence[int]) -> int:
    return column[numbers[0]] if len(numbers) == 1 else sum([column[n] for n in numbers])


def _minus(now: Sequence[int], then: Sequence[int]) -> list[int]:
    return list(map(sub, now, then))
