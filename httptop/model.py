"""The data that the collector, the screens and the outputs share, as frozen values.

This module imports nothing from httptop. A :class:`Snapshot` is the complete, immutable state at
one tick; screens and outputs are functions of it. Strings from the network or from a process are
cleaned (``httptop.printable``) before they get here: printable, of limited length, without control
characters. So no consumer needs to escape them for a terminal.

Units are in the names: ``_ns`` nanoseconds, ``_s`` seconds, ``_bytes`` bytes. Counters are
cumulative since httptop started unless a name says ``window``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Side = Literal["server", "client"]
SIDES: Final[tuple[Side, Side]] = ("server", "client")

#: Path of the row that counts requests for which the kernel's tables had no room.
OVERFLOW_PATH: Final = "~other"
#: Path of the row that counts what the forgotten rows of its process and side have counted.
IDLE_PATH: Final = "~idle"
#: Path of the row that counts endpoints of its process and side which have had no outcome but 400,
#: 404 and 405, once they are many.
NOT_FOUND_PATH: Final = "~not found"
#: Path of the row that counts responses to bytes that are no request.
BAD_REQUEST_PATH: Final = "~bad request"
#: Paths of httptop's own rows, which have a place however many others there are.
OWN_PATHS: Final = (OVERFLOW_PATH, BAD_REQUEST_PATH, IDLE_PATH, NOT_FOUND_PATH)

#: ``status`` of a request without a response, or with one that httptop cannot know.
STATUS_UNKNOWN: Final = 0


#: The most entries of ``EndpointStats.pids``; if there are so many, some may be missing.
MOST_PIDS: Final = 16


def class_of(status: int) -> int:
    """Return a status' class, its first digit; 0 of an unknown one.

    A status of one digit is a class: that of responses whose code is not known, as their endpoint
    has had too many.
    """
    return status if status < 10 else status // 100


def status_name(status: int) -> str:
    """Return a status as text for people and scripts: ``200``, ``5xx`` (a class), ``unknown``."""
    if status == STATUS_UNKNOWN:
        return "unknown"
    return str(status) if status >= 10 else f"{status}xx"


@dataclass(frozen=True, slots=True, order=True)
class EndpointKey:
    """The key of an endpoint: side, process, server's port, protocol, method, path, host."""

    side: Side
    process: str  # name of the process (its first thread's), at most 15 characters
    protocol: str  # "HTTP/1.0", "HTTP/1.1"
    tls: bool
    method: str  # of RFC 9110, or "OTHER" for any other token
    path: str  # template: "/users/{id}"; "~other": see OVERFLOW_PATH and the next ones
    user: str = ""  # that the process runs as; "": not known
    port: int = 0  # of the server; 0: a Unix socket, one of httptop's own rows, or not known
    host: str = ""  # of a fleet; "": the one that the snapshot is of


@dataclass(frozen=True, slots=True)
class Latency:
    """A summary of a latency histogram; all values in nanoseconds.

    Quantiles are accurate to 1.6 % (the width of a histogram bucket), but in a fleet. If
    ``count == 0``, nothing was measured and the other fields are meaningless. A NaN is not known.
    """

    count: int = 0
    mean_ns: float = 0.0
    p50_ns: float = 0.0
    p90_ns: float = 0.0
    p95_ns: float = 0.0
    p99_ns: float = 0.0
    p999_ns: float = 0.0
    max_ns: float = 0.0


NO_LATENCY: Final = Latency()


#: The process, and the peer, of the requests of a row that no other entry has.
OTHER_PIDS: Final = 0
OTHER_PEERS: Final = "~other"
#: The peer of requests on Unix sockets.
UNIX_PEER: Final = "unix"


@dataclass(frozen=True, slots=True)
class PartyStats:
    """What a process, or a peer, has of a row's requests, since start."""

    requests: int  # answered + unanswered
    errors: int  # with a status of 400 or more, or unanswered
    #: Latencies; 0: none is known, and the next ones mean nothing.
    answered: int = 0
    mean_ns: float = 0.0
    max_ns: float = 0.0  # up to a microsecond more than it was


