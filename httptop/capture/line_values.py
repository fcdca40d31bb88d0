"""What the lines of a capture of schema 1 hold: JSON, mostly lists whose places have a meaning.

No place changes its meaning. Older captures lack the last places, which have a default here; newer
ones may have more, which are passed over. The types are checked as a line is parsed, ranges and
texts in checked.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

import msgspec

from httptop.capture.problems import CaptureError
from httptop.model import (
    NO_LATENCY,
    EndpointKey,
    EndpointStats,
    Health,
    Latency,
    Overhead,
    PartyStats,
    RequestInFlight,
    Side,
    StatusLatency,
    Transaction,
)

#: The counters of the list of health, in their order.
HEALTH: Final = (
    "orphan_responses",
    "lost_samples",
    "lost_pieces",
    "overflow_requests",
    "parse_errors",
    "late_ticks",
    "missed_calls",
    "overfull_pipelines",
    "discarded_requests",
)
_Name = TypeVar("_Name", int, str)


class KeyList(msgspec.Struct, array_like=True):
    """An endpoint's key."""

    side: Side
    process: str
    protocol: str
    tls: bool
    method: str
    path: str
    user: str = ""
    port: int = 0
    host: str = ""

    def key(self) -> EndpointKey:
        """Return it as the model has it."""
        return EndpointKey(*msgspec.structs.astuple(self))


