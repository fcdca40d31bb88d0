"""The rows of a moment of a fleet: columns of numbers, of which rows are made on demand."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from httptop.collect.shown_rows import RowsShown, ShownRows
from httptop.fleet.registry import Registry
from httptop.model import NO_LATENCY, STATUS_UNKNOWN, EndpointStats, Latency, class_of
from httptop.view.rows import RowsOnDemand

_LATENCIES: Final = ("p50", "p90", "p95", "p99", "p999", "mean", "max")
#: Returns whether a status is wanted.
_Test = Callable[[int], bool]
#: About what a latency takes.
_LATENCY_BYTES: Final = 350


@dataclass(slots=True)
class Columns:
    """What a reading has of endpoints and outcomes, by number; not changed once it is done."""

    registry: Registry
    window_s: float
    #: Of endpoints: 0: it is not there; 1: it is; 2: its host sends figures no longer.
    there: bytearray = field(default_factory=bytearray)
    #: Of outcomes: responses since start, and a second.
    counts: array[int] = field(default_factory=lambda: array("Q"))
    rates: array[float] = field(default_factory=lambda: array("d"))
    #: Of endpoints.
    unanswered: array[int] = field(default_factory=lambda: array("Q"))
    unanswered_rates: array[float] = field(default_factory=lambda: array("d"))
    request_bytes: array[int] = field(default_factory=lambda: array("Q"))
    response_bytes: array[int] = field(default_factory=lambda: array("Q"))
    latencies: dict[int, Latency] = field(default_factory=dict)
    p99_ns: array[float] = field(default_factory=lambda: array("f"))  # -1: not known

    def fit(self) -> None:
        """Make room for all endpoints and outcomes that the registry knows."""
        endpoints, outcomes = len(self.registry.keys), len(self.registry.statuses)
        self.there.extend(bytes(endpoints - len(self.there)))
        for column, length in (
            (self.counts, outcomes),
            (self.unanswered, endpoints),
            (self.request_bytes, endpoints),
            (self.response_bytes, endpoints),
        ):
            column.frombytes(bytes(8 * (length - len(column))))
        for rates, length in ((self.rates, outcomes), (self.unanswered_rates, endpoints)):
            rates.frombytes(bytes(8 * (length - len(rates))))
        missing = endpoints - len(self.p99_ns)
        self.p99_ns.extend(array("f", [-1.0]) * missing)


def _any(code: int) -> bool:  # noqa: ARG001
    return True


def _fails(code: int) -> bool:
    return class_of(code) >= 4


class FleetRows(RowsShown):
    """The rows of a reading."""

    def __init__(self, shown: ShownRows, columns: Columns, trends: Sequence[array[float]]) -> None:
        """``trends``: 99th percentiles by endpoint, of ticks, the oldest first."""
        super().__init__(shown)
        self._columns, self._trends = columns, trends
        self._made: dict[int, EndpointStats] = {}

    @property
    def size_bytes(self) -> int:
        """That of the columns; see RowsOnDemand."""
        of = self._columns
        endpoints, outcomes = len(of.there), len(of.counts)
        return 37 * endpoints + 16 * outcomes + _LATENCY_BYTES * len(of.latencies)

    def packed(self) -> RowsOnDemand:
        """Return the same: there is nothing to save."""
        return FleetRows(self._shown, self._columns, self._trends) if self._made else self

    def row(self, index: int) -> EndpointStats:
        """Return a row, which is made the first time."""
        made = self._made.get(index)
        if made is None:
            made = self._made[index] = self._make(index)
        return made

    def passing(self, index: int) -> EndpointStats:
        """Return a row without keeping it; see RowsOnDemand."""
        return self._made.get(index) or self._make(index)

    def _make(self, index: int) -> EndpointStats:
        of, number = self._columns, self._shown.numbers[index]
        unanswered = of.unanswered[number]
        status: dict[int, int] = {}
        window: dict[int, float] = {}
        for outcome in self._outcomes(number):
            code = of.registry.statuses[outcome]
            if count := of.counts[outcome]:
                status[code] = count
            if rate := of.rates[outcome]:
                window[code] = rate
        lost = of.unanswered_rates[number]
        in_window = {code: round(rate * of.window_s) for code, rate in window.items()}
        failed = sum(n for code, n in in_window.items() if _fails(code))
        if unanswered_lately := round(lost * of.window_s):
            in_window[STATUS_UNKNOWN] = in_window.get(STATUS_UNKNOWN, 0) + unanswered_lately
        return EndpointStats(
            key=of.registry.keys[number],
            pids=(),
            requests=sum(status.values()) + unanswered,
            rps=sum(window.values()) + lost,
            in_flight=None,
            unanswered=unanswered,
            status=status,
            request_bytes=of.request_bytes[number],
            response_bytes=of.response_bytes[number],
            latency=of.latencies.get(number, NO_LATENCY),
            latency_total=NO_LATENCY,
            trend_ns=tuple(
                trend[number] if number < len(trend) and trend[number] >= 0 else None
                for trend in self._trends
            ),
            window_requests=sum(in_window.values()),
            window_errors=failed + unanswered_lately,
            window_status=in_window,
            stale=of.there[number] == 2,
        )

    def _outcomes(self, number: int) -> Sequence[int]:
        """Return an endpoint's outcomes, as far as this reading has them."""
        known = len(self._columns.counts)
        return [at for at in self._columns.registry.outcomes_of[number] if at < known]

    # One figure of all rows

    def values(self, figure: str) -> Sequence[float] | None:
        """Return a figure of each row; see RowsOnDemand."""
        of, numbers = self._columns, self._shown.numbers
        if figure in _LATENCIES:
            return self._latencies(f"{figure}_ns")
        match figure:
            case "unanswered" | "request_bytes" | "response_bytes":
                column: Sequence[int] = getattr(of, figure)
                return [column[at] for at in numbers]
            case "in_flight":
                return [math.nan] * len(numbers)
            case "oldest" | "change":
                return [-1.0 if figure == "oldest" else 0.0] * len(numbers)
            case "rps" | "share":
                return self._rates(_any)
            case "window_requests":
                return self._in_window(_any)
            case "window_errors":
                return self._in_window(_fails)
            case "error_share":
                pairs = zip(self._in_window(_fails), self._in_window(_any), strict=True)
                return [failed / n if n else -1.0 for failed, n in pairs]
            case "requests":
                return self._counts(_any)
            case "errors":
                return self._counts(_fails)
        if len(figure) == 3 and figure.endswith("xx"):
            hundreds = int(figure[0])
            unanswered = [of.unanswered[at] for at in numbers]
            found = self._counts(lambda code: class_of(code) == hundreds)
            return [n - lost for n, lost in zip(found, unanswered, strict=True)]
        return None

    def _latencies(self, name: str) -> list[float]:
        latencies = self._columns.latencies
        found = []
        for number in self._shown.numbers:
            value = getattr(latencies.get(number, NO_LATENCY), name)
            found.append(value if value > 0 else -1.0)
        return found

    def _counts(self, wanted: _Test) -> list[float]:
        """Return how many requests of some statuses each row has, the unanswered included."""
        of = self._columns
        return self._sums(of.counts, of.unanswered, wanted)

    def _rates(self, wanted: _Test) -> list[float]:
        """Return the same a second in the window."""
        of = self._columns
        return self._sums(of.rates, of.unanswered_rates, wanted)

    def _in_window(self, wanted: _Test) -> list[float]:
        """Return the same in the window, in whole requests."""
        of = self._columns
        rates, lost = (
            [round(rate * of.window_s) for rate in one] for one in (of.rates, of.unanswered_rates)
        )
        return self._sums(rates, lost, wanted)

    def _sums(
        self, column: Sequence[float], unanswered: Sequence[float], wanted: _Test
    ) -> list[float]:
        registry = self._columns.registry
        sums = list(unanswered)
        for at, value in enumerate(column):
            if value and wanted(registry.statuses[at]):
                sums[registry.endpoints[at]] += value
        return [sums[number] for number in self._shown.numbers]
