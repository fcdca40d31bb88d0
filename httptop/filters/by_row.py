"""Make filters from a row of the endpoint table, or from one request: its process, path, ..."""

from __future__ import annotations

from typing import Final, Literal

from httptop.filters.parser import parse
from httptop.filters.tree import Expression
from httptop.filters.values import Value
from httptop.model import OTHER_PEERS, STATUS_UNKNOWN, UNIX_PEER, EndpointStats, Transaction

RowField = Literal[
    "comm", "path", "status", "pid", "peer", "port", "method", "user", "container", "host"
]

#: Status classes, the worst first; None: no response.
_WORST_FIRST: Final = (5, None, 4, 3, 2, 1)
#: Peers that have no address.
_NO_ADDRESS: Final = frozenset((OTHER_PEERS, UNIX_PEER))


def row_values(row: EndpointStats, field: RowField) -> tuple[str, ...]:
    """Return a row's values of a field; of ``status`` and ``peer`` all that can be chosen."""
    match field:
        case "comm":
            return (row.key.process,)
        case "path":
            return (row.key.path,)
        case "method":
            return (row.key.method,)
        case "port":
            return (str(row.key.port),) if row.key.port else ()
        case "user":
            return (row.key.user,) if row.key.user else ()
        case "container":
            return row.containers
        case "host":
            return (row.key.host,) if row.key.host else ()
        case "pid":
            return tuple(map(str, row.pids))
        case "status" | "peer":
            return tuple(text for text, _ in choices(row, field))


def request_values(request: Transaction, field: RowField) -> tuple[str, ...]:
    """Return the value of a field that one request has, if that is known."""
    key = request.key
    match field:
        case "comm":
            return (key.process,)
        case "path":
            return (key.path,)
        case "method":
            return (key.method,)
        case "port":
            return (str(key.port),) if key.port else ()
        case "user":
            return (key.user,) if key.user else ()
        case "container":
            return ()
        case "host":
            return (key.host,) if key.host else ()
        case "pid":
            return (str(request.pid),) if request.pid else ()
        case "status":
            return (str(request.status) if request.status != STATUS_UNKNOWN else "unknown",)
        case "peer":
            address = (request.peer or "").rpartition(":")[0].strip("[]")
            return (address,) if address else ()


def choices(row: EndpointStats, field: Literal["status", "peer"]) -> list[tuple[str, int]]:
    """Return the values from which one is chosen, with their numbers of requests."""
    if field == "status":
        return outcomes(row)
    peers = (row.by_peer or {}).items()
    return [(peer, stats.requests) for peer, stats in peers if peer not in _NO_ADDRESS]


def outcomes(row: EndpointStats) -> list[tuple[str, int]]:
    """Return a row's statuses and classes with their numbers of requests, the worst first.

    A class precedes its codes, and is included only if it has several.
    """
    found: list[tuple[str, int]] = []
    for hundreds in _WORST_FIRST:
        if hundreds is None:
            if unknown := row.unanswered + row.status.get(STATUS_UNKNOWN, 0):
                found.append(("unknown", unknown))
            continue
        codes = [code for code in row.status if code // 100 == hundreds]
        if len(codes) > 1:
            found.append((f"{hundreds}xx", row.status_class(hundreds)))
        codes.sort(key=lambda code: (-row.status[code], code))
        found += [(str(code), row.status[code]) for code in codes]
    return found


def part_for(field: RowField, values: tuple[str, ...], excluded: bool) -> Expression:
    """Return ``field = value,value``, or with ``!=`` if they are excluded."""
    written = ",".join(str(Value(value, "literal")) for value in values)
    return parse(f"{field} {'!=' if excluded else '='} {written}")
