"""Trends in a capture: each as its difference to that of the line before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from httptop.capture.fields import CaptureError, Json
from httptop.capture.fields import Fields as F
from httptop.model import STATUS_CLASSES, ClassRates

Trend = tuple[Any, ...]
_LONGEST: Final = 100_000
_MOST_BANDS: Final = 64


def _rate(value: Json) -> float:
    return F.as_number(value)


def _number_or_none(value: Json) -> float | None:
    return None if value is None else F.as_number(value)


def _rates(value: Json) -> ClassRates:
    none, first, second, third, fourth, fifth = map(F.as_number, F.as_list(value, STATUS_CLASSES))
    return none, first, second, third, fourth, fifth


def _bands(value: Json) -> tuple[tuple[int, int], ...]:
    bands = [F.as_list(pair, 2) for pair in F.as_list(value)]
    found = tuple((F.as_count(band), F.as_count(count)) for band, count in bands)
    if len(found) > _MOST_BANDS:
        raise CaptureError("holds too many latencies of a tick")
    return found


#: The trends of totals, each with what reads a value of it. Older captures lack the last ones.
READERS: Final[Mapping[str, Callable[[Json], Any]]] = MappingProxyType(
    {
        "rps": _rate,
        "error_share": _number_or_none,
        "p50_ns": _number_or_none,
        "p99_ns": _number_or_none,
        "classes": _rates,
        "bands": _bands,
    }
)
LEAST_TRENDS: Final = 4


def trend_json(before: Sequence[Any], now: Sequence[Any]) -> Json:
    """Return a trend as the difference to the previous one: a few new values for each tick."""
    for new in range(min(3, len(now) + 1)):
        kept = len(now) - new
        if kept <= len(before) and tuple(before[len(before) - kept :]) == tuple(now[:kept]):
            return [len(before) - kept, list(now[kept:])]
    return [len(before), list(now)]


def read_trend(before: Trend, trend: Json, value_of: Callable[[Json], Any]) -> Trend:
    """Return the trend that :func:`trend_json` wrote; ``before``: the previous one."""
    cells = F.as_list(trend, 2)
    dropped = F.as_count(cells[0])
    result = before[dropped:] + tuple(value_of(value) for value in F.as_list(cells[1]))
    if len(result) > _LONGEST:
        raise CaptureError("holds a trend that is too long")
    return result
