"""What is exported of endpoints besides their histograms, kept while those are written.

A metric's samples stand together, and the histograms come first. Columns of numbers keep the
counters of a reading in 32 bytes an endpoint.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from httptop.collect.metrics import Series
from httptop.model import SIDES, EndpointKey, Side
from httptop.output.prometheus.names import (
    ACTIVE,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    UNANSWERED,
    Family,
    Labels,
    Sample,
    active_labels_of,
)

_MOST: Final = (1 << 64) - 1


#: The counters of an endpoint, in the order of :func:`counted`.
COUNTERS: Final = (UNANSWERED, REQUEST_BYTES, RESPONSE_BYTES)


def counted(series: Series) -> tuple[int, int, int]:
    """Return what an endpoint has counted."""
    return series.unanswered, series.request_bytes, series.response_bytes


class Active:
    """The requests in flight of a reading, whose labels have no paths."""

    def __init__(self) -> None:
        self._active: dict[tuple[Side, Labels], int] = {}

    def add(self, series: Series) -> None:
        """Add those of an endpoint."""
        about = series.key.side, active_labels_of(series.key)
        self._active[about] = self._active.get(about, 0) + series.in_flight

    def samples(self) -> Iterator[tuple[Family, list[Sample]]]:
        """Yield those of each side."""
        for side in SIDES:
            of_side: list[Sample] = [
                (labels, n) for (own, labels), n in self._active.items() if own == side
            ]
            if of_side:
                yield ACTIVE[side], of_side


class Columns:
    """The counters of all endpoints of a reading."""

    def __init__(self) -> None:
        self.keys: list[EndpointKey] = []
        self._columns = [array("Q") for _ in COUNTERS]

    def add(self, series: Series) -> None:
        """Keep those of an endpoint."""
        self.keys.append(series.key)
        for column, value in zip(self._columns, counted(series), strict=True):
            column.append(min(value, _MOST))

    def counters(self) -> Iterator[tuple[Family, Iterator[tuple[EndpointKey, int]]]]:
        """Yield each counter of endpoints, with the values of all."""
        for family, column in zip(COUNTERS, self._columns, strict=True):
            yield family, zip(self.keys, column, strict=True)
