"""The rows of a moment that is past, compressed until somebody looks at one."""

from __future__ import annotations

import weakref
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from httptop.collect.shown_rows import RowsShown, ShownRows
from httptop.collect.sums import Sums
from httptop.filters.row_facts import RowFacts
from httptop.model import EndpointStats
from httptop.view.by_status import ByStatus, StatusPart
from httptop.view.parts import Divided, PartedBy
from httptop.view.rows import RowsOnDemand

#: Most of the sums are zeros: the fastest level makes them ten times smaller.
_LEVEL: Final = 1
#: Those that were asked for last stay unpacked.
_latest: Final[deque[RowsOnDemand]] = deque(maxlen=2)


class PackedRows(RowsShown):
    """Rows that unpack themselves when one is asked for."""

    def __init__(
        self,
        sums: Sums,
        shown: ShownRows,
        unpacked: Callable[[Sums], RowsOnDemand],
        more_bytes: int = 0,
    ) -> None:
        """``unpacked`` makes the rows of these sums, and has ``more_bytes`` for that."""
        super().__init__(shown)
        self._parts = [zlib.compress(part, _LEVEL) for part in (sums.rows, sums.times, sums.cells)]
        self._sums = replace(sums, rows=b"", times=b"", cells=b"")
        self._unpacked, self._more_bytes = unpacked, more_bytes
        self._whole_rows: weakref.ref[RowsOnDemand] | None = None

    @property
    def size_bytes(self) -> int:
        """The memory that it takes while it is packed."""
        return sum(map(len, self._parts)) + self._more_bytes

    def packed(self) -> PackedRows:
        """Return itself."""
        return self

    def _whole(self) -> RowsOnDemand:
        whole = None if self._whole_rows is None else self._whole_rows()
        if whole is None:
            rows, times, cells = map(zlib.decompress, self._parts)
            whole = self._unpacked(replace(self._sums, rows=rows, times=times, cells=cells))
            self._whole_rows = weakref.ref(whole)
            _latest.append(whole)
        return whole

    def values(self, figure: str) -> Sequence[float] | None:
        """Return a figure of each row; see RowsOnDemand."""
        return self._whole().values(figure)

    def facts(self, index: int, *, since_start: bool = False) -> RowFacts:
        """Return what filters ask of a row."""
        return self._whole().facts(index, since_start=since_start)

    def by_status(self, index: int) -> ByStatus:
        """Return the counts of a row by status."""
        return self._whole().by_status(index)

    def window_parts(self, of: Mapping[int, Collection[int]]) -> list[StatusPart]:
        """Return what requests of some statuses have of rows in the window."""
        return self._whole().window_parts(of)

    def divided(self, by: PartedBy, indices: Iterable[int], *, window: bool) -> Divided:
        """Return what each process, peer or status has of rows; see RowsOnDemand."""
        return self._whole().divided(by, indices, window=window)

    def row(self, index: int) -> EndpointStats:
        """Return a row."""
        return self._whole().row(index)

    def passing(self, index: int) -> EndpointStats:
        """Return a row without keeping it."""
        return self._whole().passing(index)
