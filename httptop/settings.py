"""Every setting, once: its place, kind, meaning and flag; the default is the dataclass's.

From the table ``SETTINGS`` come the flags, the checks, ``--print-config``, the comments of
``--save-config`` and docs/settings.md. A setting stands here only when changing it changes
something.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Final, Literal

from httptop.kinds import (
    FILTER,
    GLOB,
    METHOD,
    STATUS,
    Choice,
    Duration,
    Integer,
    Kind,
    Many,
    Size,
    Switch,
)
from httptop.model import SIDES, Side
from httptop.view import SORTS

_THEMES: Final = (
    "httptop-dark",
    "httptop-light",
    "ansi-dark",
    "ansi-light",
    "catppuccin-latte",
    "catppuccin-mocha",
    "dracula",
    "flexoki",
    "gruvbox",
    "monokai",
    "nord",
    "solarized-dark",
    "solarized-light",
    "textual-dark",
    "textual-light",
    "tokyo-night",
)
_MS: Final = 1_000_000
_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class General:
    """The run as a whole."""

    tick_s: float = 1.0
    window_s: float = 60.0
    format: str = "text"


@dataclass(frozen=True, slots=True)
class ProcessFilter:
    """Which processes are watched; empty: all."""

    pids: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkFilter:
    """Which connections are watched; empty: all."""

    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpFilter:
    """Which requests are counted; empty: all."""

    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    min_latency_ns: int = 0


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which sides are watched."""

    side: str = "both"