@dataclass(frozen=True, slots=True)
class StatusLatency:
    """The latencies of a row's responses of one status, since start."""

    count: int  # that were measured
    mean_ns: float
    #: As in :class:`Latency`; None: not known, as for most rows with several statuses.
    p50_ns: float | None = None
    p99_ns: float | None = None


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """One row of the endpoint table."""

    key: EndpointKey
    #: Its processes, ascending; at most MOST_PIDS; none outside httptop's process id namespace.
    pids: tuple[int, ...]
    requests: int  # answered + unanswered
    rps: float  # requests a second over the window
    in_flight: int | None  # None: not known
    unanswered: int
    status: Mapping[int, int]  # code or class -> responses; its sum + unanswered == requests
    request_bytes: int
    response_bytes: int
    latency: Latency  # over the window
    latency_total: Latency  # since start
    #: 99th percentile of the window at the end of each recent tick, oldest first, nanoseconds;
    #: None: there was no response in it.
    trend_ns: tuple[float | None, ...] = ()
    #: Since start, of responses sent in several calls: from their first byte to their last.
    sending_total: Latency = NO_LATENCY
    #: Since start, of all responses: from the request to the response's last byte.
    duration_total: Latency = NO_LATENCY
    #: Since start, server side, of a sample of requests: from their first bytes being ready to be
    #: read to the read.
    wait_total: Latency = NO_LATENCY
    #: Of the responses: those that the connection's end cut off, by their own framing.
    truncated: int = 0
    #: Of rows with the path NOT_FOUND_PATH: how many paths have been counted there; else None.
    paths: int | None = None
    #: Whether there were more than ``paths``, for which httptop had no room to tell them apart.
    more_paths: bool = False
    #: By pid, and by the peer's address, the most active first: at most 16, whose sums are the
    #: row's; what does not fit is in OTHER_PIDS and OTHER_PEERS. None: not known.
    by_pid: Mapping[int, PartyStats] | None = None
    by_peer: Mapping[str, PartyStats] | None = None
    #: How long the oldest request in flight has waited for its response; None: not known.
    oldest_in_flight_ns: float | None = None
    #: Containers that its processes run in, ascending, as far as known: short ids or names.
    containers: tuple[str, ...] = ()
    #: By the codes and classes of ``status`` of which any latency was measured. None: not known.
    latency_by_status: Mapping[int, StatusLatency] | None = None
    #: What is usual for the window's 99th percentile: the median of the ticks so far, of which the
    #: last ones count most. None: not known yet, or there are too few requests.
    usual_p99_ns: float | None = None
    #: How many times as high as usual it is now; 1: no more than it varies anyway.
    p99_change: float | None = None
    #: Requests that ended within the window, and the errors among these; None: not known.
    window_requests: int | None = None
    window_errors: int | None = None
    #: The window's requests by status; STATUS_UNKNOWN: the unanswered, too. None: not known.
    window_status: Mapping[int, int] | None = None
    #: Whether these are the figures of some statuses only, which the screen's filter picks: their
    #: bytes are not known, nor whose they are; by_pid and by_peer are of all its requests.
    partial: bool = False
    #: Whether its host, one of a fleet, sends figures no longer: these are its last ones.
    stale: bool = False

    def status_class(self, hundreds: int) -> int:
        """Return the responses with status ``hundreds * 100`` to ``hundreds * 100 + 99``."""
        return sum(n for code, n in self.status.items() if class_of(code) == hundreds)

    @property
    def shown_path(self) -> str:
        """The path for people: that of a row ``~not found`` with how many it stands for."""
        if self.paths is None:
            return self.key.path
        more = "+" if self.more_paths else ""
        return f"{self.key.path} ({self.paths:,}{more})"

    @property
    def errors(self) -> int:
        """The number of responses with a status of 400 or more, and of unanswered requests."""
        return errors_of(self.status, self.unanswered)

    @property
    def error_share(self) -> float | None:
        """The share of errors among the window's requests, 0 to 1; None: not known, or none."""
        if not self.window_requests or self.window_errors is None:
            return None
        return self.window_errors / self.window_requests


def errors_of(status: Mapping[int, int], unanswered: int) -> int:
    """Return the responses with a status of 400 or more, and the unanswered requests."""
    return unanswered + sum(n for code, n in status.items() if class_of(code) >= 4)


