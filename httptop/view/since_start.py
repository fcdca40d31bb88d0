"""The figures since start in the place of those of the window, where the view asks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from httptop.filters.row_facts import RowFacts
from httptop.model import EndpointStats, Totals, errors_of
from httptop.view.by_status import ByStatus, StatusPart
from httptop.view.derived_rows import DerivedRows
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


class SinceStart(DerivedRows):
    """Rows that are made on demand, with the figures since start."""

    def __init__(self, rows: RowsOnDemand, uptime_s: float) -> None:
        super().__init__(rows)
        self._uptime_s = uptime_s

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

    def packed(self) -> RowsOnDemand:
        """Return the same in less memory."""
        return SinceStart(self._rows.packed(), self._uptime_s)

    def facts(self, index: int, *, since_start: bool = True) -> RowFacts:
        """Return what filters ask of a row."""
        del since_start
        return self._rows.facts(index, since_start=True)

    def by_status(self, index: int) -> ByStatus:
        """Return the counts of a row by status."""
        return self._rows.by_status(index)

    def window_parts(self, of: Mapping[int, Collection[int]]) -> list[StatusPart]:
        """Return what requests of some statuses have of rows in the window."""
        return self._rows.window_parts(of)

    def divided(self, by: PartedBy, indices: Iterable[int], *, window: bool) -> Divided:  # noqa: ARG002
        """Return what each has of rows since start; see RowsOnDemand."""
        return self._rows.divided(by, indices, window=False)

    def passing(self, index: int) -> EndpointStats:
        """Return a row without keeping it; see RowsOnDemand."""
        return row_since_start(self._rows.passing(index), self._uptime_s)
