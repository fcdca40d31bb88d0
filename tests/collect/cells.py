"""A fake source, and what it hands out: for tests of the collector and of what stands before it."""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from httptop.collect import source
from httptop.collect.endpoints import EndpointRows
from httptop.collect.histogram import bucket_of
from httptop.collect.overhead import OverheadMeter
from httptop.collect.party_figures import NO_FIGURES, Party
from httptop.collect.path_rules import PathRules
from httptop.collect.source import (
    Controls,
    KernelCost,
    RawEndpoint,
    RawInFlight,
    RawResponse,
    RawSample,
)
from httptop.collect.sums import Slots
from httptop.collect.window import SLOTS
from httptop.collector import Collector
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS, Settings
from httptop.model import UNIX_PEER, EndpointStats, Overhead, Snapshot
from tests.collect.reference_sums import (
    CellDelta,
    ReferenceParties,
    ReferenceReturns,
    ReferenceSums,
)

FAST = bucket_of(10_000)
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@dataclass(slots=True)
class Reading(source.Reading):
    """A reading, and what cells have counted until then: what those are for that are new."""

    endpoints: Mapping[int, RawEndpoint] = field(default_factory=dict)
    responses: Mapping[int, RawResponse] = field(default_factory=dict)
    deltas: Iterable[CellDelta] = ()
    #: (endpoint's cell, pid) of parties that have had nothing yet.
    processes: Iterable[tuple[int, int]] = ()


def delta(cell: int, **values: object) -> CellDelta:
    blank = CellDelta(cell, 0, 0, 0, 0, 0, 0, 0, {})
    return blank._replace(**values)  # type: ignore[arg-type]


def answered(cell: int, count: int, size: int = 0) -> CellDelta:
    return delta(
        cell, counted=count, bytes=size, sum_ns=10_000 * count, max_ns=10_000,
        histogram={FAST: count} if count else {},
    )  # fmt: skip


def endpoint(path: str, side: int = 0, method: str = "GET", process: bytes = b"web") -> RawEndpoint:
    return RawEndpoint(side, process, 1, method, path.encode(), False)


def sampled(
    latency_ns: int = 1000,
    status: int = 200,
    line: bytes = b"GET /a/7 HTTP/1.1",
    response: bytes = RESPONSE,
    cell: int = 5,
) -> RawSample:
    return RawSample(
        2_000_000_000, latency_ns, 10, cell, 42, status, line, False, response, "h:1"
    )  # fmt: skip


class FakeSource:
    """Returns the given readings in order, and records the calls."""

    def __init__(
        self, *readings: Reading, opens: Exception | None = None, most_rows: int = 1000
    ) -> None:
        self.readings = deque(readings)
        self.calls: list[str] = []
        self.controls: list[Controls] = []
        self._opens = opens
        self.sums = ReferenceSums(most_rows)
        self.returns = ReferenceReturns(self.sums, self._forget)
        self.parties = ReferenceParties()
        self.waiting_requests: list[RawInFlight] = []
        self.read_ns: Iterator[int] = iter(())  # when those are read
        self._endpoints: dict[int, RawEndpoint] = {}
        self._responses: dict[int, RawResponse] = {}
        self.read_once = threading.Event()

    @contextlib.contextmanager
    def around(self, to_end: int) -> Iterator[tuple[str, ...]]:  # noqa: ARG002
        """What a run does around the readings."""
        self.calls.append("start up")
        if self._opens is not None:
            raise self._opens
        yield ("a note",)
        self.calls.append("wind down")

    def read(self) -> Reading:
        self.calls.append("read")
        reading = self.readings.popleft() if self.readings else Reading()
        self.count(reading)
        self.read_once.set()
        return reading

    def count(self, reading: Reading) -> None:
        """Have cells count what stands in a reading."""
        self._endpoints.update(reading.endpoints)
        self._responses.update(reading.responses)
        self.sums.feed(reading.deltas)
        for number, (cell, pid) in enumerate(reading.processes, len(self.parties.known) + 1):
            self.parties.add(number, Party(cell, pid, UNIX_PEER), NO_FIGURES)

    def _forget(self, cell: int) -> None:
        self._endpoints.pop(cell, None)
        self._responses.pop(cell, None)

    def names(
        self, cells: Collection[int]
    ) -> tuple[dict[int, RawEndpoint], dict[int, RawResponse]]:
        responses = {cell: self._responses[cell] for cell in cells if cell in self._responses}
        wanted = {*cells, *(response.endpoint for response in responses.values())}
        endpoints = {cell: self._endpoints[cell] for cell in wanted if cell in self._endpoints}
        return endpoints, responses

    def in_flight(self) -> tuple[list[RawInFlight], int]:
        self.calls.append("in flight")
        return self.waiting_requests, next(self.read_ns)

    def wait(self, since_s: float, due_s: float, woken: int) -> bool:  # noqa: ARG002
        waiting = select.poll()
        waiting.register(woken, select.POLLIN)
        return bool(waiting.poll(max(0.0, due_s - time.monotonic()) * 1000))

    def control(self, controls: Controls) -> None:
        self.calls.append("control")
        self.controls.append(controls)

    def detach(self) -> None:
        self.calls.append("detach")

    def close(self) -> None:
        self.calls.append("close")


class FedRows(EndpointRows):
    """The rows, with a source that has cells count."""

    def __init__(
        self,
        *templates: str,
        max_distinct: int = 1000,
        max_not_found: int = 0,
        scope: Scope | None = None,
        most_rows: int = 1000,
        history: int = 120,
        max_series: int = 0,
        methods: frozenset[str] | None = None,
    ) -> None:
        self.source = FakeSource(most_rows=most_rows)
        self._starts: tuple[int, ...] = ()
        super().__init__(
            self.source.sums, self.source.returns, self.source.parties, scope or Scope(),
            PathRules(templates), max_distinct=max_distinct, max_not_found=max_not_found,
            history=history, max_series=max_series, methods=methods,
        )  # fmt: skip

    def take(self, reading: Reading, slot: int = 0) -> None:
        """Have cells count, and add that up."""
        self.source.count(reading)
        begun = dict.fromkeys((*self._starts, slot))
        self._starts = tuple(start for start in begun if start > slot - SLOTS)
        self.count(Slots(self._starts[0], self._starts), self.source.names)

    def by_path(self) -> dict[str, EndpointStats]:
        """Return the rows as they are now."""
        rows = self.table(1.0)
        assert len({row.key for row in rows}) == len(rows)
        return {row.key.path: row for row in rows}


class FakeMeter(OverheadMeter):
    """Says what every tick cost."""

    def __init__(self, percents: Iterable[float] = ()) -> None:
        self._percents = iter(percents)

    def measure(self, clock_s: float, samples: int, cost: KernelCost | None) -> Overhead:  # noqa: ARG002
        if cost is not None:
            return Overhead(bpf_cpu_percent=cost.cpu_percent, bpf_ns_per_call=cost.ns_per_run)
        return Overhead(cpu_percent=next(self._percents, None))


def collecting(
    *readings: Reading,
    settings: Settings = DEFAULTS,
    scope: Scope | None = None,
    kept_s: float = 0.0,
    exported: bool = False,
) -> Collector:
    made = Collector(
        FakeSource(*readings), settings, scope or Scope(), host="here", kept_s=kept_s,
        exported=exported,
    )  # fmt: skip
    made.begin(1000.0, 4e8)
    return made


def rows_of(snapshot: Snapshot) -> dict[str, EndpointStats]:
    return {f"{row.key.side} {row.key.path}": row for row in snapshot.endpoints}
