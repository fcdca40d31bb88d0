"""The settings of ``[general]``: the pace, the window and the log of a run."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import FILE
from httptop.config.value_types import Choice, Duration, Integer, Switch

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
        "that of batch only, and ui.window that of the screen. Beyond a minute it is shorter where "
        "it would take more than 15 MiB of memory.",
        "window_s",
        flags=("--window",),
        metavar="SECONDS",
        group="output",
    ),
    Setting(
        "general",
        "forget",
        Duration(0, 168 * 3600 * _S, seconds=True),
        "How long an endpoint may be idle until its row is given up; what it has counted stays, in "
        "the row ~idle of its process and side. 0: for ever.",
        "forget_s",
        flags=("--forget",),
        metavar="DURATION",
        group="output",
        live=True,
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
        "Longest time from a signal, or the end of the terminal, to the end of all of httptop.",
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
