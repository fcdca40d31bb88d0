"""Find settings that are valid one by one but contradict each other.

Without these checks a run could start in which nothing can ever be counted, or in which it is
unclear which of two settings applies.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from httptop.config.settings import DEFAULTS, EventFilter, Settings
from httptop.filters import Compare, conjuncts, parse
from httptop.literals import format_duration, format_size, glob

_LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An error in a setting, and the other settings that it contradicts."""

    key: str
    message: str
    others: tuple[str, ...]


def contradictions(settings: Settings) -> Iterator[Contradiction]:
    """Yield every contradiction among the settings."""
    yield from _processes(settings)
    yield from _connections(settings)
    yield from _requests(settings)
    if (nothing := _no_side(settings.filter.events)) is not None:
        yield nothing
    yield from _expression(settings)
    otlp = settings.otlp
    if otlp.endpoint and not (otlp.metrics or otlp.spans):
        yield Contradiction(
            "otlp.endpoint", "nothing would be pushed", ("otlp.metrics", "otlp.spans")
        )
    for pattern in sorted(set(settings.paths.templates) & set(settings.paths.keep)):
        yield Contradiction(
            "paths.templates", f"{pattern} is in paths.keep as well", ("paths.keep",)
        )


def _processes(settings: Settings) -> Iterator[Contradiction]:
    process = settings.filter.process
    for pid in sorted(set(process.pids) & set(process.exclude_pids)):
        yield _excluded("filter.process", "pids", str(pid))
    for pid in process.pids:
        if pid < process.min_pid:
            yield Contradiction(
                "filter.process.pids", f"{pid} is below the lowest one", ("filter.process.min_pid",)
            )
    for name in _covered(process.names, process.exclude_names):
        yield _excluded("filter.process", "names", name)


def _connections(settings: Settings) -> Iterator[Contradiction]:
    network = settings.filter.network
    for port in sorted(set(network.ports) & set(network.exclude_ports)):
        yield _excluded("filter.network", "ports", str(port))
    for address in network.addresses:
        if any(_within(address, other) for other in network.exclude_addresses):
            yield _excluded("filter.network", "addresses", address)
        if network.localhost_only and not _overlaps_loopback(address):
            yield Contradiction(
                "filter.network.addresses",
                f"{address} is not on this host",
                ("filter.network.localhost_only",),
            )


def _requests(settings: Settings) -> Iterator[Contradiction]:
    http = settings.filter.http
    for path in _covered(http.paths, http.exclude_paths):
        yield _excluded("filter.http", "paths", path)
    spans = (
        ("latency", http.min_latency_ns, http.max_latency_ns, format_duration),
        ("request_bytes", http.min_request_bytes, http.max_request_bytes, format_size),
        ("response_bytes", http.min_response_bytes, http.max_response_bytes, format_size),
    )
    for name, low, high, show in spans:
        if high and low > high:
            yield Contradiction(
                f"filter.http.min_{name}",
                f"{show(low)} is above the maximum",
                (f"filter.http.max_{name}",),
            )


def _expression(settings: Settings) -> Iterator[Contradiction]:
    """Yield contradictions of the filter expression with the plain settings."""
    plain = {
        "pid": ("filter.process.pids", settings.filter.process.pids),
        "port": ("filter.network.ports", settings.filter.network.ports),
    }
    text = settings.filter.expression
    for part in conjuncts(parse(text)) if text else ():
        if isinstance(part, Compare) and part.operator == "=" and part.name in plain:
            key, numbers = plain[part.name]
            if numbers and not any(one.holds("=", n) for one in part.values for n in numbers):
                yield Contradiction("filter.expression", f"no {part.name} can match", (key,))


def _no_side(events: EventFilter) -> Contradiction | None:
    """Return the settings that together exclude every request; None if some can be seen."""
    serving = events.side != "client" and events.reads and events.accepts
    sending = events.side != "server" and events.writes and events.connects
    if serving or sending:
        return None
    names = ("side", "reads", "writes", "connects", "accepts")
    unusual = [
        f"filter.events.{name}"
        for name in names
        if getattr(events, name) != getattr(DEFAULTS.filter.events, name)
    ]
    return Contradiction(unusual[0], "no request can be seen, on either side", tuple(unusual[1:]))


def _excluded(section: str, name: str, value: str) -> Contradiction:
    return Contradiction(
        f"{section}.{name}", f"{value} is excluded as well", (f"{section}.exclude_{name}",)
    )


def _covered(selected: tuple[str, ...], excluded: tuple[str, ...]) -> Iterator[str]:
    """Yield the selected globs that are excluded completely."""
    for pattern in selected:
        plain = not set("*?[") & set(pattern)
        if pattern in excluded or (plain and any(glob(one).match(pattern) for one in excluded)):
            yield pattern


def _within(inner: str, outer: str) -> bool:
    one, other = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.subnet_of(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one.subnet_of(other)
    return False


def _overlaps_loopback(address: str) -> bool:
    network = ipaddress.ip_network(address)
    return any(network.overlaps(own) for own in _LOOPBACK if own.version == network.version)
