"""The rows that a view shows, where rows are made on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from httptop.model import EndpointKey, EndpointStats
from httptop.view.parts import Divided, PartedBy
from httptop.view.rows import RowsOnDemand


class PickedRows(Sequence[EndpointStats]):
    """Some of the rows that are made on demand, in an order of their own."""

    def __init__(self, rows: RowsOnDemand, indices: Sequence[int]) -> None:
        self._rows, self._indices = rows, indices

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self._indices)

    @overload
    def __getitem__(self, at: int) -> EndpointStats: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[EndpointStats, ...]: ...
    def __getitem__(self, at: int | slice) -> EndpointStats | tuple[EndpointStats, ...]:
        """Return a row, or some."""
        if isinstance(at, slice):
            return tuple(map(self._rows.row, self._indices[at]))
        return self._rows.row(self._indices[at])

    @property
    def keys(self) -> list[EndpointKey]:
        """The key of each row."""
        keys = self._rows.keys
        return [keys[index] for index in self._indices]

    def divided(self, by: PartedBy, *, window: bool) -> Divided:
        """Return what each process, peer or status has of these rows; see RowsOnDemand."""
        return self._rows.divided(by, self._indices, window=window)

    def containers(self) -> Iterator[tuple[str, ...]]:
        """Yield the containers of these rows; see RowsOnDemand."""
        return self._rows.containers(self._indices)

    def values(self, figure: str) -> Sequence[float] | None:
        """Return a figure of each of these rows; see RowsOnDemand."""
        found = self._rows.values(figure)
        return None if found is None else [found[index] for index in self._indices]

    def place(self, key: EndpointKey) -> int | None:
        """Return where the row of an endpoint stands; None: it is not among them."""
        index = self._rows.index_of(key)
        return self._indices.index(index) if index in self._indices else None
