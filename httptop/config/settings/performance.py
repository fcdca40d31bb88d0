"""The settings of ``[performance]``: sizes of the kernel's tables and limits of httptop's cost."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import FILE
from httptop.config.value_types import Integer, Many, Number, Size

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
        "Number of connections tracked at a time. Where three quarters of them are, idle ones make "
        "room; requests on connections without a place are counted under ~other.",
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
        "Number of parties to requests that are told apart: an endpoint, a process and a peer's "
        "address. Where room is short, those idle longest make room first; see docs/json.md.",
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
        "Directory for compiled probes, so that the next start takes three seconds less; empty: "
        "none. Only the user who starts httptop may have access to it.",
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
        "Nice value of httptop once the probes are attached: 19 gives way to other processes most, "
        "-20 least; 0: that with which it was started.",
    ),
    Setting(
        "performance",
        "max_overhead_percent",
        Number(0, 10000),
        "CPU that httptop and its probes may use, 100 = one core; 0: no limit. Above it, detail is "
        "left out: first samples, then the parties to requests; never counts.",
        live=True,
    ),
)
