"""The values of all settings: a frozen class for each section, whose defaults are the settings'."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from httptop.http.redaction import Level
from httptop.humanize import ByteUnits, LatencyUnit
from httptop.model import Side

_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class General:
    """The run as a whole."""

    enabled: bool = True
    tick_s: float = 1.0
    window_s: float = 60.0
    forget_s: float = 900.0
    history: int = 120  # ticks of the totals' trends
    process_name: str = "process"
    shutdown_timeout_s: float = 5.0
    auto_reload: bool = True
    log_level: str = "info"
    log_file: str = ""


@dataclass(frozen=True, slots=True)
class ProcessFilter:
    """Which processes are selected; empty: all."""

    pids: tuple[int, ...] = ()
    exclude_pids: tuple[int, ...] = ()
    min_pid: int = 1
    names: tuple[str, ...] = ()
    exclude_names: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkFilter:
    """Which connections are selected; empty: all."""

    ports: tuple[int, ...] = ()
    exclude_ports: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    exclude_addresses: tuple[str, ...] = ()
    localhost_only: bool = False
    unix_sockets: bool = True


@dataclass(frozen=True, slots=True)
class HttpFilter:
    """Which requests are counted; empty or 0: all."""

    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    exclude_paths: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    min_latency_ns: int = 0
    max_latency_ns: int = 0
    min_request_bytes: int = 0
    max_request_bytes: int = 0
    min_response_bytes: int = 0
    max_response_bytes: int = 0


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which kinds of traffic are read."""

    side: str = "both"
    reads: bool = True
    writes: bool = True
    connects: bool = True
    accepts: bool = True
    own: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """What is counted; fixed for the run."""

    expression: str = ""
    process: ProcessFilter = ProcessFilter()
    network: NetworkFilter = NetworkFilter()
    http: HttpFilter = HttpFilter()
    events: EventFilter = EventFilter()


@dataclass(frozen=True, slots=True)
class Paths:
    """How paths become the templates of endpoints."""

    templates: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    id_rules: tuple[str, ...] = ("number", "hex", "mixed")
    max_distinct: int = 32768
    max_not_found: int = 32


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which single requests are shown; counts are never sampled."""

    strategy: str = "tail"
    rate: float = 1.0
    per_second: int = 100
    burst: int = 100
    slow_threshold_ns: int = 500 * _MS


@dataclass(frozen=True, slots=True)
class Output:
    """What batch mode prints."""

    format: str = "text"
    sort: str = "requests"
    active: bool = False
    in_flight: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Where a line goes for each sampled request."""

    to: tuple[str, ...] = ()  # see httptop.config.destination
    format: str = "json"


@dataclass(frozen=True, slots=True)
class ExportedMetrics:
    """What outputs of metrics send."""

    max_series: int = 2000
    #: OpenTelemetry's 14 bounds, and five below them, for services on the same host.
    bounds_ns: tuple[int, ...] = (
        *(100_000, 250_000, 500_000, 1 * _MS, 2_500_000),
        *(5 * _MS, 10 * _MS, 25 * _MS, 50 * _MS, 75 * _MS, 100 * _MS, 250 * _MS, 500 * _MS),
        *(750 * _MS, 1000 * _MS, 2500 * _MS, 5000 * _MS, 7500 * _MS, 10_000 * _MS),
    )


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Metrics for who comes and asks for them."""

    listen: str = ""
    native: bool = True


@dataclass(frozen=True, slots=True)
class Otlp:
    """What is pushed by OpenTelemetry's protocol, and where."""

    endpoint: str = ""  # see httptop.config.otlp_endpoint
    metrics: bool = True
    spans: bool = True
    interval_s: float = 60.0
    histogram: str = "exponential"
    temporality: str = "cumulative"
    timeout_s: float = 10.0
    compression: str = "gzip"
    headers_file: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Performance:
    """Sizes of the kernel's tables, and what httptop may use."""

    max_endpoints: int = 8192
    max_connections: int = 65536
    max_histograms: int = 49152
    max_pipelined: int = 16384
    max_users: int = 12288
    ring_buffer_bytes: int = 1 << 20
    batch_size: int = 4096
    cache: str = "/var/cache/httptop"
    cpu_affinity: tuple[int, ...] = ()
    nice: int = 10
    max_overhead_percent: float = 0.0


@dataclass(frozen=True, slots=True)
class Security:
    """What httptop may do, and what it keeps of requests."""

    drop_privileges: bool = True
    user: str = ""
    keep_no_capabilities: bool = True
    seccomp: bool = True
    allow_root_ui: bool = True
    redact: Level = "default"
    redact_captures: Level = "strict"
    shown_fields: tuple[str, ...] = (
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "accept-ranges",
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-max-age",
        "access-control-request-headers",
        "access-control-request-method",
        "age",
        "allow",
        "alt-svc",
        "cache-control",
        "connection",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "dnt",
        "etag",
        "expect",
        "expires",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "last-modified",
        "max-forwards",
        "origin",
        "pragma",
        "priority",
        "range",
        "retry-after",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "server",
        "server-timing",
        "strict-transport-security",
        "te",
        "timing-allow-origin",
        "traceparent",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "upgrade-insecure-requests",
        "user-agent",
        "vary",
        "via",
        "x-cache",
        "x-content-type-options",
        "x-correlation-id",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-frame-options",
        "x-powered-by",
        "x-request-id",
        "x-requested-with",
    )
    max_captured_bytes: int = 1024


@dataclass(frozen=True, slots=True)
class Fleet:
    """How ``--from`` asks a Prometheus server."""

    host_label: str = "instance"
    max_endpoints: int = 10_000
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Watches:
    """What is watched on the screen."""

    rules: tuple[str, ...] = (
        "any p99 > 3x usual for 30s",
        "all 5xx > 5% for 30s",
        "any oldest > 30s",
    )


@dataclass(frozen=True, slots=True)
class Ui:
    """How the screen looks at first."""

    window_s: float = 10.0
    refresh_s: float = 0.0  # 0: with every tick
    theme: str = "dark"
    symbols: Literal["braille", "block", "ascii"] = "braille"
    columns: tuple[str, ...] = ()  # empty: as many as fit, in our own order
    sort: str = "rps"
    side: Side = "server"
    filter: str = ""
    latency_unit: LatencyUnit = "auto"
    byte_units: ByteUnits = "iec"
    confirm_quit: bool = False
    alert: Literal["none", "bell", "notify"] = "none"
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a run."""

    general: General = General()
    filter: Filter = Filter()
    paths: Paths = field(default_factory=Paths)
    sampling: Sampling = Sampling()
    output: Output = Output()
    request_log: RequestLog = RequestLog()
    metrics: ExportedMetrics = ExportedMetrics()
    prometheus: Prometheus = Prometheus()
    otlp: Otlp = Otlp()
    performance: Performance = field(default_factory=Performance)
    security: Security = field(default_factory=Security)
    fleet: Fleet = Fleet()
    watches: Watches = Watches()
    ui: Ui = Ui()


DEFAULTS: Final = Settings()