#: A value for each class of responses, by its first digit; 0: unanswered, or with no known status.
ClassRates = tuple[float, float, float, float, float, float]
STATUS_CLASSES: Final = 6
#: Latencies are drawn in bands, from LEAST_BAND_NS on, of which two double the latency.
BANDS_PER_OCTAVE: Final = 2
LEAST_BAND_NS: Final = 512
#: (band, latencies) of those bands that have any, ascending.
Bands = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of all endpoints of one side."""

    requests: int = 0
    rps: float = 0.0
    in_flight: int | None = 0  # None: not known
    unanswered: int = 0
    status: Mapping[int, int] = field(default_factory=dict)
    request_bytes: int = 0
    response_bytes: int = 0
    latency: Latency = NO_LATENCY  # over the window
    latency_total: Latency = NO_LATENCY  # since start
    #: Share of errors (status >= 400 and unanswered) among the window's requests, 0 to 1.
    error_share: float = 0.0
    # One value for each tick, oldest first; None: nothing was measured in that tick.
    trend_rps: tuple[float, ...] = ()
    trend_error_share: tuple[float | None, ...] = ()
    trend_p50_ns: tuple[float | None, ...] = ()
    trend_p99_ns: tuple[float | None, ...] = ()
    #: Responses a second.
    trend_classes: tuple[ClassRates, ...] = ()
    trend_bands: tuple[Bands, ...] = ()

    def status_class(self, hundreds: int) -> int:
        """Return the responses with status ``hundreds * 100`` to ``hundreds * 100 + 99``."""
        return sum(n for code, n in self.status.items() if class_of(code) == hundreds)


NO_TOTALS: Final = Totals()


@dataclass(frozen=True, slots=True)
class Transaction:
    """One sampled request and its response; counts never depend on it."""

    serial: int  # ascending in order of arrival, unique within a run
    started_at: float  # Unix time of the first byte of the request, seconds
    key: EndpointKey  # the endpoint it was counted under
    pid: int  # 0: outside the process id namespace that httptop runs in
    #: As sent, with its query, redacted (security.redact) and cleaned; the endpoint's
    #: template if it is unknown, as for requests with others behind them in a pipeline.
    path: str
    status: int  # STATUS_UNKNOWN: no response
    latency_ns: int
    request_bytes: int  # seen up to the response's first byte
    response_bytes: int | None  # of the whole response if its header section tells; None: unknown
    peer: str | None = None  # "203.0.113.7:443", "[::1]:80", None: not known (Unix socket)
    slow: bool = False  # took at least sampling.slow_threshold
    #: Captured lines of the response's header section, the status line first; cleaned, redacted.
    response_head: tuple[str, ...] = ()
    #: Likewise of the request's, without the request line; empty where they were not kept, as of
    #: most requests of a busy host.
    request_head: tuple[str, ...] = ()

    @property
    def responded_at(self) -> float:
        """Unix time of the response's first byte, or of the end without one, seconds."""
        return self.started_at + self.latency_ns / 1e9


@dataclass(frozen=True, slots=True)
class Health:
    """What httptop missed or could not attribute; normally all 0."""

    orphan_responses: int = 0  # responses to requests under way at the start: no fault
    lost_samples: int = 0  # samples that did not fit into the ring buffer
    lost_pieces: int = 0  # pieces of calls that did not fit
    overflow_requests: int = 0  # requests counted under ~other
    parse_errors: int = 0  # malformed header sections on known HTTP connections
    late_ticks: int = 0  # ticks that started late by more than half an interval
    missed_calls: int = 0  # system calls that the kernel did not report (the program was busy)
    overfull_pipelines: int = 0  # requests without a place behind others; outcome unknown
    #: Requests that a server read behind a response that closes the connection; not counted.
    discarded_requests: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing was lost or left out."""
        return not (
            self.lost_samples
            or self.lost_pieces
            or self.overflow_requests
            or self.late_ticks
            or self.missed_calls
            or self.overfull_pipelines
        )


@dataclass(frozen=True, slots=True)
class Overhead:
    """What httptop itself costs. None: unknown yet, or not available on this host."""

    cpu_percent: float | None = None  # user space, all httptop processes; 100 = one core
    rss_bytes: int | None = None
    open_fds: int | None = None
    context_switches: int | None = None
    bpf_cpu_percent: float | None = None  # the kernel programs' own time; 100 = one core
    bpf_ns_per_call: float | None = None
    bpf_calls: int | None = None
    samples_per_s: float | None = None
    window_bytes: int | None = None  # of user space: what the log of the window takes
    shed: tuple[str, ...] = ()  # detail left out to limit the cost: "samples", "pids"
    #: Which part of the kernel's tables is taken, 0 to 1, by name: "endpoints", "connections".
    tables: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What is known besides of the endpoint that the screen looks at; outputs do not have it."""

    key: EndpointKey
    latency_by_status: Mapping[int, StatusLatency]  # as in EndpointStats, with percentiles
    #: Its latencies since start, as in Totals.trend_bands; those of cells that were given back, or
    #: count in another row now, are missing.
    bands: Bands = ()
    #: As in EndpointStats, but of the window's requests; the longest latencies are not known.
    #: None: it is not known what was there when the window began.
    by_pid: Mapping[int, PartyStats] | None = None
    by_peer: Mapping[str, PartyStats] | None = None


