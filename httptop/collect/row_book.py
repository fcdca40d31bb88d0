"""What is known of each row beside its sums: its key, the cells of its statuses.

Rows have numbers (sums.py). What a table has got (row_table.py) does not change any more: the book
copies it before it changes anything.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Final

from httptop.collect.forgetting import Owner
from httptop.collect.not_found import DistinctPaths, NotFoundRows
from httptop.collect.row_names import RowNames
from httptop.collect.shown_rows import ShownRows
from httptop.collect.sums import FIRST_ROW, NOT_ANSWERED, ROW, Answered, RowFigures
from httptop.model import (
    NOT_FOUND_PATH,
    OVERFLOW_PATH,
    OWN_PATHS,
    STATUS_UNKNOWN,
    EndpointKey,
)

#: So many numbers may be free, and two for each that is used, before rows get lower ones.
_SPARE: Final = 1024
MOST_MOVED: Final = 64


class RowBook:
    """The rows of a run; for the collector's thread alone."""

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._keys: list[EndpointKey | None] = [None] * FIRST_ROW
        self._statuses: list[tuple[tuple[int, int], ...]] = [()] * FIRST_ROW
        self._apart: dict[int, dict[int, Answered]] = {}
        self._given: RowNames | None = None  # these lists, if a table has them
        self._numbers: dict[EndpointKey, int] = {}
        self._free: list[int] = []  # a heap
        #: The rows shown: all with requests, in the order in which they got them; others as long as
        #: they have requests in flight.
        self._with_requests: list[int] = []
        self._in_flight: list[int] = []
        self._without_requests: set[int] = set()
        self._shown: ShownRows | None = None
        #: The rows of each owner, and httptop's own, which are in none of these.
        self.by_owner: dict[Owner, set[int]] = {}
        self.own: set[int] = set()
        #: The rows of ``~other``, and those of ``~not found``.
        self.overflow: set[int] = set()
        self.not_found: set[int] = set()
        self.only_not_found = NotFoundRows()
        self._paths = DistinctPaths()

    @property
    def end(self) -> int:
        """The number behind the greatest one of a row."""
        return len(self._keys)

    def refit(self) -> None:
        """Have no more room than is used; see :meth:`EndpointCells.refit`."""
        self._numbers, self._apart = dict(self._numbers), dict(self._apart)
        self._without_requests = set(self._without_requests)
        self.by_owner = {owner: set(rows) for owner, rows in self.by_owner.items()}
        self.own, self.overflow = set(self.own), set(self.overflow)
        self.not_found = set(self.not_found)
        self.only_not_found.refit()

    @property
    def numbers(self) -> dict[EndpointKey, int]:
        """The rows' numbers by key, as they are now."""
        return dict(self._numbers)

    def number_of(self, key: EndpointKey) -> int | None:
        """Return the number of a key's row; None: it has none."""
        return self._numbers.get(key)

    def key_of(self, number: int) -> EndpointKey | None:
        """Return the key of a row; None: it has been merged into another."""
        return self._keys[number]

    # ---- rows come and go --------------------------------------------------------------------

    def make(self, key: EndpointKey) -> int | None:
        """Make a row for a key that has none; return its number, or None if there is no room."""
        self._own()
        if self._free:
            number = heapq.heappop(self._free)
        elif len(self._keys) < self._most_rows:
            number = len(self._keys)
            self._keys.append(None)
            self._statuses.append(())
        else:
            return None
        self._numbers[key] = number
        self._without_requests.add(number)
        self._have(number, key)
        return number

    def _have(self, number: int, key: EndpointKey) -> None:
        """Have a row be its owner's."""
        self._keys[number] = key
        if key.path in OWN_PATHS:
            self.own.add(number)
        else:
            self.by_owner.setdefault(_owner_of(key), set()).add(number)
        if key.path == OVERFLOW_PATH:
            self.overflow.add(number)
        if key.path == NOT_FOUND_PATH:
            self.not_found.add(number)

    def _disown(self, number: int) -> None:
        """Have a row be nobody's."""
        key = self._keys[number]
        assert key is not None
        if key.path in OWN_PATHS:
            self.own.discard(number)
            self.overflow.discard(number)
            self.not_found.discard(number)
            self._paths.drop(number)
            return
        owner = _owner_of(key)
        self.only_not_found.drop(number, owner)
        rows = self.by_owner[owner]
        rows.discard(number)
        if not rows:
            del self.by_owner[owner]

    def rename(self, number: int, key: EndpointKey) -> int:
        """Give a row another key; return its number, or that of the row that has the key already.

        That is to be merged with it. Call :meth:`look_again` after the last one.
        """
        old = self._keys[number]
        assert old is not None
        del self._numbers[old]
        known = self._numbers.setdefault(key, number)
        if known == number:
            self._own()
            self._keys[number] = key
        return known

    def merge(self, merged: Mapping[int, int]) -> None:
        """Give other rows what is known of some, which are free then."""
        self._own()
        statuses: dict[int, list[tuple[int, int]]] = {}
        for number, into in merged.items():
            statuses.setdefault(into, []).extend(self._statuses[number])
            for code, answered in self._apart.get(number, {}).items():
                self.add_apart(into, code, answered)
            if self.only_not_found.has_other(number):
                self.note_other_outcome(into)
        for into, cells in statuses.items():
            self._statuses[into] += tuple(cells)
            for code in {code for code, _ in cells}:
                self._note_outcome(into, code)
        self.forget(merged)

    def forget(self, numbers: Iterable[int]) -> None:
        """Forget rows that were merged, which are free then."""
        gone = set(numbers)
        self._own()
        for number in gone:
            self._disown(number)
            key = self._keys[number]
            assert key is not None
            if self._numbers.get(key) == number:  # a row that was renamed may have it now
                del self._numbers[key]
            self._apart.pop(number, None)
            self._keys[number], self._statuses[number] = None, ()
        self._give_back(gone)
        self._with_requests = [number for number in self._with_requests if number not in gone]
        self._without_requests -= gone
        self._shown = None

    def _give_back(self, numbers: Iterable[int]) -> None:
        """Have numbers be free; those at the end are gone."""
        self._free += numbers
        while len(self._keys) > FIRST_ROW and self._keys[-1] is None:
            self._keys.pop()
            self._statuses.pop()
        self._free = [number for number in self._free if number < len(self._keys)]
        heapq.heapify(self._free)

    def scattered(self) -> dict[int, int]:
        """Return rows that had better have lower numbers, each with one, which is no longer free.

        All numbers up to the greatest cost memory, and work in each tick. They are at most
        MOST_MOVED, and none while a fair part of the numbers is used.
        """
        moves: dict[int, int] = {}
        if len(self._free) < _SPARE + 2 * len(self._numbers):
            return moves
        for number in range(len(self._keys) - 1, FIRST_ROW, -1):
            if number < self._free[0] or len(moves) == MOST_MOVED:
                break
            if self._keys[number] is not None:
                moves[number] = heapq.heappop(self._free)
        return moves

    def renumber(self, moves: Mapping[int, int]) -> None:
        """Give rows other numbers, which :meth:`scattered` has returned."""
        self._own()
        for number, into in moves.items():
            key = self._keys[number]
            assert key is not None
            found = self.only_not_found.has_other(number)
            self._paths.move(number, into)
            self._disown(number)
            self._statuses[into] = self._statuses[number]
            if number in self._apart:
                self._apart[into] = self._apart.pop(number)
            self._keys[number], self._statuses[number] = None, ()
            self._numbers[key] = into
            self._have(into, key)
            if found:
                self.note_other_outcome(into)
            for code in (*(code for code, _ in self._statuses[into]), *self._apart.get(into, ())):
                self._note_outcome(into, code)
        self._give_back(moves)
        self.look_again()

    def apart(self, number: int) -> dict[int, Answered]:
        """Return the responses of a row that none of its cells has, by code."""
        return dict(self._apart.get(number, {}))

    def look_again(self) -> None:
        """Find out anew which rows are shown."""
        self._with_requests = []
        self._without_requests = set(self._numbers.values())
        self._shown = None

    # ---- what is known of them ---------------------------------------------------------------

    def add_status(self, number: int, code: int, cell: int) -> None:
        """Note that a cell counts the row's responses of a status."""
        self._own()
        self._statuses[number] += ((code, cell),)
        self._note_outcome(number, code)

    def drop_cells(self, number: int, cells: Iterable[int]) -> None:
        """Note that cells do not count responses of the row any more."""
        gone = set(cells)
        self._own()
        kept = (pair for pair in self._statuses[number] if pair[1] not in gone)
        self._statuses[number] = tuple(kept)

    def add_apart(self, number: int, code: int, answered: Answered) -> None:
        """Add responses of a row that are in no cell of its own; those of others, if negative."""
        self._own()
        apart = self._apart.setdefault(number, {})
        apart[code] = apart.get(code, NOT_ANSWERED).plus(answered)
        self._note_outcome(number, code)

    def note_other_outcome(self, number: int) -> None:
        """Note that a row has had an outcome of which only that is known."""
        self._note_outcome(number, STATUS_UNKNOWN)

    def note_paths(self, number: int, rows: Iterable[int]) -> None:
        """Note the paths of rows that are about to be merged into one of ``~not found``."""
        keys = (self._keys[row] for row in rows)
        self._paths.add(number, (key.path for key in keys if key is not None))

    def _note_outcome(self, number: int, code: int) -> None:
        key = self._keys[number]
        if key is not None and key.path not in OWN_PATHS:
            self.only_not_found.note(number, _owner_of(key), code)

    def _own(self) -> None:
        """Copy what a table has."""
        if self._given is not None:
            self._keys, self._statuses = list(self._keys), list(self._statuses)
            self._apart = {number: dict(by_code) for number, by_code in self._apart.items()}
            self._given = None

    # ---- for a table -------------------------------------------------------------------------

    def names(self) -> RowNames:
        """Return what is known, as it is now."""
        if self._given is None:
            paths = self._paths.counts
            self._given = RowNames(self._keys, self._statuses, self._apart, paths)
        return self._given

    def shown(self, rows: bytes) -> ShownRows:
        """Return the rows that are shown by their sums."""
        with_requests, in_flight = [], []
        for number in sorted(self._without_requests):
            row = RowFigures.of(rows, number)
            if row.requests or row.response_bytes:  # the rest of a response may be elsewhere
                with_requests.append(number)
            elif row.open > 0:
                in_flight.append(number)
        if with_requests or in_flight != self._in_flight or self._shown is None:
            self._without_requests.difference_update(with_requests)
            self._with_requests += with_requests
            self._in_flight = in_flight
            numbers = (*self._with_requests, *in_flight)
            self._shown = ShownRows(numbers, self._keys, self._shown)
        return self._shown

    def overflow_requests(self, rows: bytes) -> int:
        """Return the requests counted under ``~other``, by the sums of rows."""
        return sum(int(ROW.unpack_from(rows, number * ROW.size)[0]) for number in self.overflow)


def _owner_of(key: EndpointKey) -> Owner:
    return Owner(key.side, key.process, key.user)
