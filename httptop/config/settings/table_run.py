"""The settings of the run itself: its pace, its output, its cost, its rights."""

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
        "Whether httptop does anything; false ends it at once with status 0.",
    ),
    Setting(
        "general",
        "tick",
        Duration(100 * _MS, 3600 * _S, seconds=True),
        "Time between snapshots; a number without unit is seconds.",
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
        "Time that rates and latencies cover in batch; as a flag on the screen, too.",
        "window_s",
        flags=("--window",),
        metavar="SECONDS",
        group="output",
    ),
    Setting(
        "general",
        "history",
        Integer(10, 3600),
        "Ticks that the trends of the totals go back.",
    ),
    Setting(
        "general",
        "process_name",
        Choice(("process", "thread")),
        "Name that rows go by: of the process, or of the thread that read or sent the request.",
    ),
    Setting(
        "general",
        "shutdown_timeout",
        Duration(100 * _MS, 60 * _S, seconds=True),
        "Time that the last snapshot of a batch run has to be read once the run is to end.",
        "shutdown_timeout_s",
        live=True,
    ),
    Setting(
        "general",
        "auto_reload",
        Switch(),
        "Whether a configuration file that changes is read again, as on SIGHUP.",
        live=True,
    ),
    Setting(
        "general",
        "log_level",
        Choice(("error", "warning", "info", "debug")),
        "Least weight of what goes to the log file.",
        live=True,
    ),
    Setting(
        "general",
        "log_file",
        FILE,
        "File that httptop writes what it does to; empty: none.",
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
        "Format of batch output; json is one object a line.",
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
        "Endpoints kept apart; requests beyond them are counted under ~other.",
    ),
    Setting(
        "performance",
        "max_connections",
        Integer(1024, 1 << 20),
        "Connections followed at a time; requests of others are counted under ~other.",
    ),
    Setting(
        "performance",
        "max_histograms",
        Integer(1024, 65535),
        "Room for latencies, pages of one octave each; beyond it requests count, unmeasured.",
    ),
    Setting(
        "performance",
        "max_pipelined",
        Integer(1024, 1 << 20),
        "Requests that wait behind others on their connections; those beyond it are parse errors.",
    ),
    Setting(
        "performance",
        "max_users",
        Integer(64, 1 << 20),
        "Pairs of endpoint and process remembered; the longest unseen are forgotten.",
    ),
    Setting(
        "performance",
        "ring_buffer",
        Size(1 << 16, 1 << 26, power_of_two=True),
        "Room for samples between the kernel and the collector.",
        "ring_buffer_bytes",
    ),
    Setting(
        "performance",
        "batch_size",
        Integer(1, 1 << 20),
        "Samples taken from the kernel in a tick at most; the rest waits in the ring buffer.",
        live=True,
    ),
    Setting(
        "performance",
        "cache",
        FILE,
        "Directory that compiled probes are kept in, so that the next start takes a second less; "
        "empty: none. It must be root's alone.",
    ),
    Setting(
        "performance",
        "cpu_affinity",
        Many(Integer(0, 4095)),
        "CPUs that httptop itself runs on; empty: any.",
    ),
    Setting(
        "performance",
        "nice",
        Integer(-20, 19),
        "How httptop gives way to others: 19 most, -20 least.",
    ),
    Setting(
        "performance",
        "max_overhead_percent",
        Number(0, 10000),
        "CPU that httptop and its probes may take, 100 = one core; 0: no limit. Above it detail "
        "is shed, first samples, then the processes of endpoints; counts never.",
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
        "User it becomes then; empty: the one who called sudo, else nobody.",
    ),
    Setting(
        "security",
        "keep_no_capabilities",
        Switch(),
        "Whether all capabilities go, too; false keeps CAP_BPF and CAP_PERFMON.",
    ),
    Setting(
        "security",
        "allow_root_ui",
        Switch(),
        "Whether the screen may run while httptop is root; false ends it where root could not be "
        "given up.",
    ),
    Setting(
        "security",
        "redact_query",
        Switch(),
        "Whether values in the query of a sampled request, and of addresses in its response's "
        "head, are shown as ***.",
    ),
    Setting(
        "security",
        "redact_headers",
        Many(HEADER),
        "Headers of a sampled response whose values are shown as ***.",
    ),
    Setting(
        "security",
        "max_captured_bytes",
        Size(0, 512),
        "Bytes of a response's head, and of a request line, that a sample may hold.",
    ),
)
