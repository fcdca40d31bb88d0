"""Rows on demand that are made of others, with other figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from httptop.model import EndpointKey, EndpointStats, Side
from httptop.view.rows import RowsOnDemand


class DerivedRows(RowsOnDemand):
    """Rows with the keys and places of other rows; each is kept once it is made."""

    def __init__(self, rows: RowsOnDemand) -> None:
        """``rows``: those that they are made of."""
        self._rows = rows
        self._made: dict[int, EndpointStats] = {}

    @property
    def keys(self) -> Sequence[EndpointKey]:
        """The key of each row."""
        return self._rows.keys

    def by_name(self, side: Side) -> Sequence[int]:
        """Return the indices of a side's rows in order; see RowsOnDemand."""
        return self._rows.by_name(side)

    def index_of(self, key: EndpointKey) -> int | None:
        """Return the index of the row with a key; None: there is none."""
        return self._rows.index_of(key)

    @property
    def size_bytes(self) -> int:
        """That of the rows that they are made of."""
        return self._rows.size_bytes

    def row(self, index: int) -> EndpointStats:
        """Return a row, which is made the first time."""
        made = self._made.get(index)
        if made is None:
            made = self._made[index] = self.passing(index)
        return made

    def containers(self, indices: Iterable[int]) -> Iterator[tuple[str, ...]]:
        """Yield the containers of rows."""
        return self._rows.containers(indices)
