"""What of a snapshot passes the limit of a watch: a pure function of the two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from httptop.filters.predicates import key_test
from httptop.filters.watches import Watch
from httptop.model import SIDES, EndpointKey, EndpointStats, Side, Snapshot, Totals
from httptop.view.rows import RowsOnDemand, keys_of

#: What a limit is passed by: an endpoint, or all of a side that a watch selects.
Subject = EndpointKey | Side

#: The most endpoints of a watch that may be at its limit.
MOST_SUBJECTS: Final = 100

#: Figures of rows by measure: their names in ``view.state.SORTS``.
_FIGURES: Final = MappingProxyType({"errors": "error_share", "rate": "rps"})
_TOTALS: Final[Mapping[str, Callable[[Totals], float | None]]] = MappingProxyType(
    {
        "errors": lambda totals: totals.error_share,
        "rate": lambda totals: totals.rps,
        "in_flight": lambda totals: totals.in_flight,
    }
)
_OF_ROWS: Final[Mapping[str, Callable[[EndpointStats], float | None]]] = MappingProxyType(
    {
        "change": attrgetter("p99_change"),
        "error_share": attrgetter("error_share"),
        "rps": attrgetter("rps"),
        "in_flight": attrgetter("in_flight"),
        "oldest": attrgetter("oldest_in_flight_ns"),
        "window_errors": attrgetter("window_errors"),
        "window_requests": attrgetter("window_requests"),
    }
)
#: Figures of which 0 says that there is none; of the others less than that does.
_NONE_AT_0: Final = frozenset(("p50", "p90", "p95", "p99", "p999", "max", "change"))


@dataclass(frozen=True, slots=True)
class Passing:
    """What passes a watch's limit, by subject, and the worst value of all that it looks at."""

    values: Mapping[Subject, float]
    worst: float | None


class Selected:
    """The rows that a watch looks at, found again only when the endpoints have changed."""

    def __init__(self, watch: Watch) -> None:
        """Prepare the watch's filter."""
        self._test = None if watch.expression is None else key_test(watch.expression)
        self._keys: Sequence[EndpointKey] | None = None
        self._at: dict[Side, list[int]] = {}

    def of(self, rows: Sequence[EndpointStats]) -> Mapping[Side, list[int]]:
        """Return the indices of the rows, by side."""
        keys = keys_of(rows)
        if keys is not self._keys:
            test = self._test
            self._at = {side: [] for side in SIDES}
            for at, key in enumerate(keys):
                if test is None or test(key):
                    self._at[key.side].append(at)
            self._keys = keys
        return self._at


def passing(watch: Watch, snapshot: Snapshot, selected: Selected) -> Passing:
    """Return what passes a watch's limit in a snapshot."""
    values = (_each if watch.each else _together)(watch, snapshot, selected)
    worst = (max if watch.above else min)(values.values(), default=None)
    passes = watch.passes
    return Passing({what: value for what, value in values.items() if passes(value)}, worst)


def _each(watch: Watch, snapshot: Snapshot, selected: Selected) -> dict[Subject, float]:
    """Return the values of single endpoints that matter: those that pass, or else the worst."""
    rows, at = snapshot.endpoints, selected.of(snapshot.endpoints)
    figure = "change" if watch.usual else _FIGURES.get(watch.measure, watch.measure)
    values, passes = _column(rows, figure), watch.passes
    none_at = 0.0 if figure in _NONE_AT_0 else -1.0
    indices = [n for side in SIDES for n in at[side] if values[n] > none_at]
    found = [n for n in indices if passes(values[n])]
    if not found and indices:
        found = [(max if watch.above else min)(indices, key=values.__getitem__)]
    elif len(found) > MOST_SUBJECTS:
        found.sort(key=values.__getitem__, reverse=watch.above)
    keys = keys_of(rows)
    return {keys[n]: values[n] for n in found[:MOST_SUBJECTS]}


def _together(watch: Watch, snapshot: Snapshot, selected: Selected) -> dict[Subject, float]:
    """Return the values of each side that has any such endpoint."""
    found: dict[Subject, float] = {}
    at = selected.of(snapshot.endpoints)
    for side in SIDES:
        if not at[side]:
            continue
        if watch.expression is None and watch.measure != "oldest":
            value = _of_totals(watch.measure, snapshot, snapshot.total(side))
        else:
            value = _of_some(watch.measure, snapshot.endpoints, at[side])
        if value is not None:
            found[side] = value
    return found


def _of_totals(measure: str, snapshot: Snapshot, totals: Totals) -> float | None:
    if measure in _TOTALS:
        return _TOTALS[measure](totals)
    if measure == "5xx":
        ticks = 1
        if snapshot.interval_s > 0:
            ticks = max(1, round(snapshot.covered_s / snapshot.interval_s))
        classes = totals.trend_classes[-ticks:]
        responses = sum(map(sum, classes))
        return sum(rates[5] for rates in classes) / responses if responses else None
    return float(getattr(totals.latency, f"{measure}_ns")) if totals.latency.count else None


def _of_some(measure: str, rows: Sequence[EndpointStats], indices: Sequence[int]) -> float | None:
    def total(figure: str) -> float:
        values = _column(rows, figure)
        return sum(max(0.0, values[n]) for n in indices)

    match measure:
        case "rate":
            return total("rps")
        case "in_flight":
            return total("in_flight")
        case "errors":
            requests = total("window_requests")
            return total("window_errors") / requests if requests else None
        case _:
            values = _column(rows, "oldest")
            oldest = max(values[n] for n in indices)
            return oldest if oldest >= 0 else None


def _column(rows: Sequence[EndpointStats], figure: str) -> Sequence[float]:
    """Return a figure of each row; one that is not known is 0 or negative."""
    if isinstance(rows, RowsOnDemand) and (values := rows.values(figure)) is not None:
        return values
    if figure in _OF_ROWS:
        of_row = _OF_ROWS[figure]
        known = [of_row(row) for row in rows]
        return [-1.0 if value is None else value for value in known]
    return [getattr(row.latency, f"{figure}_ns") if row.latency.count else 0.0 for row in rows]
