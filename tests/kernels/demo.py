"""Judge what httptop says of its demo, all of whose requests it sees at both ends.

The demo's services talk to each other only, and the last snapshot is taken after they have ended.
So each row of a server is also a row of its client, with the same counts, and a row that no service
of :mod:`httptop.demo.services` can cause was made up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]
#: What identifies a row: side, process, method, path.
Key = tuple[str, str, str, str]

#: Who calls each service.
CLIENT_OF: Final = {
    "shop-gateway": "shop-load",
    "shop-catalog": "shop-gateway",
    "shop-orders": "shop-gateway",
}
_FORWARDED: Final = 502  # of a gateway whose call failed
#: What each service serves: method, path, and the statuses that it can answer with.
SERVED: Final[dict[str, dict[tuple[str, str], tuple[int, ...]]]] = {
    "shop-gateway": {
        ("GET", "/"): (200,),
        ("HEAD", "/health"): (200,),
        ("GET", "/products/{id}"): (200, 304, 404, 503, _FORWARDED),
        ("GET", "/search"): (200, 503, _FORWARDED),
        ("POST", "/login"): (200, 401),
        ("GET", "/old-catalog"): (302,),
        ("GET", "/favicon.ico"): (404,),
        ("POST", "/orders"): (201, _FORWARDED),
        ("GET", "/orders/{id}"): (200, 500, _FORWARDED),
        ("GET", "/reports/2024-report"): (200, _FORWARDED),
        ("DELETE", "/cart/items/{id}"): (204, _FORWARDED),
    },
    "shop-catalog": {
        ("GET", "/products/{id}"): (200, 304, 404, 503),
        ("GET", "/search"): (200, 503),
        ("GET", "/stock/{id}"): (200, 503),
    },
    "shop-orders": {
        ("POST", "/orders"): (201,),
        ("GET", "/orders/{id}"): (200, 500),
        ("GET", "/reports/2024-report"): (200,),
        ("DELETE", "/cart/items/{id}"): (204,),
    },
}
#: Counts that must be 0, by their names in ``health``. (A late tick is the emulation's.)
MISSED: Final = (
    "missed_calls",
    "orphan_responses",
    "lost_chunks",
    "overflow_requests",
    "parse_errors",
    "overfull_pipelines",
)
#: What both ends of a request must agree on.
_COUNTS: Final = ("requests", "in_flight", "unanswered", "request_bytes", "response_bytes")


@dataclass(slots=True)
class Findings:
    """What a run of the demo showed."""

    snapshots: int = 0
    server_requests: int = 0
    client_requests: int = 0
    health: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # sentences; empty: all is right


def judge(lines: Iterable[str], snapshots: int) -> Findings:
    """Judge the JSON output of ``httptop --demo -b``, which should hold so many snapshots.

    Made-up rows count in every snapshot, the other questions are asked of the last.
    """
    found = Findings()
    last: Json | None = None
    invented: dict[str, None] = {}
    for line in lines:
        try:
            last = json.loads(line)
        except ValueError:
            found.faults.append(f"what follows snapshot {found.snapshots} is cut off")
            break
        found.snapshots += 1
        invented.update(dict.fromkeys(_invented(last)))
    if last is None or not last["final"]:
        found.faults.append("there is no last snapshot")
    if found.snapshots != snapshots:
        found.faults.append(f"{found.snapshots} snapshots instead of {snapshots}")
    if last is None:
        return found
    totals = last["totals"]
    found.server_requests = totals["server"]["requests"]
    found.client_requests = totals["client"]["requests"]
    found.health = {name: last["health"][name] for name in MISSED}
    found.faults += [f"{name}: {n}" for name, n in found.health.items() if n]
    if not found.server_requests:
        found.faults.append("no request was seen")
    found.faults += [*_differences(last), *invented]
    return found


def _key(row: Json) -> Key:
    return row["side"], row["process"], row["method"], row["path"]


def _differences(snapshot: Json) -> Iterator[str]:
    """Yield a sentence for each path whose two ends do not agree.

    The gateway calls two services, whose paths differ, so its client's rows are told apart by them.
    """
    rows = {_key(row): row for row in snapshot["endpoints"]}
    pairs: dict[tuple[Key, Key], None] = {}
    for side, process, method, path in rows:
        for server, client in CLIENT_OF.items():
            mine = process == server if side == "server" else process == client
            if mine and (side == "server" or (method, path) in SERVED[server]):
                ends = ("server", server, method, path), ("client", client, method, path)
                pairs[ends] = None
    for ours, theirs in sorted(pairs):
        server_saw, client_saw = _counts(rows.get(ours)), _counts(rows.get(theirs))
        if server_saw != client_saw:
            _, server, method, path = ours
            yield f"{method} {path}: {server} {server_saw}, its client {theirs[1]} {client_saw}"


def _counts(row: Json | None) -> str:
    if row is None:
        return "none"
    statuses = " ".join(f"{code}:{n}" for code, n in sorted(row["status"].items()))
    return ", ".join((statuses, *(f"{name} {row[name]}" for name in _COUNTS if row[name])))


def _invented(snapshot: Json) -> Iterator[str]:
    """Yield a sentence for each row, and each status, that the demo cannot have caused."""
    for row in snapshot["endpoints"]:
        side, process, method, path = _key(row)
        for server, client in CLIENT_OF.items():
            statuses = SERVED[server].get((method, path))
            if process == (server if side == "server" else client) and statuses is not None:
                break
        else:
            yield f"made up: {side} {process} {method} {path}"
            continue
        for code in row["status"]:
            if code not in map(str, statuses):
                yield f"made up: {side} {process} {method} {path} with status {code}"
