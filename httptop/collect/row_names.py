"""What is known of rows beside their sums: keys, and the cells of their statuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from httptop.collect.sums import CELL, Answered
from httptop.model import EndpointKey, class_of


class RowNames(NamedTuple):
    """What is known of each row, by its number; nothing changes in it."""

    keys: Sequence[EndpointKey | None]
    #: For each code the cell that counts responses of it; a code may have several.
    statuses: Sequence[tuple[tuple[int, int], ...]]
    #: Of some rows, responses by code that none of their cells has; negative: that one of them has
    #: and that are another row's.
    apart: Mapping[int, Mapping[int, Answered]]
    #: Of rows with the path NOT_FOUND_PATH: how many paths they have taken in, and whether there
    #: were more.
    paths: Mapping[int, tuple[int, bool]]

    def answered(self, cells: bytes, number: int) -> dict[int, Answered]:
        """Return what a row has of responses by code; ``cells``: CELL after CELL."""
        found = dict(self.apart.get(number, ()))
        for code, cell in self.statuses[number]:
            if (cell + 1) * CELL.size <= len(cells):
                more = Answered.of(cells, cell)
                found[code] = found[code].plus(more) if code in found else more
        return {code: answered for code, answered in found.items() if answered.responses}

    def failed(self, cells: bytes, numbers: Iterable[int]) -> list[int]:
        """Return how many responses of some rows have a status of 400 or more, of each row."""
        counts = memoryview(cells).cast("Q")[:: CELL.size // 8].tolist()
        known, statuses, apart = len(counts), self.statuses, self.apart
        found = []
        for number in numbers:
            failed = 0
            for code, cell in statuses[number]:
                if class_of(code) >= 4 and cell < known:
                    failed += counts[cell]
            if number in apart:
                more = apart[number].items()
                failed += sum(some.responses for code, some in more if class_of(code) >= 4)
            found.append(failed)
        return found
