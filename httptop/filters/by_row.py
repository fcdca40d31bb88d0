"""Make filters from a row of the endpoint table: its process, path, statuses, process ids."""

from __future__ import annotations

from typing import Final, Literal

from httptop.filters.parser import parse
from httptop.filters.tree import Expression
from httptop.filters.values import Value
from httptop.model import STATUS_UNKNOWN, EndpointStats

RowField = Literal["comm", "path", "status", "pid"]

#: Status classes, the worst first; None: no response.
_WORST_FIRST: Final = (5, None, 4, 3, 2, 1)


def row_values(row: EndpointStats, field: RowField) -> tuple[str, ...]:
    """Return a row's values of a field; for ``status`` all that can be chosen, the worst first."""
    match field:
        case "comm":
            return (row.key.process,)
        case "path":
            return (row.key.path,)
        case "pid":
            return tuple(map(str, row.pids))
        case "status":
            return tuple(text for text, _ in outcomes(row))


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
