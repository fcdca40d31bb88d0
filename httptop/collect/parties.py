"""The parties to requests: for each row, whose they are, and where they come from or go to.

A source counts for parties: (endpoint's cell, process, peer). It has room for so many; what has no
party, or had one whose number was given back, is the rest of its row: what the row has counted and
none of its parties has. So the sums are the row's, whatever is forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Final, Literal, Protocol, TypeVar

from httptop.collect.forgetting import FULL, ROOMY, level
from httptop.collect.party_division import Division, RowColumns
from httptop.collect.party_figures import (
    AllFigures,
    FiguresAgo,
    Party,
    PartyColumns,
    PartyFigures,
    RowHad,
    cut,
    less,
)
from httptop.collect.sums import Slots
from httptop.model import MOST_PIDS, OTHER_PEERS, OTHER_PIDS, PartyStats
from httptop.view.parts import Divided, Part

#: Entries that a row shows, at most; the last one has what the others lack.
MOST_SHOWN: Final = 16
#: Ticks for which a party that has counted keeps its number, however tight the room is.
_LATELY: Final = 2

_Name = TypeVar("_Name", int, str)
#: The figures of parties, by number.
_Found = Sequence[tuple[int, PartyFigures]]


class PartySource(Protocol):
    """Who has which number, and what they count; for the collector's thread alone."""

    @property
    def most(self) -> int:
        """The number of parties that there is room for."""

    def new(self) -> Mapping[int, Party]:
        """Return the parties that have got a number since the last call, once a tick."""

    def figures(self) -> AllFigures:
        """Return what all have had."""

    def give_back(self, numbers: Collection[int]) -> None:
        """Have these parties count no more; their numbers are others' from the next tick on."""


class Split(Mapping[_Name, PartyStats]):
    """What each has of a row, found out when somebody looks: of many rows few are looked at."""

    def __init__(self, find: Callable[[], dict[_Name, PartyStats]]) -> None:
        self._find: Callable[[], dict[_Name, PartyStats]] = find
        self._found: dict[_Name, PartyStats] | None = None

    def all(self) -> dict[_Name, PartyStats]:
        """Return all of it; not to be changed."""
        if self._found is None:
            self._found = self._find()
        return self._found

    def __getitem__(self, name: _Name) -> PartyStats:
        """Return what one has."""
        return self.all()[name]

    def __iter__(self) -> Iterator[_Name]:
        """Yield the names, the most active first."""
        return iter(self.all())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.all())


