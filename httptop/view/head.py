"""The figures of the dashboard's head: of all requests of a side, or of those a filter picks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from httptop.model import NO_LATENCY, NO_TOTALS, EndpointStats, Latency, Side, Snapshot, Totals
from httptop.view.idle import is_idle
from httptop.view.picked_rows import PickedRows


@dataclass(frozen=True, slots=True)
class Head:
    """What the head shows; rates, errors and requests in flight are those of the rows."""

    totals: Totals = NO_TOTALS
    #: Whether trends, and so the graphs, are of all requests of the side: of those that the filter
    #: picks they are not known, in a replay, in the past or until the next tick.
    graphs_of_all: bool = False
    #: Since when (Unix time) the trends go, and the latencies, where that is later than without a
    #: filter, as it was set only then; None: it is not.
    graphs_since: float | None = None
    latencies_since: float | None = None
    #: Whether latencies are known of the requests of all rows together, but not of each row: those
    #: of some statuses are not counted by row in the window.
    latencies_together: bool = False


NO_HEAD: Final = Head()
#: So many rows, the first ones, are asked whether their latencies are known.
_MOST_LOOKED_AT: Final = 50


def head_of(
    rows: Sequence[EndpointStats],
    of_all: Totals,
    side: Side,
    snapshot: Snapshot,
    filter_text: str,
    *,
    since_start: bool,
) -> Head:
    """Return the head of rows that a filter shows; ``of_all``: the totals of their side."""
    requests = _sum(rows, "window_requests", lambda row: row.window_requests or 0)
    errors = _sum(rows, "window_errors", lambda row: row.window_errors or 0)
    in_flight = _sum(rows, "in_flight", _in_flight)
    totals = replace(
        of_all,
        rps=_sum(rows, "rps", lambda row: row.rps),
        in_flight=None if math.isnan(in_flight) else round(in_flight),
        error_share=errors / requests if requests else 0.0,
        latency=_of_one(rows),
    )
    filtered = snapshot.filtered
    if filtered is None or filtered.filter != filter_text:
        return Head(totals, graphs_of_all=True)
    found = filtered.totals.get(side, NO_TOTALS)
    age_s, latency, latencies_later = snapshot.uptime_s - filtered.began_s, totals.latency, False
    if not since_start and not latency.count:
        latency, latencies_later = found.latency, age_s < snapshot.covered_s
    totals = replace(
        totals,
        latency=latency,
        trend_rps=found.trend_rps,
        trend_error_share=found.trend_error_share,
        trend_p50_ns=found.trend_p50_ns,
        trend_p99_ns=found.trend_p99_ns,
        trend_classes=found.trend_classes,
        trend_bands=found.trend_bands,
    )
    graphs_later, since = len(found.trend_rps) < len(of_all.trend_rps), snapshot.taken_at - age_s
    return Head(
        totals,
        graphs_since=since if graphs_later else None,
        latencies_since=since if latencies_later else None,
        latencies_together=latency.count > 0 and any(map(_lacks_latency, rows[:_MOST_LOOKED_AT])),
    )


def _in_flight(row: EndpointStats) -> float:
    return math.nan if row.in_flight is None else row.in_flight


def _lacks_latency(row: EndpointStats) -> bool:
    return row.partial and bool(row.window_requests) and not row.latency.count


def _sum(
    rows: Sequence[EndpointStats], figure: str, pick: Callable[[EndpointStats], float]
) -> float:
    values = rows.values(figure) if isinstance(rows, PickedRows) else None
    return sum(map(pick, rows) if values is None else values)


def _of_one(rows: Sequence[EndpointStats]) -> Latency:
    """Return the latencies of the only row with requests; those of several do not add up."""
    first = next(iter(rows), None)  # idle ones come last
    if first is None or (len(rows) > 1 and not is_idle(rows[1])):
        return NO_LATENCY
    return first.latency
