"""The settings that select what is counted: fixed for the run."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import (
    CONTAINER,
    FILTER,
    GLOB,
    HOST,
    METHOD,
    NETWORK,
    STATUS,
    USER,
    VERSION,
)
from httptop.config.value_types import Choice, Duration, Integer, Many, Size, Switch

_HOUR_NS: Final = 3_600_000_000_000
_PID: Final = Integer(1, 4_194_304)
_PORT: Final = Integer(1, 65535)
_BYTES: Final = Size(0, 1 << 50)

FILTER_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "filter",
        "expression",
        FILTER,
        "Only requests that match this filter (docs/filters.md).",
        flags=("--filter",),
        metavar="EXPR",
    ),
    Setting(
        "filter.process",
        "pids",
        Many(_PID),
        "Only the processes that have these ids at the start; the kernel skips all others.",
        flags=("-p", "--pid"),
        metavar="PID",
    ),
    Setting(
        "filter.process",
        "exclude_pids",
        Many(_PID),
        "Exclude these process ids; the kernel skips them.",
        flags=("--exclude-pid",),
        metavar="PID",
    ),
    Setting(
        "filter.process",
        "min_pid",
        _PID,
        "Only process ids from this one up; the kernel skips all others.",
    ),
    Setting(
        "filter.process",
        "names",
        Many(GLOB),
        "Only processes whose name matches (at most 15 characters, as in ps -o comm).",
        flags=("--comm",),
        metavar="GLOB",
    ),
    Setting(
        "filter.process",
        "exclude_names",
        Many(GLOB),
        "Exclude processes whose name matches.",
        flags=("--exclude-comm",),
        metavar="GLOB",
    ),
    Setting(
        "filter.process",
        "users",
        Many(USER),
        "Only processes of these users, by real user id; the kernel skips all others.",
        flags=("--user",),
        metavar="USER",
    ),
    Setting(
        "filter.process",
        "containers",
        Many(CONTAINER),
        "Only processes in a matching container or control group; the kernel skips all others. "
        "A container that starts later is included from the next tick on.",
        flags=("--container",),
        metavar="GLOB",
    ),
    Setting(
        "filter.network",
        "ports",
        Many(_PORT),
        "Only connections to these server ports; the kernel skips all others.",
        flags=("--port",),
        metavar="N",
    ),
    Setting(
        "filter.network",
        "exclude_ports",
        Many(_PORT),
        "Exclude connections to these server ports; the kernel skips them.",
        flags=("--exclude-port",),
        metavar="N",
    ),
    Setting(
        "filter.network",
        "addresses",
        Many(NETWORK),
        "Only connections whose peer is in one of these networks; the kernel skips all others.",
        flags=("--address",),
        metavar="CIDR",
    ),
    Setting(
        "filter.network",
        "exclude_addresses",
        Many(NETWORK),
        "Exclude connections whose peer is in one of these networks; the kernel skips them.",
        flags=("--exclude-address",),
        metavar="CIDR",
    ),
    Setting(
        "filter.network",
        "localhost_only",
        Switch(),
        "Only connections within this host: to or from 127.0.0.0/8 or ::1, and Unix sockets.",
    ),
    Setting(
        "filter.network",
        "unix_sockets",
        Switch(),
        "Whether HTTP over Unix sockets is counted as well.",
    ),
    Setting(
        "filter.http",
        "methods",
        Many(METHOD),
        "Only these methods; OTHER stands for any that httptop does not show by name.",
        flags=("--method",),
        metavar="M",
    ),
    Setting(
        "filter.http",
        "paths",
        Many(GLOB),
        "Only endpoints whose path template matches, such as /users/*.",
        flags=("--path",),
        metavar="GLOB",
    ),
    Setting(
        "filter.http",
        "exclude_paths",
        Many(GLOB),
        "Exclude endpoints whose path template matches.",
        flags=("--exclude-path",),
        metavar="GLOB",
    ),
    Setting(
        "filter.http",
        "hosts",
        Many(HOST),
        "Only requests whose Host field matches, ignoring port and case. The kernel then reads "
        "that field of every request.",
        flags=("--host",),
        metavar="GLOB",
    ),
    Setting(
        "filter.http",
        "status",
        Many(STATUS),
        "Only requests with such a status; unknown: no response was seen.",
        flags=("--status",),
        metavar="5xx|404|400-499",
    ),
    Setting("filter.http", "versions", Many(VERSION), "Only these HTTP versions."),
    Setting(
        "filter.http",
        "min_latency",
        Duration(0, _HOUR_NS),
        "Only requests that took at least this long.",
        "min_latency_ns",
        flags=("--min-latency",),
        metavar="10ms",
    ),
    Setting(
        "filter.http",
        "max_latency",
        Duration(0, _HOUR_NS),
        "Only requests that took at most this long; 0s: no limit.",
        "max_latency_ns",
    ),
    Setting(
        "filter.http",
        "min_request_bytes",
        _BYTES,
        "Only requests of at least this size, header section and body, when their response begins.",
    ),
    Setting(
        "filter.http",
        "max_request_bytes",
        _BYTES,
        "Only requests of at most this size when their response begins; 0: no limit.",
    ),
    Setting(
        "filter.http",
        "min_response_bytes",
        _BYTES,
        "Only responses of at least this size, header section and body. A response is then counted "
        "when the next request arrives on its connection, or the connection ends.",
    ),
    Setting(
        "filter.http",
        "max_response_bytes",
        _BYTES,
        "Only responses of at most this size, counted with the same delay; 0: no limit.",
    ),
    Setting(
        "filter.events",
        "side",
        Choice(("server", "client", "both")),
        "Only requests that processes of this host serve (server), or send (client).",
        flags=("--side",),
        metavar="server|client|both",
    ),
    Setting(
        "filter.events",
        "reads",
        Switch(),
        "Whether received bytes are read. Without them, requests that processes serve are not "
        "seen, and those they send have no status and no latency.",
    ),
    Setting(
        "filter.events",
        "writes",
        Switch(),
        "Whether sent bytes are read. Without them, requests that processes send are not seen, and "
        "those they serve have no status and no latency.",
    ),
    Setting(
        "filter.events",
        "connects",
        Switch(),
        "Whether connections that processes of this host opened are included. Without them, the "
        "requests they carry are not seen on the side that opened them.",
    ),
    Setting(
        "filter.events",
        "accepts",
        Switch(),
        "Whether connections that processes of this host accepted are included. Without them, the "
        "requests they carry are not seen on the side that accepted them.",
    ),
    Setting(
        "filter.events",
        "own",
        Switch(),
        "Whether httptop's own traffic is included, that of its outputs: metrics that it serves or "
        "sends, lines of its log of requests. The other end of it, such as a Prometheus on this "
        "host, is included anyway.",
    ),
)
