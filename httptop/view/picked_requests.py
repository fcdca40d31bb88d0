"""The requests that a filter picks of each row: a row has the figures of these alone.

By status requests are counted apart, in the window and since start, so a row can be of some
statuses only. Its latencies are known where no other response ended in the window. What else a
filter asks, such as a process or a p99, is not counted by request: rows that have it are picked
whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

from httptop.filters.on_screen import ScreenFilter
from httptop.filters.predicates import ALL, Picked
from httptop.filters.row_facts import FactsOf, RowFacts
from httptop.model import (
    NO_LATENCY,
    STATUS_UNKNOWN,
    EndpointStats,
)
from httptop.view.by_status import ByStatus, StatusPart, counts_by_status, part_of
from httptop.view.derived_rows import DerivedRows
from httptop.view.parts import Divided, PartedBy, divided, joined
from httptop.view.rows import RowsOnDemand

#: What the names of figures since start begin with.
_SINCE_START: Final = "total_"
_LATENCIES: Final = frozenset(
    prefix + name
    for prefix in ("", _SINCE_START)
    for name in ("p50", "p90", "p95", "p99", "p999", "max", "mean")
)


def picked_row(row: EndpointStats, picked: Picked) -> EndpointStats:
    """Return a row with the figures of the requests that are picked of it."""
    if not picked.in_flight:
        row = replace(row, in_flight=0, oldest_in_flight_ns=None)
    if picked.codes is None:
        return row
    counts, codes = counts_by_status(row), picked.codes
    total = part_of(counts.total, codes, row.errors)
    window = None
    if counts.window is not None and row.window_errors is not None:
        window = part_of(counts.window, codes, row.window_errors)
    return replace(
        row,
        requests=total.requests,
        rps=0.0 if window is None else _rate(row.rps, window, row.window_requests),
        status={code: count for code, count in row.status.items() if code in codes},
        unanswered=row.unanswered if STATUS_UNKNOWN in codes else 0,
        request_bytes=0,
        response_bytes=0,
        latency=row.latency if window is not None and window.alone else NO_LATENCY,
        latency_total=row.latency_total if total.alone else NO_LATENCY,
        sending_total=NO_LATENCY,
        duration_total=NO_LATENCY,
        wait_total=NO_LATENCY,
        trend_ns=(),
        usual_p99_ns=None,
        p99_change=None,
        latency_by_status={
            code: one for code, one in (row.latency_by_status or {}).items() if code in codes
        },
        window_requests=None if window is None else window.requests,
        window_errors=None if window is None else window.errors,
        window_status={
            code: count for code, count in (counts.window or {}).items() if code in codes
        },
        partial=True,
    )


def _rate(rps: float, part: StatusPart, of: float | None) -> float:
    return rps * part.requests / of if part.requests and of else 0.0


class Picks:
    """What a filter picks of the rows of a snapshot."""

    def __init__(self, ready: ScreenFilter, *, since_start: bool) -> None:
        """``since_start``: rows are shown with what they have had since start."""
        self._ready, self._since_start = ready, since_start
        #: Whether rows have the figures of all their requests, though only some were to be picked:
        #: how many these were in the window is not known.
        self.whole = False

    def of_rows(self, rows: Sequence[EndpointStats]) -> list[EndpointStats]:
        """Return the rows of which any request is picked, with the figures of those."""
        found = []
        for row in rows:
            shown = replace(row, latency=row.latency_total) if self._since_start else row
            picked = self._ready.picked(FactsOf(shown))
            if picked is not None:
                found.append(picked_row(row, self._known(picked, row.window_status)))
        return found

    def on_demand(
        self, rows: RowsOnDemand, indices: Iterable[int]
    ) -> tuple[RowsOnDemand, list[int]]:
        """Return the same of rows on demand, and which of ``indices`` these are."""
        keys, ready, picks = rows.keys, self._ready, dict[int, Picked]()
        kept = [at for at in indices if ready.keeps_key(keys[at])]
        if ready.by_key_alone:
            return rows, kept
        indices, kept = kept, []
        for at in indices:
            picked = ready.picked(rows.facts(at, since_start=self._since_start))
            if picked is not None:
                kept.append(at)
                if picked is not ALL:
                    picks[at] = picked
        some = next((at for at, picked in picks.items() if picked.codes is not None), None)
        if some is not None and self._known(picks[some], rows.by_status(some).window).codes is None:
            picks = {at: picked._replace(codes=None) for at, picked in picks.items()}
        return PickedRequests(rows, picks) if picks else rows, kept

    def _known(self, picked: Picked, window: Mapping[int, int] | None) -> Picked:
        """Return what is picked as far as it is known how many these are."""
        if picked.codes is None or self._since_start or window is not None:
            return picked
        self.whole = True
        return picked._replace(codes=None)


class PickedRequests(DerivedRows):
    """Rows made on demand, of which a filter picks requests."""

    def __init__(self, rows: RowsOnDemand, picked: Mapping[int, Picked]) -> None:
        """``picked``: by index, of rows of which not all is picked; others are as they are."""
        super().__init__(rows)
        self._picked = picked
        self._partial = {at: one.codes for at, one in picked.items() if one.codes is not None}

    def facts(self, index: int, *, since_start: bool = False) -> RowFacts:
        """Return what filters ask of a row: of all of it."""
        return self._rows.facts(index, since_start=since_start)

    def by_status(self, index: int) -> ByStatus:
        """Return the counts of a row by status."""
        return counts_by_status(self.row(index))

    def window_parts(self, of: Mapping[int, Collection[int]]) -> list[StatusPart]:
        """Return what requests of some statuses have of rows in the window."""
        picked = self._partial
        within = {at: set(codes).intersection(picked.get(at, codes)) for at, codes in of.items()}
        return self._rows.window_parts(within)

    def passing(self, index: int) -> EndpointStats:
        """Return a row without keeping it."""
        return picked_row(self._rows.passing(index), self._picked.get(index, ALL))

    def packed(self) -> RowsOnDemand:
        """Return the same in less memory."""
        return PickedRequests(self._rows.packed(), self._picked)

    def divided(self, by: PartedBy, indices: Iterable[int], *, window: bool) -> Divided:
        """Return what each has of rows; by pid and peer, of all requests of a row."""
        indices = list(indices)
        if by != "status" or not self._partial:
            return self._rows.divided(by, indices, window=window)
        whole = [at for at in indices if at not in self._partial]
        partial = map(self.passing, (at for at in indices if at in self._partial))
        return joined(
            self._rows.divided(by, whole, window=window), divided(partial, by, window=window)
        )

    def values(self, figure: str) -> Sequence[float] | None:
        """Return a figure of each row; see RowsOnDemand."""
        found = self._rows.values(figure)
        if found is None:
            return None
        found = list(found)
        if figure in ("in_flight", "oldest"):
            for at, picked in self._picked.items():
                if not picked.in_flight:
                    found[at] = 0.0 if figure == "in_flight" else -1.0
        elif self._partial:
            for at, value in zip(self._partial, self._partial_values(figure), strict=True):
                found[at] = value
        return found

    def _partial_values(self, figure: str) -> Iterable[float]:
        """Return a figure of each row of which some statuses are picked."""
        match figure:
            case "rps" | "share":
                rates, of = self._column("rps"), self._column("window_requests")
                pairs = zip(self._partial, self._windows, strict=True)
                return [_rate(rates[at], part, of[at]) for at, part in pairs]
            case "window_requests":
                return [part.requests for part in self._windows]
            case "window_errors":
                return [part.errors for part in self._windows]
            case "error_share":
                windows = self._windows
                return [part.errors / part.requests if part.requests else -1.0 for part in windows]
            case "requests":
                return [part.requests for part in self._totals]
            case "errors":
                return [part.errors for part in self._totals]
            case "unanswered":
                values, unknown = self._column(figure), STATUS_UNKNOWN
                return [values[at] * (unknown in codes) for at, codes in self._partial.items()]
        if figure not in _LATENCIES:
            return [0.0] * len(self._partial)
        values = self._column(figure)
        parts = self._totals if figure.startswith(_SINCE_START) else self._windows
        pairs = zip(self._partial, parts, strict=True)
        return [values[at] if part.alone else -1.0 for at, part in pairs]

    @cached_property
    def _windows(self) -> list[StatusPart]:
        """What is picked in the window of each row of which some statuses are picked."""
        return self._rows.window_parts(self._partial)

    @cached_property
    def _totals(self) -> list[StatusPart]:
        """The same since start."""
        errors, by_status = self._column("errors"), self._rows.by_status
        return [
            part_of(by_status(at).total, codes, int(errors[at]))
            for at, codes in self._partial.items()
        ]

    def _column(self, figure: str) -> Sequence[float]:
        return self._rows.values(figure) or ()