@dataclass(frozen=True, slots=True)
class Filtered:
    """What is known of the requests that the screen's filter picks; outputs do not have it."""

    filter: str  # as httptop.filters.on_screen.ScreenFilter.text
    began_s: float  # uptime when it was set: nothing is known of before
    #: The window's latencies, with means of buckets, and the trends.
    totals: Mapping[Side, Totals]


#: ``working``; ``failing``: what it sends is refused, and tried again; ``ended``: for good.
SinkState = Literal["working", "failing", "ended"]


@dataclass(frozen=True, slots=True)
class SinkStats:
    """What has become of what a sink is to send somewhere, such as the snapshots of a recording."""

    name: str
    state: SinkState
    sent: int = 0
    waiting: int = 0
    dropped: int = 0  # never to be sent: too slow, failed for too long, or refused
    failed: int = 0  # attempts
    reconnects: int = 0  # how often it worked again after it had failed
    error: str = ""  # the latest one; it may be over
    unit: str = "snapshot"  # what these numbers count; its plural ends in s

    @property
    def good(self) -> bool:
        """Whether it lacks nothing, and works."""
        return self.state == "working" and not self.dropped

    @property
    def offered(self) -> int:
        """How many it has had to send."""
        return self.sent + self.waiting + self.dropped


@dataclass(frozen=True, slots=True)
class HostStats:
    """A host of a fleet, as its own httptop sees itself. None: it does not say."""

    name: str
    up: bool  # whether it sends figures; those of one that does not are its last ones
    seen_at: float  # when it did last (Unix time), seconds
    version: str = ""
    health: Health | None = None
    cpu_percent: float | None = None  # as in Overhead, like the next ones
    rss_bytes: int | None = None
    bpf_cpu_percent: float | None = None


#: The most entries of ``Snapshot.in_flight``.
MOST_IN_FLIGHT: Final = 1000


@dataclass(frozen=True, slots=True)
class RequestInFlight:
    """A request whose response has not begun."""

    key: EndpointKey
    age_ns: float  # since its first byte
    pid: int | None  # None: a process outside httptop's process id namespace
    peer: str  # the other end's address, without a port; UNIX_PEER
    #: The process at the other end, where that is one of this host that is seen to have the same
    #: request in flight; empty and None: not known.
    peer_process: str = ""
    peer_pid: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The complete state at one tick."""

    taken_at: float  # Unix time, seconds: the only clock a consumer may use
    host: str
    uptime_s: float  # since httptop's start
    interval_s: float  # between ticks
    window_s: float  # what rates and latencies are to cover
    covered_s: float  # what they cover: less at the start, and where a longer window has no room
    totals: Mapping[Side, Totals]
    endpoints: Sequence[EndpointStats]  # a tuple, or RowsOnDemand
    recent: tuple[Transaction, ...] = ()  # samples, newest first, bounded
    health: Health = Health()
    overhead: Overhead = Overhead()
    final: bool = False
    #: Whether it was taken before its tick was over, so that the screen has the first rows at once.
    early: bool = False
    #: Sentences about what cannot be seen here, e.g. because the kernel refused a probe.
    notes: tuple[str, ...] = ()
    #: (pid, "tls" or "http2") -> connections seen to start with it since start, on either side.
    other_protocols: Mapping[tuple[int, str], int] = field(default_factory=dict)
    #: The requests in flight, the oldest first, at most MOST_IN_FLIGHT; None: nobody has asked.
    in_flight: tuple[RequestInFlight, ...] | None = None
    in_flight_cut: bool = False  # whether there are more, younger ones
    #: Whether only the screen has asked, so that outputs have neither these nor the rows' oldest.
    in_flight_for_screen: bool = False
    #: How long before this snapshot's moment they were read; with many connections that is not
    #: each tick. Where they were, it is negative: they are read after the counters.
    in_flight_age_s: float = 0.0
    looked_at: LookedAt | None = None
    filtered: Filtered | None = None
    #: Of the sinks that snapshots go to; as of when it was handed to them.
    sinks: tuple[SinkStats, ...] = ()
    #: Of a fleet, by name; whose rows have hosts in their keys.
    hosts: tuple[HostStats, ...] = ()
    #: What a longer window would cover, seconds; only of a live run with a screen.
    kept_s: float = 0.0

    def total(self, side: Side) -> Totals:
        """Return the totals of one side, zeros if it has none."""
        return self.totals.get(side, NO_TOTALS)
