"""What a source hands to the collector.

The kernel counts in numbered cells: one for each endpoint (requests begun, unanswered), one for
each status of an endpoint (responses and their latencies), and one for each further measure of
these. A source says what a new cell counts, and adds up what all of them count (sums.py). All else
that is new comes in readings. Byte strings are as they came from the network; the collector cleans
them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from httptop.collect.measure import Measure
from httptop.collect.parties import PartySource
from httptop.collect.sums import CellReturns, RowSums


class RawEndpoint(NamedTuple):
    """The endpoint whose requests a cell counts."""

    side: int  # index into model.SIDES
    process: bytes
    version: int  # n: HTTP/1.n; from 100 on: 100 + 10 * major + minor
    method: str
    path: bytes
    truncated: bool  # the path went on
    uid: int | None = None  # of the process
    own: bool = False  # the path is httptop's own, such as ~other
    port: int = 0  # of the server; 0: a Unix socket, or the path is httptop's own


#: The status of responses that a filter in the kernel excludes, as the kernel has it (abi.h).
LEFT_OUT: Final = 0xFFFF


class RawResponse(NamedTuple):
    """What a cell of responses counts."""

    endpoint: int  # its cell
    status: int  # 0: unknown; or LEFT_OUT
    measure: Measure = Measure.LATENCY


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
    head: bytes = b""  # the first bytes of the request, its line among them; empty: not kept


class RawInFlight(NamedTuple):
    """A request whose response has not begun."""

    endpoint: int  # its cell
    start_ns: int  # the monotonic clock
    pid: int  # 0: a process that has no id here
    peer: str  # an address without a port, or "unix"
    ports: tuple[int, int] | None = None  # the server's and the client's; None: a Unix socket


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

    runs: int | None  # timed since start
    ns_per_run: float | None  # None: nothing ran in that time
    cpu_percent: float | None  # 100 = one core


#: They were to be timed, and were not.
UNMEASURED: Final = KernelCost(None, None, None)


@dataclass(slots=True)
class Reading:
    """What is new since the last reading, besides what cells count."""

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
    parties: bool = True  # whether the parties to requests are recorded (parties.py)
    templates: tuple[str, ...] = ()  # path templates of the user's (paths.templates)
    keep: tuple[str, ...] = ()  # patterns of paths that are not templated (paths.keep)


#: Returns what cells are for: those of requests, those of responses; see Source.names.
Names = Callable[[Collection[int]], tuple[Mapping[int, RawEndpoint], Mapping[int, RawResponse]]]


class Interrupted(Exception):
    """The run is to end before its first reading."""


class Source(Protocol):
    """Where readings come from; used by the collector's thread alone."""

    @property
    def sums(self) -> RowSums:
        """What its cells count, added up; once the run has begun."""

    @property
    def returns(self) -> CellReturns:
        """The way back of cells; once the run has begun."""

    @property
    def parties(self) -> PartySource:
        """Whose requests they are, and where they come from; once the run has begun."""

    def names(
        self, cells: Collection[int]
    ) -> tuple[dict[int, RawEndpoint], dict[int, RawResponse]]:
        """Return what cells that have counted are for: those of requests, and those of responses.

        The cells of the requests that belong to these responses are among the first.
        """

    def read(self) -> Reading:
        """Return what is new."""

    def in_flight(self) -> tuple[list[RawInFlight], int]:
        """Return the requests in flight, in no order, and when they had been read.

        That is on the monotonic clock, in ns. Called only where somebody asks for them.
        """

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
