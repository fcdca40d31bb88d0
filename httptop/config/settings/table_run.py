"""The settings of the run itself: its pace, its output, its cost, its privileges."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import FILE, HEADER, OTHER_USER
from httptop.config.value_types import Choice, Duration, Integer, Many, Number, Size, Switch

_MS: Final = 1_000_000
_S: Final = 1_000_000_000

GENERAL_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "general",
        "enabled",
        Switch(),
        "Whether httptop runs at all; if false, it exits at once with status 0.",
    ),
    Setting(
        "general",
        "tick",
        Duration(100 * _MS, 3600 * _S, seconds=True),
        "Time between snapshots; a number without a unit is in seconds.",
        "tick_s",
        flags=("-d", "--delay"),
        metavar="SECONDS",
        group="output",
        live=True,
    ),
    Setting(
        "general",
        "window",
        Duration(_S, 3600 * _S, seconds=True),
        "Time that rates and latencies cover, on the screen and in batch; a file or variable sets "
        "that of batch only, and ui.window that of the screen.",
        "window_s",
        flags=("--window",),
        metavar="SECONDS",
        group="output",
    ),
    Setting(
        "general",
        "history",
        Integer(10, 3600),
        "Number of ticks in the trends of the totals.",
    ),
    Setting(
        "general",
        "process_name",
        Choice(("process", "thread")),
        "Whose name a row shows: that of the process, or of the thread that made the call.",
    ),
    Setting(
        "general",
        "shutdown_timeout",
        Duration(100 * _MS, 60 * _S, seconds=True),
        "How long a batch run that is ending waits for its last snapshot to be read.",
        "shutdown_timeout_s",
        live=True,
    ),
    Setting(
        "general",
        "auto_reload",
        Switch(),
        "Whether a configuration file is read again when it changes, as on SIGHUP.",
        live=True,
    ),
    Setting(
        "general",
        "log_level",
        Choice(("error", "warning", "info", "debug")),
        "Lowest level of the messages that go to the log file.",
        live=True,
    ),
    Setting(
        "general",
        "log_file",
        FILE,
        "File that httptop logs to; empty: none.",
        flags=("--log-file",),
        metavar="FILE",
        group="output",
    ),
)

OUTPUT_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "output",
        "format",
        Choice(("text", "json")),
        "Format of batch output; json is one object per line.",
        flags=("--format",),
        metavar="text|json",
        group="output",
        live=True,
    ),
)

PERFORMANCE_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "performance",
        "max_endpoints",
        Integer(64, 32768),
        "Number of endpoints with a row of their own; all others are counted under ~other.",
    ),
    Setting(
        "performance",
        "max_connections",
        Integer(1024, 1 << 20),
        "Number of connections tracked at a time; requests on others are counted under ~other.",
    ),
    Setting(
        "performance",
        "max_histograms",
        Integer(1024, 65535),
        "Room for latencies, in pages of one octave each; once it is used up, requests are still "
        "counted but their latency is not.",
    ),
    Setting(
        "performance",
        "max_pipelined",
        Integer(1024, 1 << 20),
        "Number of requests that may wait behind others on their connections; the outcome of those "
        "beyond is unknown, and they are counted in overfull_pipelines.",
    ),
    Setting(
        "performance",
        "max_users",
        Integer(64, 1 << 20),
        "Number of pairs of endpoint and process kept; the least recently seen are dropped first.",
    ),
    Setting(
        "performance",
        "ring_buffer",
        Size(1 << 16, 1 << 26, power_of_two=True),
        "Size of the buffer that passes samples from the kernel to the collector.",
        "ring_buffer_bytes",
    ),
    Setting(
        "performance",
        "batch_size",
        Integer(1, 1 << 20),
        "Most samples taken from the kernel per tick; the rest waits in the ring buffer.",
        live=True,
    ),
    Setting(
        "performance",
        "cache",
        FILE,
        "Directory for compiled probes, so that the next start takes a second less; empty: none. "
        "Only root may have access to it.",
    ),
    Setting(
        "performance",
        "cpu_affinity",
        Many(Integer(0, 4095)),
        "CPUs that httptop itself may run on; empty: any.",
    ),
    Setting(
        "performance",
        "nice",
        Integer(-20, 19),
        "Nice value of httptop: 19 gives way to other processes most, -20 least.",
    ),
    Setting(
        "performance",
        "max_overhead_percent",
        Number(0, 10000),
        "CPU that httptop and its probes may use, 100 = one core; 0: no limit. Above it, detail is "
        "left out: first samples, then the processes of endpoints; never counts.",
        live=True,
    ),
)

SECURITY_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "security",
        "drop_privileges",
        Switch(),
        "Whether httptop gives up root once its probes are attached.",
    ),
    Setting(
        "security",
        "user",
        OTHER_USER,
        "User that httptop then becomes; empty: the user who called sudo, else nobody.",
    ),
    Setting(
        "security",
        "keep_no_capabilities",
        Switch(),
        "Whether all capabilities are given up as well; false keeps CAP_BPF and CAP_PERFMON.",
    ),
    Setting(
        "security",
        "allow_root_ui",
        Switch(),
        "Whether the screen may run as root; if false, httptop exits if it cannot give up root.",
    ),
    Setting(
        "security",
        "redact_query",
        Switch(),
        "Whether query values are shown as ***: in sampled requests, and in URLs in the header "
        "sections of their responses.",
    ),
    Setting(
        "security",
        "redact_headers",
        Many(HEADER),
        "Fields of a sampled response whose values are shown as ***.",
    ),
    Setting(
        "security",
        "max_captured_bytes",
        Size(0, 512),
        "Bytes that a sample may hold of a request line, and of a response's header section.",
    ),
)