class PartyTable:
    """The parties of a moment, by row; nothing of it changes."""

    def __init__(
        self,
        rows: Mapping[int, Sequence[int]],
        parties: Mapping[int, Party],
        figures: AllFigures,
        before: AllFigures,
        *,
        split: bool = True,
        ago: FiguresAgo | None = None,
    ) -> None:
        """``rows``: the numbers of each row's parties; ``before``: what they had a tick ago.

        ``split``: whether rows count the same requests as their parties. ``ago``: what parties had
        had when the window began; None: that is not known.
        """
        self.split, self._ago = split, ago
        #: Whether it is known what parties had in the window.
        self.has_window = split and ago is not None
        self._rows, self._parties = rows, parties
        self._figures, self._before = figures, before
        #: A row with its requests and errors, and the figures of its parties: asked for twice.
        self._latest: tuple[tuple[int, int, int], _Found] | None = None

    @cached_property
    def _whole_ago(self) -> FiguresAgo | None:
        return None if self._ago is None else self._ago.whole()

    def pids(self, row: int) -> tuple[int, ...]:
        """Return the processes of a row, ascending; at most MOST_PIDS."""
        found = {self._parties[number].pid for number in self._rows.get(row, ())}
        return tuple(sorted(found - {0})[:MOST_PIDS])

    def peers(self, row: int) -> set[str]:
        """Return the peers of a row, be they few or many; none where they are not told apart."""
        if not self.split:
            return set()
        return {self._parties[number].peer for number in self._rows.get(row, ())} - {OTHER_PEERS}

    def by_pid(self, row: int, requests: int, errors: int) -> Split[int]:
        """Return what each process has of a row's requests and errors; see EndpointStats."""
        return Split(lambda: self._split((row, requests, errors), itemgetter(1), OTHER_PIDS))

    def by_peer(self, row: int, requests: int, errors: int) -> Split[str]:
        """Return what each peer has of a row's requests and errors; see EndpointStats."""
        return Split(lambda: self._split((row, requests, errors), itemgetter(2), OTHER_PEERS))

    def window_by_pid(self, row: int, total: RowHad, window: RowHad) -> dict[int, PartyStats]:
        """Return what each process has of a row's requests and errors in the window.

        ``total``: what the row has had since start.
        """
        return self._sum(self._in_window(row, total, window), window, itemgetter(1), OTHER_PIDS)

    def window_by_peer(self, row: int, total: RowHad, window: RowHad) -> dict[str, PartyStats]:
        """Return what each peer has of a row's requests and errors in the window."""
        return self._sum(self._in_window(row, total, window), window, itemgetter(2), OTHER_PEERS)

    def _split(
        self, of_row: tuple[int, int, int], name_of: Callable[[Party], _Name], rest: _Name
    ) -> dict[_Name, PartyStats]:
        latest = self._latest
        if latest is None or latest[0] != of_row:
            row, *had = of_row
            latest = self._latest = of_row, self._now(row, RowHad(*had))
        return self._sum(latest[1], RowHad(*of_row[1:]), name_of, rest)

    def _sum(
        self, found: _Found, had: RowHad, name_of: Callable[[Party], _Name], rest: _Name
    ) -> dict[_Name, PartyStats]:
        """Return what parties have of their row, by what they are called."""
        sums: dict[_Name, list[int]] = {}
        for number, now in found:
            known = sums.setdefault(name_of(self._parties[number]), [0] * 5)
            for at in range(4):
                known[at] += now[at]
            known[4] = max(known[4], now[4])
        requests, errors = had
        sums.pop(rest, None)
        most = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
        whole = len(most) <= MOST_SHOWN and sum(some[0] for _, some in most) == requests
        shown = {name: _stats(*some) for name, some in most[: MOST_SHOWN - (not whole)] if some[0]}
        requests -= sum(stats.requests for stats in shown.values())
        errors -= sum(stats.errors for stats in shown.values())
        if requests > 0 or errors > 0:
            shown[rest] = PartyStats(requests, errors)
        return shown

    def _now(self, row: int, had: RowHad) -> _Found:
        """Return the figures of a row's parties, which are not more than the row's."""
        numbers = self._rows.get(row, ())
        found = [(number, self._figures.of(number)) for number in numbers]
        return cut(had, found, self._figures, self._before)

    def _in_window(self, row: int, total: RowHad, window: RowHad) -> _Found:
        """Return what a row's parties have had in the window."""
        ago = self._whole_ago
        assert ago is not None
        before = RowHad(total.requests - window.requests, total.errors - window.errors)
        now = self._now(row, total)
        then = ago.in_time(before, [(number, self._parties[number]) for number, _ in now])
        found = [(number, less(more, had)) for (number, more), had in zip(now, then, strict=True)]
        # What has no party may have hidden that these were ahead of their row.
        return cut(window, found, self._figures, self._before)

    def divide(
        self, by: Literal["pid", "peer"], rows: RowColumns, indices: Iterable[int], *, window: bool
    ) -> Divided:
        """Return what each process or peer has of rows, in the window if that is known."""
        ago = self._whole_ago if window else None
        rest = OTHER_PIDS if by == "pid" else OTHER_PEERS
        if not self.split:
            parts: dict[Any, Part] = {rest: Part()}
            for at in indices:
                had = rows.window(at) if window else rows.total(at)
                if had.requests:
                    parts[rest].add(rows.numbers[at], rows.keys[at].process, *had)
            return Divided(parts, since_start=not window)

        def exactly(at: int) -> _Found:
            if ago is None:
                return self._now(rows.numbers[at], rows.total(at))
            return self._in_window(rows.numbers[at], rows.total(at), rows.window(at))

        ids = {number: party[1 if by == "pid" else 2] for number, party in self._parties.items()}
        division = Division(self._parties, self._figures, ago)
        none: Sequence[int] = ()
        found = division.parts(
            rows, indices, lambda row: self._rows.get(row, none), ids, rest, exactly
        )
        return Divided(found, since_start=ago is None)


def _stats(requests: int, errors: int, answered: int, sum_ns: int, max_ns: int) -> PartyStats:
    mean_ns = sum_ns / answered if answered else 0.0
    return PartyStats(requests, errors, answered, mean_ns, float(max_ns))


class _NoFigures:
    """Those of a moment of which none are kept."""

    def of(self, number: int) -> PartyFigures:
        raise KeyError(number)

    def columns(self, end: int) -> PartyColumns:
        raise KeyError(end)

    def packed(self) -> None:
        return None

    def whole(self) -> _NoFigures:
        return self

    def changed(self, before: AllFigures, numbers: Iterable[int]) -> list[int]:  # noqa: ARG002
        return []


#: Of rows whose parties are not known.
NO_PARTIES: Final = PartyTable({}, {}, _NoFigures(), _NoFigures(), split=False)