@dataclass(frozen=True, slots=True)
class Filter:
    """What is fixed for the run."""

    expression: str = ""
    process: ProcessFilter = ProcessFilter()
    network: NetworkFilter = NetworkFilter()
    http: HttpFilter = HttpFilter()
    events: EventFilter = EventFilter()


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which requests are shown one by one; counts are never sampled."""

    rate_per_s: int = 100
    slow_threshold_ns: int = 500 * _MS


@dataclass(frozen=True, slots=True)
class Performance:
    """Sizes of the kernel's tables."""

    max_endpoints: int = 8192
    max_connections: int = 65536
    ring_buffer_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Ui:
    """What the screen looks like at first."""

    window_s: float = 10.0
    theme: str = "httptop-dark"
    symbols: Literal["braille", "block", "tty"] = "braille"
    sort: str = "rps"
    side: Side = "server"
    confirm_quit: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a run."""

    general: General = General()
    filter: Filter = Filter()
    sampling: Sampling = Sampling()
    performance: Performance = Performance()
    ui: Ui = Ui()


@dataclass(frozen=True, slots=True)
class Setting:
    """The description of one setting."""

    section: str  # dotted: "filter.process"
    name: str  # in the file
    attribute: str  # of the section's dataclass
    kind: Kind
    doc: str
    flags: tuple[str, ...] = ()
    metavar: str = ""
    group: str = "filters"  # heading in --help

    @property
    def key(self) -> str:
        """Return the dotted name: ``filter.process.pids``."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """Return the environment variable: ``HTTPTOP_FILTER__PROCESS__PIDS``."""
        return "HTTPTOP_" + self.key.upper().replace(".", "__")

    @property
    def many(self) -> bool:
        """Whether it is a list, whose flag may be repeated."""
        return isinstance(self.kind, Many)

    @property
    def default(self) -> object:
        """Return the value that holds where nothing else is said."""
        return self.of(DEFAULTS)

    def of(self, settings: Settings) -> object:
        """Return the value of this setting."""
        return reduce(getattr, (*self.section.split("."), self.attribute), settings)


DEFAULTS: Final = Settings()

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "general",
        "tick",
        "tick_s",
        Duration(_S // 10, 3600 * _S, seconds=True),
        "Time between snapshots; a number without unit is seconds.",
        ("-d", "--delay"),
        "SECONDS",
        "output",
    ),
    Setting(
        "general",
        "window",
        "window_s",
        Duration(_S, 3600 * _S, seconds=True),
        "Time that rates and latencies cover in batch; as a flag on the screen, too.",
        ("--window",),
        "SECONDS",
        "output",
    ),
    Setting(
        "general",
        "format",
        "format",
        Choice(("text", "json")),
        "Format of batch output; json is one object a line.",
        ("--format",),
        "text|json",
        "output",
    ),
    Setting(
        "filter",
        "expression",
        "expression",
        FILTER,
        "Only requests that this filter means (docs/filters.md).",
        ("--filter",),
        "EXPR",
    ),
    Setting(
        "filter.process",
        "pids",
        "pids",
        Many(Integer(1, 4_194_304)),
        "Only these processes; the kernel skips the others.",
        ("-p", "--pid"),
        "PID",
    ),
    Setting(
        "filter.process",
        "names",
        "names",
        Many(GLOB),
        "Only processes with such a name (at most 15 characters, as in ps -o comm).",
        ("--comm",),
        "GLOB",
    ),
    Setting(
        "filter.network",
        "ports",
        "ports",
        Many(Integer(1, 65535)),
        "Only connections to a server on such a port; the kernel skips the others.",
        ("--port",),
        "N",
    ),
    Setting(
        "filter.http",
        "methods",
        "methods",
        Many(METHOD),
        "Only such methods; OTHER stands for those without a name of their own.",
        ("--method",),
        "M",
    ),
    Setting(
        "filter.http",
        "paths",
        "paths",
        Many(GLOB),
        "Only endpoints whose path template matches, as in '/users/*'.",
        ("--path",),
        "GLOB",
    ),
    Setting(
        "filter.http",
        "status",
        "status",
        Many(STATUS),
        "Only answers with such a status; unknown is a request that got none.",
        ("--status",),
        "5xx|404|400-499",
    ),
    Setting(
        "filter.http",
        "min_latency",
        "min_latency_ns",
        Duration(0, 3600 * _S),
        "Only requests that took at least so long.",
        ("--min-latency",),
        "10ms",
    ),
    Setting(
        "filter.events",
        "side",
        "side",
        Choice(("server", "client", "both")),
        "Only requests that processes serve, or send.",
        ("--side",),
        "server|client|both",
    ),
    Setting(
        "sampling",
        "rate_per_s",
        "rate_per_s",
        Integer(0, 100_000),
        "Requests a second shown one by one, slow ones and errors first; never limits counts.",
        ("--sample-rate",),
        "N",
        "sampling",
    ),
    Setting(
        "sampling",
        "slow_threshold",
        "slow_threshold_ns",
        Duration(1000, 3600 * _S),
        "A request that takes at least so long counts as slow.",
        ("--slow",),
        "500ms",
        "sampling",
    ),
    Setting(
        "performance",
        "max_endpoints",
        "max_endpoints",
        Integer(64, 32768),
        "Endpoints kept apart; requests beyond them are counted under ~other.",
    ),
    Setting(
        "performance",
        "max_connections",
        "max_connections",
        Integer(1024, 1 << 20),
        "Connections followed at a time.",
    ),
    Setting(
        "performance",
        "ring_buffer",
        "ring_buffer_bytes",
        Size(1 << 16, 1 << 26, power_of_two=True),
        "Room for samples between the kernel and the collector.",
    ),
    Setting("ui", "theme", "theme", Choice(_THEMES), "Colours of the screen."),
    Setting(
        "ui",
        "window",
        "window_s",
        Duration(_S, 3600 * _S, seconds=True),
        "Time that rates and latencies on the screen cover; --window goes before.",
    ),
    Setting(
        "ui",
        "symbols",
        "symbols",
        Choice(("braille", "block", "tty")),
        "What trends are drawn with; tty is plain ASCII, and the default on the Linux console.",
    ),
    Setting("ui", "sort", "sort", Choice(tuple(SORTS)), "Column that sorts the endpoints."),
    Setting("ui", "side", "side", Choice(SIDES), "Side shown first."),
    Setting("ui", "confirm_quit", "confirm_quit", Switch(), "Whether q asks before it quits."),
)

BY_KEY: Final = {setting.key: setting for setting in SETTINGS}
