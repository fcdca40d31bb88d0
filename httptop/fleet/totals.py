"""The totals of a fleet's sides: sums of the rows, and the trends of the ticks before."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Final

from httptop.fleet.latencies import Buckets, bands_of
from httptop.fleet.reading import Reading
from httptop.model import (
    NO_LATENCY,
    STATUS_CLASSES,
    STATUS_UNKNOWN,
    Bands,
    ClassRates,
    Side,
    Totals,
    class_of,
)

#: So many ticks are in a trend.
TREND_TICKS: Final = 60
_TOTAL_TICKS: Final = 300


def totals_of(side: Side, reading: Reading) -> Totals:
    """Return a side's totals without trends; rates by class are its ``trend_classes``' last."""
    of = reading.columns
    registry, keys = of.registry, of.registry.keys
    shown = bytearray(len(keys))
    for number in reading.numbers:
        shown[number] = keys[number].side == side
    status: dict[int, int] = {}
    rates: dict[int, float] = {}
    for at, count in enumerate(of.counts):
        if count and shown[registry.endpoints[at]]:
            code = registry.statuses[at]
            status[code] = status.get(code, 0) + count
            if rate := of.rates[at]:
                rates[code] = rates.get(code, 0.0) + rate
    mine = [number for number in reading.numbers if shown[number]]
    unanswered = sum(of.unanswered[number] for number in mine)
    lost = sum(of.unanswered_rates[number] for number in mine)
    rps = sum(rates.values()) + lost
    failed = lost + sum(rate for code, rate in rates.items() if class_of(code) >= 4)
    classes = [0.0] * STATUS_CLASSES
    for code, rate in rates.items():
        classes[class_of(code) if class_of(code) < STATUS_CLASSES else STATUS_UNKNOWN] += rate
    classes[STATUS_UNKNOWN] += lost
    none, first, second, third, fourth, fifth = classes
    return Totals(
        requests=sum(status.values()) + unanswered,
        rps=rps,
        in_flight=reading.in_flight.get(side),
        unanswered=unanswered,
        status=status,
        request_bytes=sum(of.request_bytes[number] for number in mine),
        response_bytes=sum(of.response_bytes[number] for number in mine),
        latency=reading.latency.get(side, NO_LATENCY),
        error_share=failed / rps if rps else 0.0,
        trend_classes=((none, first, second, third, fourth, fifth),),
    )


class SideTrends:
    """The trends of a side since the screen began; for one thread."""

    def __init__(self) -> None:
        self._rps: deque[float] = deque(maxlen=_TOTAL_TICKS)
        self._errors: deque[float | None] = deque(maxlen=_TOTAL_TICKS)
        self._p50: deque[float | None] = deque(maxlen=_TOTAL_TICKS)
        self._p99: deque[float | None] = deque(maxlen=_TOTAL_TICKS)
        self._classes: deque[ClassRates] = deque(maxlen=_TOTAL_TICKS)
        self._bands: deque[Bands] = deque(maxlen=_TOTAL_TICKS)

    def end_tick(
        self, now: Totals, buckets: Buckets | None, interval_s: float, *, native: bool
    ) -> None:
        """Add a tick; classic buckets are too wide to be drawn in bands."""
        latency = now.latency
        self._rps.append(now.rps)
        self._errors.append(now.error_share if now.rps else None)
        self._p50.append(latency.p50_ns if latency.count else None)
        self._p99.append(latency.p99_ns if latency.count else None)
        self._classes.extend(now.trend_classes)
        self._bands.append(bands_of(buckets, interval_s) if native and buckets else ())

    def with_trends(self, totals: Totals) -> Totals:
        """Return totals with the trends of the ticks so far."""
        return replace(
            totals,
            trend_rps=tuple(self._rps),
            trend_error_share=tuple(self._errors),
            trend_p50_ns=tuple(self._p50),
            trend_p99_ns=tuple(self._p99),
            trend_classes=tuple(self._classes),
            trend_bands=tuple(self._bands),
        )
