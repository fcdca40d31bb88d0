"""Rows of a snapshot that are made when somebody looks at them, and what asks their keys alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import overload

from httptop.filters.row_facts import FactsOf, RowFacts
from httptop.model import (
    NOT_FOUND_PATH,
    EndpointKey,
    EndpointStats,
    Side,
)
from httptop.view.by_status import ByStatus, StatusPart, counts_by_status, part_of
from httptop.view.parts import Divided, PartedBy, divided


class RowsOnDemand(Sequence[EndpointStats]):
    """Rows that are made when somebody looks at them: with thousands, few are ever looked at.

    Immutable like a tuple of rows, and equal to one of the same rows. Their keys, and the values of
    one figure, can be had without any row.
    """

    @property
    @abstractmethod
    def keys(self) -> Sequence[EndpointKey]:
        """The key of each row."""

    @abstractmethod
    def by_name(self, side: Side) -> Sequence[int]:
        """Return the indices of a side's rows, in the order of path, method and process."""

    @abstractmethod
    def values(self, figure: str) -> Sequence[float] | None:
        """Return a figure of each row, by its name in view.sorts.SORTS; None: not without rows."""

    @abstractmethod
    def index_of(self, key: EndpointKey) -> int | None:
        """Return the index of the row with a key; None: there is none."""

    @abstractmethod
    def row(self, index: int) -> EndpointStats:
        """Return a row; ``index`` is not negative."""

    @abstractmethod
    def passing(self, index: int) -> EndpointStats:
        """Return the same without keeping it, for those who look at each row once."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """About the memory that they take, besides what they share with those of other moments."""

    @abstractmethod
    def packed(self) -> RowsOnDemand:
        """Return the same in less memory, to be kept; whose they were is not known of these."""

    def facts(self, index: int, *, since_start: bool = False) -> RowFacts:
        """Return what filters ask of a row; ``since_start``: its p99 is that since start."""
        row = self.passing(index)
        return FactsOf(replace(row, latency=row.latency_total) if since_start else row)

    def by_status(self, index: int) -> ByStatus:
        """Return the counts of a row by status."""
        return counts_by_status(self.passing(index))

    def window_parts(self, of: Mapping[int, Collection[int]]) -> list[StatusPart]:
        """Return what requests of some statuses have of rows in the window, of rows by index.

        It has to be known how many requests each status has there.
        """
        found = []
        for index, codes in of.items():
            row = self.passing(index)
            found.append(part_of(row.window_status or {}, codes, row.window_errors or 0))
        return found

    def divided(self, by: PartedBy, indices: Iterable[int], *, window: bool) -> Divided:
        """Return what each process, peer or status has of rows; see parts.divided."""
        return divided(map(self.passing, indices), by, window=window)

    def containers(self, indices: Iterable[int]) -> Iterator[tuple[str, ...]]:
        """Yield the containers of rows."""
        return (self.passing(index).containers for index in indices)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.keys)

    @overload
    def __getitem__(self, index: int) -> EndpointStats: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[EndpointStats, ...]: ...
    def __getitem__(self, index: int | slice) -> EndpointStats | tuple[EndpointStats, ...]:
        """Return a row, or some."""
        if isinstance(index, slice):
            return tuple(self.row(at) for at in range(len(self))[index])
        return self.row(range(len(self))[index])

    def __iter__(self) -> Iterator[EndpointStats]:
        """Make all rows, one by one."""
        return map(self.row, range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Return whether another sequence has the same rows in the same order."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


def keys_of(rows: Sequence[EndpointStats]) -> Sequence[EndpointKey]:
    """Return the key of each row, of rows on demand without making them."""
    return rows.keys if isinstance(rows, RowsOnDemand) else [row.key for row in rows]


def row_of(rows: Sequence[EndpointStats], key: EndpointKey) -> EndpointStats | None:
    """Return the row of an endpoint, None if it has none."""
    if isinstance(rows, RowsOnDemand):
        index = rows.index_of(key)
        return None if index is None else rows.row(index)
    return next((row for row in rows if row.key == key), None)


def rows_where(
    rows: Sequence[EndpointStats], wanted: Callable[[EndpointKey], bool]
) -> list[EndpointStats]:
    """Return the rows whose keys are wanted, in their order; no other row on demand is made."""
    return [rows[at] for at, key in enumerate(keys_of(rows)) if wanted(key)]


def longest_path(keys: Iterable[EndpointKey]) -> int:
    """Return how many cells the longest path takes, or a few more than that."""
    paths = {key.path for key in keys}
    longest = max((len(path) if path.isascii() else 2 * len(path) for path in paths), default=0)
    # How many paths it stands for is shown behind it.
    return max(longest, len(f"{NOT_FOUND_PATH} (32,768+)")) if NOT_FOUND_PATH in paths else longest


def told_apart_by(keys: Sequence[EndpointKey]) -> tuple[str, ...]:
    """Return what else has to be shown of one side's rows: "host", "user", "port", or nothing.

    The host, in a fleet; the user, where several run processes of one name; the port, where rows
    look alike without it.
    """
    if keys and keys[0].host:  # of whose processes neither is known
        return ("host",)
    names = {key.process for key in keys}
    users = {(key.process, key.user) for key in keys}
    needed = ("user",) if len(users) > len(names) else ()
    if len({(key.process, key.port) for key in keys}) == len(names):
        return needed
    alike = {(key.process, key.user, key.protocol, key.tls, key.method, key.path) for key in keys}
    return (*needed, "port") if len(alike) < len(keys) else needed
