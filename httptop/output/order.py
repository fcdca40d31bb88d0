"""Which rows are put out, and in what order: without making more than one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from httptop.linux.stretches import give_way
from httptop.model import EndpointStats, Snapshot
from httptop.view.rows import RowsOnDemand, keys_of
from httptop.view.sorts import SORTS, descends


def in_order(snapshot: Snapshot, sort: str = "requests", *, active: bool) -> list[int]:
    """Return the indices of a snapshot's rows by a column of ``SORTS``, in its natural order.

    Rows that are alike in it are in the order of their keys. ``active``: only of those with a
    request in the window: one that ended there, or one in flight.
    """
    rows = snapshot.endpoints
    keys = keys_of(rows)
    shown: Iterable[int] = range(len(keys))
    if active:
        rates, in_flight = _figures(rows, "rps"), _figures(rows, "in_flight")
        shown = (at for at in shown if rates[at] or in_flight[at] > 0)
    values = _values(rows, sort)
    by_key = sorted(shown, key=keys.__getitem__)
    return sorted(by_key, key=values.__getitem__, reverse=descends(sort))


def rows_at(rows: Sequence[EndpointStats], indices: Iterable[int]) -> Iterator[EndpointStats]:
    """Yield rows by their indices; none is kept, as each is looked at once."""
    row_at = rows.passing if isinstance(rows, RowsOnDemand) else rows.__getitem__
    for index in indices:
        yield row_at(index)
        give_way()


def _values(rows: Sequence[EndpointStats], sort: str) -> Sequence[Any]:
    found = rows.values(sort) if isinstance(rows, RowsOnDemand) else None
    if found is not None:
        return found
    return [SORTS[sort](row) for row in rows_at(rows, range(len(rows)))]


def _figures(rows: Sequence[EndpointStats], name: str) -> Sequence[float]:
    found = rows.values(name) if isinstance(rows, RowsOnDemand) else None
    return [getattr(row, name) or 0 for row in rows] if found is None else found
