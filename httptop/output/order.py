"""Which rows are put out, and in what order: without making more than one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from httptop.linux.stretches import give_way
from httptop.model import EndpointStats, Snapshot
from httptop.view.rows import RowsOnDemand, keys_of


def busiest_first(snapshot: Snapshot, *, active: bool) -> list[int]:
    """Return the indices of a snapshot's rows, those with most requests first.

    ``active``: only of those with a request in the window: one that ended there, or one in flight.
    """
    rows = snapshot.endpoints
    keys = keys_of(rows)
    requests = _figures(rows, "requests")
    shown: Iterable[int] = range(len(keys))
    if active:
        rates, in_flight = _figures(rows, "rps"), _figures(rows, "in_flight")
        shown = (at for at in shown if rates[at] or in_flight[at])
    return sorted(shown, key=lambda at: (-requests[at], keys[at]))


def rows_at(snapshot: Snapshot, indices: Iterable[int]) -> Iterator[EndpointStats]:
    """Yield rows by their indices; none is kept, as each is looked at once."""
    rows = snapshot.endpoints
    row_at = rows.passing if isinstance(rows, RowsOnDemand) else rows.__getitem__
    for index in indices:
        yield row_at(index)
        give_way()


def _figures(rows: Sequence[EndpointStats], name: str) -> Sequence[float]:
    found = rows.values(name) if isinstance(rows, RowsOnDemand) else None
    return [getattr(row, name) for row in rows] if found is None else found
