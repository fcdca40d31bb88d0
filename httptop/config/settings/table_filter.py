"""The settings that say what is counted: fixed for the run."""

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
        "Only requests that this filter means (docs/filters.md).",
        flags=("--filter",),
        metavar="EXPR",
    ),
    Setting(
        "filter.process",
        "pids",
        Many(_PID),
        "Only these processes; the kernel skips the others.",
        flags=("-p", "--pid"),
        metavar="PID",
    ),
    Setting(
        "filter.process",
        "exclude_pids",
        Many(_PID),
        "Not these processes; the kernel skips them.",
        flags=("--exclude-pid",),
        metavar="PID",
    ),
    Setting(
        "filter.process",
        "min_pid",
        _PID,
        "Only processes with this number or a higher one; the kernel skips the others.",
    ),
    Setting(
        "filter.process",
        "names",
        Many(GLOB),
        "Only processes with such a name (at most 15 characters, as in ps -o comm).",
        flags=("--comm",),
        metavar="GLOB",
    ),
    Setting(
        "filter.process",
        "exclude_names",
        Many(GLOB),
        "Not processes with such a name.",
        flags=("--exclude-comm",),
        metavar="GLOB",
    ),
    Setting(
        "filter.process",
        "users",
        Many(USER),
        "Only processes of these users (effective user id); the kernel skips the others.",
        flags=("--user",),
        metavar="USER",
    ),
    Setting(
        "filter.process",
        "containers",
        Many(CONTAINER),
        "Only processes in such a container or control group; the kernel skips the others. "
        "A container that starts later is seen from the next tick on.",
        flags=("--container",),
        metavar="GLOB",
    ),
    Setting(
        "filter.network",
        "ports",
        Many(_PORT),
        "Only connections to a server on such a port; the kernel skips the others.",
        flags=("--port",),
        metavar="N",
    ),
    Setting(
        "filter.network",
        "exclude_ports",
        Many(_PORT),
        "Not connections to a server on such a port; the kernel skips them.",
        flags=("--exclude-port",),
        metavar="N",
    ),
    Setting(
        "filter.network",
        "addresses",
        Many(NETWORK),
        "Only connections whose other side is in such a network; the kernel skips the others.",
        flags=("--address",),
        metavar="CIDR",
    ),
    Setting(
        "filter.network",
        "exclude_addresses",
        Many(NETWORK),
        "Not connections whose other side is in such a network; the kernel skips them.",
        flags=("--exclude-address",),
        metavar="CIDR",
    ),
    Setting(
        "filter.network",
        "localhost_only",
        Switch(),
        "Only connections within this host: from or to 127.0.0.0/8 or ::1, and Unix sockets.",
    ),
    Setting(
        "filter.network",
        "unix_sockets",
        Switch(),
        "Whether HTTP over Unix sockets counts, too.",
    ),
    Setting(
        "filter.http",
        "methods",
        Many(METHOD),
        "Only such methods; OTHER stands for those without a name of their own.",
        flags=("--method",),
        metavar="M",
    ),
    Setting(
        "filter.http",
        "paths",
        Many(GLOB),
        "Only endpoints whose path template matches, as in '/users/*'.",
        flags=("--path",),
        metavar="GLOB",
    ),
    Setting(
        "filter.http",
        "exclude_paths",
        Many(GLOB),
        "Not endpoints whose path template matches.",
        flags=("--exclude-path",),
        metavar="GLOB",
    ),
    Setting(
        "filter.http",
        "hosts",
        Many(HOST),
        "Only requests whose Host header matches, port and case left aside; "
        "the kernel reads the header of every request then.",
        flags=("--host",),
        metavar="GLOB",
    ),
    Setting(
        "filter.http",
        "status",
        Many(STATUS),
        "Only responses with such a status; unknown is a request that got none.",
        flags=("--status",),
        metavar="5xx|404|400-499",
    ),
    Setting("filter.http", "versions", Many(VERSION), "Only requests of such an HTTP version."),
    Setting(
        "filter.http",
        "min_latency",
        Duration(0, _HOUR_NS),
        "Only requests that took at least so long.",
        "min_latency_ns",
        flags=("--min-latency",),
        metavar="10ms",
    ),
    Setting(
        "filter.http",
        "max_latency",
        Duration(0, _HOUR_NS),
        "Only requests that took at most so long; 0s: no limit.",
        "max_latency_ns",
    ),
    Setting(
        "filter.http",
        "min_request_bytes",
        _BYTES,
        "Only requests of at least so many bytes, head and body, when their response begins.",
    ),
    Setting(
        "filter.http",
        "max_request_bytes",
        _BYTES,
        "Only requests of at most so many bytes; 0: no limit.",
    ),
    Setting(
        "filter.http",
        "min_response_bytes",
        _BYTES,
        "Only responses of at least so many bytes, head and body. A response then counts when the "
        "next request comes on its connection, or the connection ends.",
    ),
    Setting(
        "filter.http",
        "max_response_bytes",
        _BYTES,
        "Only responses of at most so many bytes, likewise; 0: no limit.",
    ),
    Setting(
        "filter.events",
        "side",
        Choice(("server", "client", "both")),
        "Only requests that processes serve, or send.",
        flags=("--side",),
        metavar="server|client|both",
    ),
    Setting(
        "filter.events",
        "reads",
        Switch(),
        "Whether received bytes are looked at. Without them requests that processes serve are not "
        "seen, and those they send have no status and no latency.",
    ),
    Setting(
        "filter.events",
        "writes",
        Switch(),
        "Whether sent bytes are looked at. Without them requests that processes send are not "
        "seen, and those they serve have no status and no latency.",
    ),
    Setting(
        "filter.events",
        "connects",
        Switch(),
        "Whether connections count that processes of this host opened. Without them the requests "
        "they carry are not seen on the side that opened them.",
    ),
    Setting(
        "filter.events",
        "accepts",
        Switch(),
        "Whether connections count that processes of this host accepted. Without them the "
        "requests they carry are not seen on the side that accepted them.",
    ),
)
