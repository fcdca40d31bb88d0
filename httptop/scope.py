"""What a run is limited to: fixed at its start, so that rows, totals and samples agree.

Processes, ports and the least latency go to the kernel; the rest the collector applies to
endpoint keys and status codes, which it knows exactly. A filter expression is split in the same
way: of its parts joined by ``and``, those on ``pid``, ``port`` and ``latency >=`` are the
kernel's. What neither can answer exactly is refused, never ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from httptop.errors import UsageError
from httptop.filters import (
    KEY_FIELDS,
    And,
    Compare,
    Expression,
    FilterError,
    comparisons,
    conjuncts,
    matches_key,
    matches_status,
    parse,
)
from httptop.literals import StatusRange, format_duration, matches_any, parse_status
from httptop.model import SIDES, EndpointKey, Side
from httptop.settings import Filter

_EXACT_FIELDS: Final = KEY_FIELDS | {"status"}
_KERNEL_FIELDS: Final = frozenset(("pid", "port", "latency"))
#: Ports or processes that a range may stand for.
_WIDEST: Final = 1024


@dataclass(frozen=True, slots=True)
class Scope:
    """The limits of a run; empty collections limit nothing."""

    # The kernel's:
    pids: frozenset[int] = frozenset()
    ports: frozenset[int] = frozenset()  # of the server, on either side
    min_latency_ns: int = 0
    # The collector's:
    comms: tuple[str, ...] = ()  # globs
    paths: tuple[str, ...] = ()  # globs on the template
    methods: tuple[str, ...] = ()  # upper case
    statuses: tuple[StatusRange, ...] = ()
    sides: frozenset[Side] = field(default=frozenset(SIDES))
    expression: Expression | None = None  # over key fields and status only

    @property
    def by_status(self) -> bool:
        """Whether the status of a request decides anything."""
        return bool(self.statuses) or (
            self.expression is not None
            and any(part.name == "status" for part in comparisons(self.expression))
        )

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Scope()

    def admits(self, key: EndpointKey, status: int) -> bool:
        """Return whether requests of an endpoint with this outcome count; 0: unanswered."""
        return (
            self._plain_key(key)
            and self._plain_status(status)
            and (self.expression is None or matches_key(self.expression, key, status) is True)
        )

    def admits_key(self, key: EndpointKey) -> bool:
        """Return whether requests of an endpoint may count, whatever their status."""
        return self._plain_key(key) and (
            self.expression is None or matches_key(self.expression, key, None) is not False
        )

    def admits_status(self, status: int) -> bool:
        """Return whether requests with this outcome may count, whatever their endpoint."""
        return self._plain_status(status) and (
            self.expression is None or matches_status(self.expression, status) is not False
        )

    def describe(self) -> tuple[str, ...]:
        """Return the limits as filters, one each: ``pid = 1,2``."""
        parts: list[str] = []
        if len(self.sides) == 1:
            parts.append(f"side = {next(iter(self.sides))}")
        numbers = (("pid", self.pids), ("port", self.ports))
        parts += [f"{name} = {','.join(map(str, sorted(some)))}" for name, some in numbers if some]
        globs = (("comm ~", self.comms), ("method =", self.methods), ("path ~", self.paths))
        parts += [f"{name} {','.join(some)}" for name, some in globs if some]
        if self.statuses:
            parts.append(f"status = {','.join(_show_status(codes) for codes in self.statuses)}")
        if self.min_latency_ns:
            parts.append(f"latency >= {format_duration(self.min_latency_ns)}")
        if self.expression is not None:
            parts += map(str, conjuncts(self.expression))
        return tuple(parts)

    def _plain_key(self, key: EndpointKey) -> bool:
        return (
            key.side in self.sides
            and (not self.methods or key.method.upper() in self.methods)
            and matches_any(key.process, self.comms)
            and matches_any(key.path, self.paths)
        )

    def _plain_status(self, status: int) -> bool:
        return not self.statuses or any(status in codes for codes in self.statuses)


def scope_of(settings: Filter) -> Scope:
    """Return the limits that the settings ask for.

    Raises :class:`UsageError` where they contradict each other or cannot be met exactly.
    """
    side = settings.events.side
    scope = Scope(
        pids=frozenset(settings.process.pids),
        ports=frozenset(settings.network.ports),
        min_latency_ns=settings.http.min_latency_ns,
        comms=settings.process.names,
        paths=settings.http.paths,
        methods=settings.http.methods,
        statuses=tuple(parse_status(text) for text in settings.http.status),
        sides=frozenset(name for name in SIDES if side in (name, "both")),
    )
    if not settings.expression:
        return scope
    try:
        return narrow(scope, parse(settings.expression))
    except FilterError as fault:
        raise UsageError(f"filter {settings.expression!r}: {fault}") from None


def narrow(scope: Scope, expression: Expression) -> Scope:
    """Return a scope that an expression limits further; raise :class:`FilterError`."""
    rest: list[Expression] = []
    for part in conjuncts(expression):
        if isinstance(part, Compare) and part.name in _KERNEL_FIELDS:
            scope = _pushed(scope, part)
            continue
        for compared in comparisons(part):
            if compared.name not in _EXACT_FIELDS:
                raise FilterError(_refusal(compared), compared.column)
        rest.append(part)
    if not rest:
        return scope
    return replace(scope, expression=rest[0] if len(rest) == 1 else And(tuple(rest)))


def _pushed(scope: Scope, part: Compare) -> Scope:
    """Return the scope with a part that the kernel applies."""
    if part.name == "latency":
        value = part.values[0]
        if part.operator not in (">=", ">"):
            raise FilterError(_refusal(part), part.column)
        least = value.low if part.operator == ">=" else value.high + 1
        return replace(scope, min_latency_ns=max(scope.min_latency_ns, least))
    if part.operator != "=":
        raise FilterError(_refusal(part), part.column)
    if sum(value.high - value.low + 1 for value in part.values) > _WIDEST:
        raise FilterError(f"{part.name}: at most {_WIDEST} of them", part.column)
    wanted = frozenset(n for value in part.values for n in range(value.low, value.high + 1))
    before = scope.pids if part.name == "pid" else scope.ports
    both = before & wanted if before else wanted
    if not both:
        raise FilterError(f"no {part.name} is left that all filters allow", part.column)
    return replace(scope, pids=both) if part.name == "pid" else replace(scope, ports=both)


def _refusal(part: Compare) -> str:
    match part.name:
        case "latency":
            return (
                "'latency' cannot be counted exactly so; "
                "only 'latency >= 10ms' and 'latency > 10ms', joined to the rest by 'and'"
            )
        case "pid" | "port":
            return (
                f"{part.name!r} cannot be counted exactly so; "
                f"only '{part.name} = N[,N]', joined to the rest by 'and'"
            )
        case name:
            return f"{name!r} cannot be counted exactly for a whole run"


def _show_status(codes: StatusRange) -> str:
    if codes.low == 0:
        return "unknown"
    return str(codes.low) if codes.low == codes.high else f"{codes.low}-{codes.high}"
