"""What is exported of endpoints besides their histograms, kept while those are written.

A metric's samples stand together, and the histograms come first. Columns of numbers keep the rest
of a reading in 32 bytes an endpoint.
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


class Columns:
    """The figures of all endpoints of a reading but their latencies."""

    def __init__(self) -> None:
        self.keys: list[EndpointKey] = []
        #: The sides that have endpoints.
        self.sides: set[Side] = set()
        self._figures = {
            family: array("Q") for family in (UNANSWERED, REQUEST_BYTES, RESPONSE_BYTES)
        }
        self._active: dict[tuple[Side, Labels], int] = {}

    def add(self, series: Series) -> None:
        """Keep the figures of an endpoint."""
        self.keys.append(series.key)
        self.sides.add(series.key.side)
        values = (series.unanswered, series.request_bytes, series.response_bytes)
        for column, value in zip(self._figures.values(), values, strict=True):
            column.append(min(value, _MOST))
        about = series.key.side, active_labels_of(series.key)
        self._active[about] = self._active.get(about, 0) + series.in_flight

    def active(self) -> Iterator[tuple[Family, list[Sample]]]:
        """Yield the requests in flight of each side."""
        for side in SIDES:
            of_side: list[Sample] = [
                (labels, n) for (own, labels), n in self._active.items() if own == side
            ]
            if of_side:
                yield ACTIVE[side], of_side

    def counters(self) -> Iterator[tuple[Family, Iterator[tuple[EndpointKey, int]]]]:
        """Yield each counter of endpoints, with the values of all."""
        for family, column in self._figures.items():
            yield family, zip(self.keys, column, strict=True)
