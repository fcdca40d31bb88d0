"""What a source hands to the collector: what the kernel has counted, by cell.

The kernel counts in numbered cells: one for each endpoint (requests begun, unanswered), one for
each status of an endpoint (responses and their latencies), and one for each further measure of
these. A source says once what a new cell is for and then, in each reading, what has been added to
it. Byte strings are as they came from the network; the collector cleans them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from httptop.collect.measure import Measure


class RawEndpoint(NamedTuple):
    """The endpoint whose requests a cell counts."""

    side: int  # index into model.SIDES
    process: bytes
    version: int  # n: HTTP/1.n; from 100 on: 100 + 10 * major + minor
    method: str
    path: bytes
    truncated: bool  # the path went on


#: The status of responses that a filter in the kernel excludes, as the kernel has it (abi.h).
LEFT_OUT: Final = 0xFFFF


class RawResponse(NamedTuple):
    """What a cell of responses counts."""

    endpoint: int  # its cell
    status: int  # 0: unknown; or LEFT_OUT
    measure: Measure = Measure.LATENCY


class CellDelta(NamedTuple):
    """What has been added to a cell since the last reading."""

    cell: int
    counted: int  # requests begun, or responses, or times of responses
    bytes: int  # of requests, or of responses
    sum_ns: int  # of the times in the histogram
    max_ns: int  # since start, not since the last reading
    unanswered: int  # requests; of responses: those that the connection's end cut off
    unmeasured: int  # times that no histogram was left for
    moved: int  # endpoints only: requests that ended elsewhere: under ~other, or discarded
    histogram: dict[int, int]  # bucket (histogram.py) -> times


class RawSample(NamedTuple):
    """One request and its response, as the kernel saw them."""

    start_ns: int  # the monotonic clock
    latency_ns: int
    request_bytes: int
    endpoint: int  # its cell
    pid: int
    status: int
    line: bytes  # the request line, cut; empty: another request's came before the response
    line_cut: bool
    response: bytes  # the first bytes of the response
    peer: str | None


class Losses(NamedTuple):
    """What was missed since start; see model.Health."""

    orphan_responses: int = 0
    lost_samples: int = 0
    parse_errors: int = 0
    untracked_requests: int = 0
    lost_pieces: int = 0
    overfull_pipelines: int = 0
    discarded_requests: int = 0
    missed_calls: int = 0


NO_LOSSES: Final = Losses()


class KernelCost(NamedTuple):
    """What the programs cost while they were timed."""

    runs: int  # timed since start
    ns_per_run: float | None  # None: nothing ran in that time
    cpu_percent: float  # 100 = one core


@dataclass(slots=True)
class Reading:
    """Everything that is new since the last reading."""

    #: Cells and what they count: at least the new ones.
    endpoints: dict[int, RawEndpoint] = field(default_factory=dict)
    responses: dict[int, RawResponse] = field(default_factory=dict)
    deltas: list[CellDelta] = field(default_factory=list)
    processes: list[tuple[int, int]] | None = None  # (endpoint's cell, pid), all; None: as before
    #: (pid, "tls" or "http2", connections since start whose first bytes were of it)
    other_protocols: list[tuple[int, str, int]] = field(default_factory=list)
    samples: list[RawSample] = field(default_factory=list)
    losses: Losses = NO_LOSSES
    cost: KernelCost | None = None


@dataclass(frozen=True, slots=True)
class Controls:
    """What can change while a source runs; nothing here changes a count."""

    strategy: str  # of sampling: "tail", "all", "random" or "per-endpoint"
    share: float  # of requests that may be sampled, 0 to 1
    per_second: int  # samples
    burst: int  # samples that may come at once
    slow_ns: int  # latency from which a request counts as slow
    most_samples: int  # taken in one reading
    processes: bool = True  # whether the processes active on endpoints are recorded
    templates: tuple[str, ...] = ()  # path templates of the user's (paths.templates)
    keep: tuple[str, ...] = ()  # patterns of paths that are not templated (paths.keep)


class Interrupted(Exception):
    """The run is to end before its first reading."""


class Source(Protocol):
    """Where readings come from; used by the collector's thread alone."""

    def read(self) -> Reading:
        """Return what is new."""

    def wait(self, since_s: float, due_s: float, woken: int) -> bool:
        """Wait for the end of a tick, and do meanwhile what should not wait for the next reading.

        The tick is from ``since_s`` to ``due_s``, on the monotonic clock. Returns True as soon as
        the descriptor ``woken`` is readable, and then may be called again for the rest of the tick,
        which may have become another; else False, at the end.
        """

    def control(self, controls: Controls) -> None:
        """Apply ``controls``; called before the first reading and on every change."""

    def detach(self) -> None:
        """Count no more; what has been counted can still be read."""

    def close(self) -> None:
        """Release all resources; idempotent."""
