"""The rows of a moment that is past, compressed until somebody looks at one."""

from __future__ import annotations

import weakref
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from httptop.collect.sums import Sums
from httptop.model import EndpointKey, EndpointStats, Side
from httptop.view.rows import RowsOnDemand

if TYPE_CHECKING:
    from httptop.collect.row_table import ShownRows

#: Most of the sums are zeros: the fastest level makes them ten times smaller.
_LEVEL: Final = 1
#: Those that were asked for last stay unpacked.
_latest: Final[deque[RowsOnDemand]] = deque(maxlen=2)


class PackedRows(RowsOnDemand):
    """Rows that unpack themselves when one is asked for."""

    def __init__(
        self, sums: Sums, shown: ShownRows, unpacked: Callable[[Sums], RowsOnDemand]
    ) -> None:
        """``unpacked`` makes the rows of these sums."""
        self._parts = [zlib.compress(part, _LEVEL) for part in (sums.rows, sums.times, sums.cells)]
        self._sums = replace(sums, rows=b"", times=b"", cells=b"")
        self._shown, self._unpacked = shown, unpacked
        self._whole_rows: weakref.ref[RowsOnDemand] | None = None

    @property
    def size_bytes(self) -> int:
        """The memory that it takes while it is packed."""
        return sum(map(len, self._parts))

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

    @property
    def keys(self) -> Sequence[EndpointKey]:
        """The key of each row."""
        return self._shown.keys

    def by_name(self, side: Side) -> Sequence[int]:
        """Return the indices of a side's rows in order; see RowsOnDemand."""
        return self._shown.by_name[side]

    def index_of(self, key: EndpointKey) -> int | None:
        """Return the index of the row with a key; None: there is none."""
        return self._shown.index.get(key)

    def values(self, figure: str) -> Sequence[float] | None:
        """Return a figure of each row; see RowsOnDemand."""
        return self._whole().values(figure)

    def row(self, index: int) -> EndpointStats:
        """Return a row."""
        return self._whole().row(index)

    def passing(self, index: int) -> EndpointStats:
        """Return a row without keeping it."""
        return self._whole().passing(index)
