"""The scope of a run: what it selects, fixed at its start, so that rows, totals and samples agree.

The plain settings are shorthand for the filter language: each becomes an expression, and all of
them must hold. A part that uses only an endpoint's key and status codes, which the collector knows
exactly, is applied there; any other by functions linked into the kernel's programs
(bpf/filter/conditions.py). What neither can apply exactly is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from httptop.config.settings import Filter
from httptop.errors import UsageError
from httptop.filters import (
    KEY_FIELDS,
    TRANSACTION_FIELDS,
    Compare,
    Expression,
    FilterError,
    Or,
    comparisons,
    conjuncts,
    matches_key,
    matches_transaction,
    parse,
)
from httptop.filters.values import parse_value
from httptop.literals import format_duration
from httptop.model import SIDES, EndpointKey, Side, Transaction

#: Fields that the collector decides; it leaves the port to the kernel, since ~other has none, and
#: the host, which is the field Host there.
_EXACT_FIELDS: Final = KEY_FIELDS - {"port", "host"} | {"status"}
#: Fields that the kernel's programs can filter by.
KERNEL_FIELDS: Final = frozenset(
    (
        "pid", "user", "container", "comm", "side", "port", "peer", "socket", "connection",
        "host", "method", "status", "latency", "size", "request_size",
    )
)  # fmt: skip
#: Fields that both can filter by: the kernel saves work, the collector decides exactly.
_BOTH: Final = frozenset(("comm", "side"))


@dataclass(frozen=True, slots=True)
class Scope:
    """The limits of a run; without parts nothing is limited."""

    kernel: tuple[Expression, ...] = ()  # all must hold; over KERNEL_FIELDS
    collector: tuple[Expression, ...] = ()  # all must hold; over key fields and status
    sides: frozenset[Side] = field(default=frozenset(SIDES))
    reads: bool = True  # whether received bytes are read
    writes: bool = True

    @property
    def by_status(self) -> bool:
        """Whether the collector filters by status."""
        return any(part.name == "status" for item in self.collector for part in comparisons(item))

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Scope()

    def admits(self, key: EndpointKey, status: int) -> bool:
        """Return whether the collector counts requests of an endpoint with a status; 0: none."""
        return all(matches_key(item, key, status) is True for item in self.collector)

    def admits_key(self, key: EndpointKey) -> bool:
        """Return whether requests of an endpoint may count, whatever their status."""
        return all(matches_key(item, key, None) is not False for item in self.collector)

    def admits_sample(self, request: Transaction) -> bool:
        """Return whether a sampled response has a selected size, which the kernel did not know."""
        for item in self.kernel:
            names = {part.name for part in comparisons(item)}
            if "size" in names and not (
                names <= TRANSACTION_FIELDS and matches_transaction(item, request)
            ):
                return False
        return True

    def described(self) -> tuple[tuple[str, bool], ...]:
        """Return each limit as a filter, and whether the kernel applies it."""
        parts = [(str(item), True) for item in self.kernel]
        parts += [(str(item), False) for item in self.collector if item not in self.kernel]
        plain = (("received bytes", self.reads), ("sent bytes", self.writes))
        parts += [(f"no {name}", True) for name, watched in plain if not watched]
        return tuple(parts)

    def describe(self) -> tuple[str, ...]:
        """Return each limit as a filter: ``pid = 1,2``."""
        return tuple(text for text, _ in self.described())


def scope_of(settings: Filter) -> Scope:
    """Return the scope of the filter settings.

    Raises :class:`UsageError` if it cannot be applied exactly.
    """
    scope = Scope(reads=settings.events.reads, writes=settings.events.writes)
    for part in _plain(settings):
        scope = narrow(scope, part)
    if not settings.expression:
        return scope
    try:
        return narrow(scope, parse(settings.expression))
    except FilterError as error:
        raise UsageError(f"filter {settings.expression!r}: {error}") from None


def limited(text: str) -> Scope:
    """Return the scope of a filter; raise :class:`FilterError`."""
    return narrow(Scope(), parse(text))


def narrow(scope: Scope, expression: Expression) -> Scope:
    """Return a scope that an expression limits further; raise :class:`FilterError`."""
    for part in conjuncts(expression):
        names = {compared.name for compared in comparisons(part)}
        if names <= _EXACT_FIELDS:
            scope = replace(scope, collector=(*scope.collector, part))
            if names <= _BOTH and not _has_regex(part):
                scope = replace(scope, kernel=(*scope.kernel, part))
            if names == {"side"}:
                sides = (side for side in scope.sides if _side_holds(part, side))
                scope = replace(scope, sides=frozenset(sides))
            continue
        for compared in comparisons(part):
            if compared.name not in KERNEL_FIELDS:
                raise FilterError(_refusal(compared, part), compared.column)
            if any(value.kind == "regex" for value in compared.values):
                raise FilterError(
                    f"{compared.name!r} takes no regular expression here; use a glob",
                    compared.column,
                )
        scope = replace(scope, kernel=(*scope.kernel, part))
    return scope


def _plain(settings: Filter) -> list[Expression]:
    """Return the plain settings as expressions."""
    process, network, http, events = (
        settings.process,
        settings.network,
        settings.http,
        settings.events,
    )
    some = (
        ("pid", "=", map(str, process.pids)),
        ("pid", "!=", map(str, process.exclude_pids)),
        ("pid", ">=", [str(process.min_pid)] if process.min_pid > 1 else []),
        ("comm", "~", process.names),
        ("comm", "!~", process.exclude_names),
        ("user", "=", process.users),
        ("container", "~", process.containers),
        ("port", "=", map(str, network.ports)),
        ("port", "!=", map(str, network.exclude_ports)),
        ("peer", "=", network.addresses),
        ("peer", "!=", network.exclude_addresses),
        ("socket", "!=", [] if network.unix_sockets else ["unix"]),
        ("method", "=", http.methods),
        ("path", "~", http.paths),
        ("path", "!~", http.exclude_paths),
        ("host", "~", http.hosts),
        ("status", "=", http.status),
        ("proto", "=", http.versions),
        ("latency", ">=", _limit(http.min_latency_ns, format_duration)),
        ("latency", "<=", _limit(http.max_latency_ns, format_duration)),
        ("request_size", ">=", _limit(http.min_request_bytes, str)),
        ("request_size", "<=", _limit(http.max_request_bytes, str)),
        ("size", ">=", _limit(http.min_response_bytes, str)),
        ("size", "<=", _limit(http.max_response_bytes, str)),
        ("side", "=", [] if events.side == "both" else [events.side]),
        ("connection", "!=", [] if events.connects else ["opened"]),
        ("connection", "!=", [] if events.accepts else ["accepted"]),
    )
    parts: list[Expression] = []
    for name, operator, texts in some:
        # Globs in settings are never regular expressions, even between slashes.
        values = tuple(parse_value(name, operator, text, operator in ("~", "!~")) for text in texts)
        if values:
            parts.append(Compare(name, operator, values))
    if network.localhost_only:
        local = (parse_value("peer", "=", text, False) for text in ("127.0.0.0/8", "::1"))
        unix = parse_value("socket", "=", "unix", False)
        parts.append(Or((Compare("peer", "=", tuple(local)), Compare("socket", "=", (unix,)))))
    return parts


def _limit(value: int, show: Callable[[int], str]) -> list[str]:
    return [show(value)] if value else []


def _has_regex(part: Expression) -> bool:
    return any(value.kind == "regex" for item in comparisons(part) for value in item.values)


def _side_holds(part: Expression, side: Side) -> bool:
    return matches_key(part, EndpointKey(side, "", "", False, "", ""), None) is not False


def _refusal(compared: Compare, part: Expression) -> str:
    if compared.name == "in_flight":
        return "'in_flight' changes from moment to moment and cannot limit a run"
    others = sorted({item.name for item in comparisons(part)} - _EXACT_FIELDS)
    return (
        f"{compared.name!r} and {', '.join(map(repr, others))} cannot be counted exactly "
        "in one 'or' or 'not'; join them with 'and'"
    )
