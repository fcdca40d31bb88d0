"""The figures since start in the place of those of the window, where the view asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from httptop.model import EndpointKey, EndpointStats, Side, Totals, errors_of
from httptop.view.parts import Divided, PartedBy
from httptop.view.rows import RowsOnDemand

_PERCENTILES: Final = frozenset({"p50", "p90", "p95", "p99", "p999", "max", "mean"})


def row_since_start(row: EndpointStats, uptime_s: float) -> EndpointStats:
    """Return a row whose rate, errors and latency are those since start."""
    return replace(
        row,
        rps=row.requests / uptime_s if uptime_s > 0 else 0.0,
        latency=row.latency_total,
        window_requests=row.requests,
        window_errors=row.errors,
    )


def totals_since_start(totals: Totals, uptime_s: float) -> Totals:
    """Return totals whose rate, errors and latency are those since start."""
    errors = errors_of(totals.status, totals.unanswered)
    return replace(
        totals,
        rps=totals.requests / uptime_s if uptime_s > 0 else 0.0,
        latency=totals.latency_total,
        error_share=errors / totals.requests if totals.requests else 0.0,
    )


def rows_since_start(rows: Sequence[EndpointStats], uptime_s: float) -> Sequence[EndpointStats]:
    """Return the rows of a snapshot with the figures since start."""
    if isinstance(rows, RowsOnDemand):
        return SinceStart(rows, uptime_s)
    return tuple(row_since_start(row, uptime_s) for row in rows)


class SinceStart(RowsOnDemand):
    """Rows that are made on demand, with the figures since start."""

    def __init__(self, rows: RowsOnDemand, uptime_s: float) -> None:
        self._rows, self._uptime_s = rows, uptime_s
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

    def values(self, figure: str) -> Sequence[float] | None:
        """Return a figure of each row; see RowsOnDemand."""
        if figure in _PERCENTILES:
            return self._rows.values(f"total_{figure}")
        if figure == "window_errors":
            return self._rows.values("errors")
        if figure == "error_share":
            failed, requests = self._rows.values("errors"), self._rows.values("requests")
            if failed is None or requests is None:
                return None
            pairs = zip(failed, requests, strict=True)
            return [some / count if count else -1.0 for some, count in pairs]
        if figure in ("rps", "share", "window_requests"):
            requests = self._rows.values("requests")
            if requests is None or figure == "window_requests" or self._uptime_s <= 0:
                return requests
            return [count / self._uptime_s for count in requests]
        return self._rows.values(figure)

    @property
    def size_bytes(self) -> int:
        """That of the rows that it is made of."""
        return self._rows.size_bytes

    def packed(self) -> RowsOnDemand:
        """Return the same in less memory."""
        return SinceStart(self._rows.packed(), self._uptime_s)

    def row(self, index: int) -> EndpointStats:
        """Return a row, which is made the first time."""
        made = self._made.get(index)
        if made is None:
            made = self._made[index] = self.passing(index)
        return made

    def divided(self, by: PartedBy, indices: Iterable[int], *, window: bool) -> Divided:  # noqa: ARG002
        """Return what each has of rows since start; see RowsOnDemand."""
        return self._rows.divided(by, indices, window=False)

    def containers(self, indices: Iterable[int]) -> Iterator[tuple[str, ...]]:
        """Yield the containers of rows."""
        return self._rows.containers(indices)

    def passing(self, index: int) -> EndpointStats:
        """Return a row without keeping it; see RowsOnDemand."""
        return row_since_start(self._rows.passing(index), self._uptime_s)
