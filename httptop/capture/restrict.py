"""Limit a recorded snapshot to a scope, where that can be done exactly.

Whole endpoints are left out, and the totals are added up again. Latency summaries cannot be added,
so the totals' latency is known only if one endpoint or all of them remain; their trends and the
share of errors in the window only if all do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from httptop.config.scope import Scope
from httptop.errors import UsageError
from httptop.filters import KEY_FIELDS, comparisons, matches_key
from httptop.model import NO_TOTALS, SIDES, EndpointKey, EndpointStats, Side, Snapshot, Totals

_HINT: Final = "a capture holds sums, not requests; limit the run that records it instead"


def require_narrowable(scope: Scope) -> None:
    """Raise :class:`UsageError` if captures cannot be limited to a scope."""
    asked = {part.name for item in scope.kernel for part in comparisons(item)}
    refused = sorted(asked - (KEY_FIELDS - {"host"}))
    if scope.by_status:
        refused.append("status")
    if not (scope.reads and scope.writes):
        refused.append("reads and writes")
    for name in refused:
        raise UsageError(f"--replay cannot be limited by {name}: {_HINT}")


def narrowed(snapshot: Snapshot, scope: Scope) -> Snapshot:
    """Return a snapshot of only the endpoints that a scope admits."""
    if scope.everything:
        return snapshot
    endpoints = tuple(row for row in snapshot.endpoints if _admits(scope, row.key))
    recent = tuple(request for request in snapshot.recent if _admits(scope, request.key))
    in_flight = snapshot.in_flight
    if in_flight is not None:
        in_flight = tuple(one for one in in_flight if _admits(scope, one.key))
    totals: dict[Side, Totals] = {}
    for side in SIDES:
        rows = [row for row in endpoints if row.key.side == side]
        before = sum(row.key.side == side for row in snapshot.endpoints)
        whole = len(rows) == before and side in scope.sides
        totals[side] = snapshot.total(side) if whole else _total(rows)
    return replace(snapshot, endpoints=endpoints, recent=recent, totals=totals, in_flight=in_flight)


def _admits(scope: Scope, key: EndpointKey) -> bool:
    """Return whether a scope admits an endpoint, by what the kernel would filter by, too."""
    return scope.admits_key(key) and all(matches_key(part, key, None) for part in scope.kernel)


def _total(rows: list[EndpointStats]) -> Totals:
    status: dict[int, int] = {}
    for row in rows:
        for code, responses in row.status.items():
            status[code] = status.get(code, 0) + responses
    return replace(
        NO_TOTALS,
        requests=sum(row.requests for row in rows),
        rps=sum(row.rps for row in rows),
        in_flight=sum(row.in_flight or 0 for row in rows),
        unanswered=sum(row.unanswered for row in rows),
        status=status,
        request_bytes=sum(row.request_bytes for row in rows),
        response_bytes=sum(row.response_bytes for row in rows),
        latency=rows[0].latency if len(rows) == 1 else NO_TOTALS.latency,
        latency_total=rows[0].latency_total if len(rows) == 1 else NO_TOTALS.latency_total,
    )
