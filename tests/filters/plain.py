"""What filters pick of rows, written plainly: a reference for the quick way."""

from __future__ import annotations

from httptop.filters import Expression, comparisons
from httptop.filters.matching import Known, evaluate, of_key
from httptop.model import OTHER_PEERS, STATUS_UNKNOWN, EndpointStats


def matches_row(expression: Expression, row: EndpointStats) -> bool:
    """Return whether a filter picks requests of a row, or the row without any."""
    codes = codes_of(row)
    if codes and any(part.name == "status" for part in comparisons(expression)):
        return bool(picked_codes(expression, row))
    return holds(expression, row, ())


def codes_of(row: EndpointStats) -> list[int]:
    codes = list(row.status)
    return [*codes, STATUS_UNKNOWN] if row.unanswered and STATUS_UNKNOWN not in codes else codes


def picked_codes(expression: Expression, row: EndpointStats) -> list[int]:
    """Return the statuses of the requests that are picked."""
    return [code for code in codes_of(row) if holds(expression, row, (_compared(code),))]


def _compared(code: int) -> int:
    return code if code == STATUS_UNKNOWN or code >= 10 else code * 100 + 99


def holds(expression: Expression, row: EndpointStats, status: tuple[int, ...]) -> bool:
    """Return whether an expression holds for requests of a row with a status, or without one."""
    responses = sum(row.status.values())
    latency = row.latency if row.latency.count else row.latency_total
    measured: dict[str, tuple[str | int, ...]] = {
        "status": status,
        "pid": row.pids,
        "latency": (round(latency.p99_ns),) if latency.count else (),
        "size": (row.response_bytes // responses,) if responses else (),
        "in_flight": () if row.in_flight is None else (row.in_flight,),
        "peer": tuple(peer for peer in row.by_peer or () if peer != OTHER_PEERS),
        "container": row.containers,
    }

    def known(name: str) -> Known:
        return measured[name] if name in measured else of_key(row.key, name)

    return evaluate(expression, known) is True
