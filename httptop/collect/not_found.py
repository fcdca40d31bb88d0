"""Which rows have only ever said that there is nothing: once a process has many, they are one row.

A scanner asks for thousands of paths that nobody serves. Each has a row while there are few of
them (``paths.max_not_found``). Beyond that the row ``~not found`` of their process and side counts
them all, and says how many paths they were; an endpoint that has any other outcome has a row of its
own again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from httptop.collect.forgetting import Owner

#: What a server answers for a path, or a method on it, that it does not serve.
NOT_FOUND_STATUSES: Final = frozenset({400, 404, 405})
#: So many paths are told apart, of all rows together.
_MOST_PATHS: Final = 32768


class NotFoundRows:
    """The rows whose outcomes so far are all of NOT_FOUND_STATUSES; for one thread alone."""

    def __init__(self) -> None:
        self._by_owner: dict[Owner, set[int]] = {}
        self._found: set[int] = set()  # rows with another outcome

    def note(self, row: int, owner: Owner, status: int) -> None:
        """Note an outcome of a row."""
        if row in self._found:
            return
        if status in NOT_FOUND_STATUSES:
            self._by_owner.setdefault(owner, set()).add(row)
        else:
            self.drop(row, owner)
            self._found.add(row)

    def has_other(self, row: int) -> bool:
        """Return whether a row has had another outcome."""
        return row in self._found

    def drop(self, row: int, owner: Owner) -> None:
        """Know nothing of a row any more."""
        self._found.discard(row)
        rows = self._by_owner.get(owner, set())
        rows.discard(row)
        if not rows:
            self._by_owner.pop(owner, None)

    def refit(self) -> None:
        """Have no more room than is used; see :meth:`EndpointCells.refit`."""
        self._by_owner = {owner: set(rows) for owner, rows in self._by_owner.items()}
        self._found = set(self._found)

    def by_owner(self) -> list[Collection[int]]:
        """Return the rows of each process and side that has some."""
        return list(self._by_owner.values())


class DistinctPaths:
    """Counts the paths that rows have taken in; for one thread alone."""

    def __init__(self) -> None:
        self._seen: dict[int, set[int]] = {}
        self._taken = 0
        #: By row: how many, and whether there was no room to tell more of them apart.
        self.counts: dict[int, tuple[int, bool]] = {}

    def add(self, row: int, paths: Iterable[str]) -> None:
        """Note paths that a row has taken in, by 64 bits each that no client can choose."""
        seen = self._seen.setdefault(row, set())
        before = len(seen)
        new = {hash(path) for path in paths} - seen
        room = _MOST_PATHS - self._taken
        more = self.counts.get(row, (0, False))[1] or len(new) > room
        seen.update(list(new)[:room])
        self._taken += len(seen) - before
        self.counts = {**self.counts, row: (len(seen), more)}

    def move(self, row: int, into: int) -> None:
        """Give a row another number."""
        if row in self._seen:
            self._seen[into] = self._seen.pop(row)
            self.counts = {into if at == row else at: count for at, count in self.counts.items()}

    def drop(self, row: int) -> None:
        """Know nothing of a row any more."""
        if row in self._seen:
            self._taken -= len(self._seen.pop(row))
            self.counts = {other: count for other, count in self.counts.items() if other != row}