class LatencyList(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A summary of latencies, empty if nothing was measured."""

    count: int = 0
    mean_ns: float = 0.0
    p50_ns: float = 0.0
    p90_ns: float = 0.0
    p95_ns: float = 0.0
    p99_ns: float = 0.0
    p999_ns: float = 0.0
    max_ns: float | None = 0.0  # None: not known

    def latency(self) -> Latency:
        """Return it as the model has it."""
        if not self.count:
            return NO_LATENCY
        found = Latency(*msgspec.structs.astuple(self))
        return found if self.max_ns is not None else replace(found, max_ns=math.nan)


#: How many values of a trend went at its front, and those that were added.
Rates = tuple[int, list[float]]
Known = tuple[int, list[float | None]]
Party = tuple[_Name, int, int, int, float, float]
NOTHING: Final = LatencyList()


class RowList(msgspec.Struct, array_like=True):
    """A row that has changed, by its key's number."""

    number: int
    pids: list[int]
    requests: int
    rps: float
    in_flight: int | None
    unanswered: int
    status: list[tuple[int, int]]
    request_bytes: int
    response_bytes: int
    latency: LatencyList
    latency_total: LatencyList
    trend: Known
    sending_total: LatencyList = NOTHING
    duration_total: LatencyList = NOTHING
    wait_total: LatencyList = NOTHING
    truncated: int = 0
    paths: int | None = None
    more_paths: bool = False
    by_pid: list[tuple[int, int, int, int, float, float]] | None = None
    by_peer: list[tuple[str, int, int, int, float, float]] | None = None
    oldest_in_flight_ns: float | None = None
    containers: list[str] = []
    latency_by_status: list[tuple[int, int, float, float | None, float | None]] | None = None
    usual_p99_ns: float | None = None
    p99_change: float | None = None
    window_requests: int | None = None
    window_errors: int | None = None
    window_status: list[int] | None = None

    def row(self, key: EndpointKey, trend_ns: tuple[float | None, ...]) -> EndpointStats:
        """Return it as the model has it."""
        codes = self.window_status
        by_status = self.latency_by_status
        return EndpointStats(
            key=key,
            pids=tuple(self.pids),
            requests=self.requests,
            rps=self.rps,
            in_flight=self.in_flight,
            unanswered=self.unanswered,
            status=dict(self.status),
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            latency=self.latency.latency(),
            latency_total=self.latency_total.latency(),
            trend_ns=trend_ns,
            sending_total=self.sending_total.latency(),
            duration_total=self.duration_total.latency(),
            wait_total=self.wait_total.latency(),
            truncated=self.truncated,
            paths=self.paths,
            more_paths=self.more_paths,
            by_pid=_parties(self.by_pid),
            by_peer=_parties(self.by_peer),
            oldest_in_flight_ns=self.oldest_in_flight_ns,
            containers=tuple(self.containers),
            latency_by_status=None
            if by_status is None
            else {one[0]: StatusLatency(*one[1:]) for one in by_status},
            usual_p99_ns=self.usual_p99_ns,
            p99_change=self.p99_change,
            window_requests=self.window_requests,
            window_errors=self.window_errors,
            window_status=None
            if codes is None
            else dict(zip(codes[::2], codes[1::2], strict=False)),
        )


def _parties(
    parties: Iterable[tuple[_Name, int, int, int, float, float]] | None,
) -> Mapping[_Name, PartyStats] | None:
    return None if parties is None else {one[0]: PartyStats(*one[1:]) for one in parties}


class TrendLists(msgspec.Struct, array_like=True):
    """The trends of a side's totals, in the order of Totals."""

    rps: Rates
    error_share: Known
    p50_ns: Known
    p99_ns: Known
    classes: tuple[int, list[tuple[float, float, float, float, float, float]]] = (0, [])
    bands: tuple[int, list[tuple[tuple[int, int], ...]]] = (0, [])


class TotalsList(msgspec.Struct, array_like=True):
    """The totals of a side."""

    requests: int
    rps: float
    in_flight: int | None
    unanswered: int
    status: list[tuple[int, int]]
    request_bytes: int
    response_bytes: int
    latency: LatencyList
    error_share: float
    trends: TrendLists
    latency_total: LatencyList = NOTHING


class RequestList(msgspec.Struct, array_like=True):
    """A single request."""

    serial: int
    started_at: float
    key: KeyList
    pid: int
    path: str
    status: int
    latency_ns: int
    request_bytes: int
    response_bytes: int | None
    peer: str | None
    slow: bool
    response_head: tuple[str, ...] = ()
    request_head: tuple[str, ...] = ()

    def request(self) -> Transaction:
        """Return it as the model has it."""
        serial, started_at, key, *rest = msgspec.structs.astuple(self)
        return Transaction(serial, started_at, key.key(), *rest)


class OverheadList(msgspec.Struct, array_like=True):
    """What httptop cost."""

    cpu_percent: float | None
    rss_bytes: int | None
    open_fds: int | None
    context_switches: int | None
    bpf_cpu_percent: float | None
    bpf_ns_per_call: float | None
    bpf_calls: int | None
    samples_per_s: float | None
    shed: tuple[str, ...] = ()
    window_bytes: int | None = None
    tables: list[tuple[str, float]] = []

    def overhead(self) -> Overhead:
        """Return it as the model has it."""
        named = msgspec.structs.asdict(self)
        return Overhead(**{**named, "tables": dict(self.tables)})


class InFlightList(msgspec.Struct, array_like=True):
    """A request in flight, by its key's number."""

    number: int
    age_ns: float
    pid: int | None
    peer: str
    peer_process: str = ""
    peer_pid: int | None = None

    def request(self, key: EndpointKey) -> RequestInFlight:
        """Return it as the model has it."""
        return RequestInFlight(
            key, self.age_ns, self.pid, self.peer, self.peer_process, self.peer_pid
        )


class Line(msgspec.Struct):
    """A snapshot. A row or request that has not changed is only its number."""

    taken_at: float
    host: str
    uptime_s: float
    interval_s: float
    window_s: float
    final: bool
    totals: dict[Side, TotalsList]
    keys: list[KeyList]
    endpoints: list[int | RowList]
    recent: list[int | RequestList]
    health: list[int]
    overhead: OverheadList
    notes: tuple[str, ...]
    covered_s: float | None = None
    other_protocols: list[tuple[int, str, int]] = []
    in_flight: list[InFlightList] | None = None
    in_flight_cut: bool = False
    in_flight_after_s: float = 0.0


class Header(msgspec.Struct):
    """The first line."""

    httptop: str = ""
    schema: int = 0


def health_of(counters: list[int]) -> Health:
    """Return the health; counters that are lacking are 0, those unknown are passed over."""
    return Health(**dict(zip(HEALTH, counters, strict=False)))


_lines: Final = msgspec.json.Decoder(Line)
_headers: Final = msgspec.json.Decoder(Header)
_Kind = TypeVar("_Kind")


def line_of(line: bytes) -> Line:
    """Return what a line holds; raise :class:`CaptureError`."""
    return _decoded(_lines, line)


def header_of(line: bytes) -> Header:
    """Return what the first line holds; raise :class:`CaptureError`."""
    return _decoded(_headers, line)


def _decoded(decoder: msgspec.json.Decoder[_Kind], line: bytes) -> _Kind:
    try:
        return decoder.decode(line)
    except MemoryError:
        raise CaptureError("has a line that does not fit into memory") from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise CaptureError(f"has a damaged line: {str(error)[:200]}") from None