class PartyBook:
    """Which parties each row has; for the collector's thread alone."""

    def __init__(self, source: PartySource) -> None:
        self._source = source
        self._parties: dict[int, Party] = {}
        self._rows: dict[int, tuple[int, ...]] = {}
        self._row_of: dict[int, int | None] = {}
        self._of_cell: dict[int, set[int]] = {}
        #: Those of cells of which it is not known yet what they are for.
        self._unplaced: dict[int, Party] = {}
        self._figures = self._before = source.figures()
        self._active: dict[int, int] = {}  # the last tick in which a party has counted
        self._compared = self._figures
        #: What parties had had when each slot began that the window may begin with.
        self._ago: dict[int, FiguresAgo] = {}
        self._first = self._slot = 0
        self._given = False  # whether a table has these dictionaries

    def begin_slot(self, slots: Slots) -> None:
        """Note what parties had had before the last slot of the window, which has these now."""
        starts = set(slots.starts)
        ago = {slot: had for slot, had in self._ago.items() if slot in starts}
        if slots.last not in ago:
            figures, before = self._figures.packed(), self._before.packed()
            if figures is not None and before is not None:
                ago[slots.last] = FiguresAgo(slots.last, figures, before)
        self._ago, self._first, self._slot = ago, slots.first, slots.last

    def take(self, row_of: Callable[[int], int | None]) -> None:
        """Note new parties, and what all have had.

        ``row_of`` returns the row of a cell, None if it is in none, and raises KeyError if that is
        not known yet.
        """
        found = {**self._unplaced, **self._source.new()}
        self._unplaced = {}
        more: dict[int, list[int]] = {}
        if found:
            self._own()
        for number, party in found.items():
            self._of_cell.setdefault(party.endpoint, set()).add(number)
            try:
                row = row_of(party.endpoint)
            except KeyError:
                self._unplaced[number] = party
                continue
            self._parties[number] = party._replace(since=self._slot)
            self._row_of[number] = row
            if row is not None:
                more.setdefault(row, []).append(number)
        for row, numbers in more.items():
            self._rows[row] = (*self._rows.get(row, ()), *numbers)
        self._before, self._figures = self._figures, self._source.figures()

    def move(self, merged: Mapping[int, int]) -> None:
        """Have all parties of rows be those of others."""
        more: dict[int, list[int]] = {}
        for row in self._rows.keys() & merged.keys():
            more.setdefault(merged[row], []).extend(self._rows[row])
        if not more:
            return
        self._own()
        for row in merged:
            self._rows.pop(row, None)
        for into, numbers in more.items():
            self._rows[into] = (*self._rows.get(into, ()), *numbers)
            self._row_of.update(dict.fromkeys(numbers, into))

    def end(self, cells: Iterable[int]) -> None:
        """Give back the numbers of all parties of some cells."""
        self._end([n for cell in self._of_cell.keys() & cells for n in self._of_cell[cell]])

    def make_room(self, tick: int, user_of: Callable[[int], str]) -> None:
        """Where room is short, give back numbers of the parties that are idle longest.

        First of those users that have most; ``user_of`` returns that of a cell.
        """
        full = len(self._parties) / self._source.most
        if full <= FULL / 2:
            self._active.clear()
            self._compared = self._figures
            return
        for number in self._figures.changed(self._compared, self._parties):
            self._active[number] = tick
        self._compared = self._figures
        if full <= FULL:
            return
        users: dict[str, list[int]] = {}
        for number, party in self._parties.items():
            users.setdefault(user_of(party.endpoint), []).append(number)
        wanted = math.ceil(len(self._parties) * (1 - ROOMY / full))
        most = level([len(some) for some in users.values()], wanted)
        gone: list[int] = []
        for some in users.values():
            spare = [n for n in some if self._active.get(n, 0) <= tick - _LATELY]
            spare.sort(key=lambda number: self._active.get(number, 0))
            gone += spare[: max(0, len(some) - most)]
        self._end(gone)

    def table(self, *, split: bool) -> PartyTable:
        """Return the parties as they are now; ``split`` as in PartyTable."""
        self._given = True
        return PartyTable(
            self._rows, self._parties, self._figures, self._before, split=split,
            ago=self._ago.get(self._first),
        )  # fmt: skip

    def _end(self, numbers: Collection[int]) -> None:
        if not numbers:
            return
        self._own()
        rows: dict[int, set[int]] = {}
        for number in numbers:
            party = self._unplaced.pop(number, None) or self._parties.pop(number)
            row = self._row_of.pop(number, None)
            if row is not None:
                rows.setdefault(row, set()).add(number)
            self._active.pop(number, None)
            others = self._of_cell[party.endpoint]
            others.discard(number)
            if not others:
                del self._of_cell[party.endpoint]
        for row, gone in rows.items():
            kept = tuple(number for number in self._rows[row] if number not in gone)
            if kept:
                self._rows[row] = kept
            else:
                del self._rows[row]
        self._source.give_back(numbers)

    def refit(self) -> None:
        """Have no more room than is used; see :meth:`EndpointCells.refit`."""
        self._rows, self._parties = dict(self._rows), dict(self._parties)
        self._given = False
        self._row_of, self._active = dict(self._row_of), dict(self._active)
        self._of_cell = {cell: set(numbers) for cell, numbers in self._of_cell.items()}

    def _own(self) -> None:
        """Copy what a table has."""
        if self._given:
            self._rows, self._parties = dict(self._rows), dict(self._parties)
            self._given = False
