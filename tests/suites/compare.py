"""Compare httptop's rows with the wire and the server's log, for exchanges played together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from httptop.conformance.observer import Observer
from httptop.conformance.reference import _NAMED, endpoint_of
from httptop.http.path_template import template
from httptop.model import BAD_REQUEST_PATH, SIDES, Side, Snapshot
from tests.suites.play import SECOND_PATH, Played
from tests.suites.wire import Answers

#: A row's method, path and status; 0 for an unknown outcome, -1 for none.
Rows = Counter[tuple[str, str, int]]
UNANSWERED: Final = -1

_LINE: Final = re.compile(
    rb"(INFO:aiohttp\.access:)?\"?([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+)"
    rb"(?: HTTP/[0-9.]+\"?)? (\d{3})"
)
_PLAIN: Final = re.compile(r"/[A-Za-z0-9/._-]*")


@dataclass(slots=True)
class Seen:
    """What httptop counted in a span of time."""

    rows: dict[Side, Rows] = field(default_factory=lambda: {side: Counter() for side in SIDES})
    orphans: int = 0
    parse_errors: int = 0
    discarded: int = 0

    def __sub__(self, before: Seen) -> Seen:
        """Return what came since."""
        grown = Seen(
            orphans=self.orphans - before.orphans,
            parse_errors=self.parse_errors - before.parse_errors,
            discarded=self.discarded - before.discarded,
        )
        for side in SIDES:
            grown.rows[side] = self.rows[side] - before.rows[side]
        return grown


def seen_in(snapshot: Snapshot) -> Seen:
    """Return what a snapshot holds."""
    seen = Seen(
        orphans=snapshot.health.orphan_responses,
        parse_errors=snapshot.health.parse_errors,
        discarded=getattr(snapshot.health, "discarded_requests", 0),
    )
    for row in snapshot.endpoints:
        rows, key = seen.rows[row.key.side], row.key
        for status, count in row.status.items():
            rows[key.method, key.path, status] += count
        if gone := row.unanswered + (row.in_flight or 0):
            rows[key.method, key.path, UNANSWERED] += gone
    return seen


def observed(played: Sequence[Played]) -> Seen:
    """Return what the reference observer makes of what went through, on both sides."""
    seen = Seen()
    for one in played:
        for side in SIDES:
            observer = Observer(side)
            for kind, data in one.pieces:
                (observer.request if kind == "request" else observer.response)(data)
            observer.close()
            seen.discarded += observer.discarded
            for exchange in observer.exchanges:
                if not exchange.discarded:
                    key = endpoint_of(exchange, side)
                    outcome = UNANSWERED if exchange.unanswered else exchange.status
                    seen.rows[side][key.method, key.path, outcome] += 1
    return seen


def logged_in(log: bytes) -> Rows:
    """Return the requests in a server's log."""
    found: Rows = Counter()
    for line in log.splitlines():
        match = _LINE.fullmatch(line.strip())
        # What was no request some servers log as "-", aiohttp as UNKNOWN.
        if match and b"-" not in (match[2], match[3]) and match[2] != b"UNKNOWN":
            method, target = match[2].decode(), match[3]
            if match[1] and target.startswith(b"////"):
                target = target[2:]  # aiohttp logs two more slashes than the request had
            path = template(target, connect=method == "CONNECT")[0].decode(errors="replace")
            found[method if method in _NAMED else "OTHER", path, int(match[4])] += 1
    return found


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One way in which a side differs."""

    side: str
    kind: str
    text: str


def differences(came: Sequence[Answers], log: Rows, seen: Seen) -> list[Difference]:
    """Return how the rows differ from the wire and the log; empty where they agree."""
    wire = Counter(status for one in came for status in one.statuses)
    found = []
    for side in SIDES:
        rows = seen.rows[side]
        counted: Counter[int] = Counter()
        for (_, _, status), count in rows.items():
            counted[status] += count
        statuses = Counter({status: n for status, n in counted.items() if status > 0})
        if missing := wire - statuses:
            found.append(Difference(side, "a status is missing", _show(missing)))
        if extra := statuses - wire:
            found.append(Difference(side, "a status too many", _show(extra)))
        bare = sum(bool(one.bare) for one in came)
        if counted[0] > bare:
            found.append(Difference(side, "an unknown outcome", f"{counted[0]} x"))
        found.extend(_second(side, came, log, rows))
        found.extend(_first(side, came, log, rows))
    if seen.orphans:
        found.append(Difference("both", "orphans", f"{seen.orphans} x"))
    return found


def _second(side: Side, came: Sequence[Answers], log: Rows, rows: Rows) -> list[Difference]:
    """Compare the request that is behind the vector in a pipeline."""
    ours = {key[2]: n for key, n in rows.items() if key[:2] == ("GET", SECOND_PATH)}
    unsent = Counter(key[2] for key in log.elements()) - Counter(
        status for one in came for status in one.statuses
    )
    logs = (
        Counter({key[2]: n for key, n in log.items() if key[:2] == ("GET", SECOND_PATH)}) - unsent
    )
    answered = {status: n for status, n in ours.items() if status != UNANSWERED}
    found = []
    if answered != logs:
        found.append(Difference(side, "the second request", f"{ours}, in the log {dict(logs)}"))
    if side == "server":
        # A server that has said that it closes processes nothing more.
        closed = sum(one.closing for one in came)
        most = max(0, len(came) - closed)
        if ours.get(UNANSWERED, 0) > most:
            found.append(Difference(side, "behind a response that closes", f"{ours}"))
        others = sum(n for key, n in rows.items() if key[2] == UNANSWERED) - ours.get(-1, 0)
        if others > most:
            found.append(Difference(side, "unanswered that is none", f"{others} x"))
    return found


def _first(side: Side, came: Sequence[Answers], log: Rows, rows: Rows) -> list[Difference]:
    """Compare what the log tells by method and path, where its notation leaves no doubt."""
    wire = Counter(status for one in came for status in one.statuses)
    logged = Counter(key[2] for key in log.elements())
    unsent = {status for status in logged if logged[status] > wire[status]}
    plain = Counter({k: n for k, n in log.items() if _PLAIN.fullmatch(k[1]) and k[2] not in unsent})
    missing = plain - rows
    for _, path, status in list(missing):  # some logs have a path for what was no request
        spare = rows["OTHER", BAD_REQUEST_PATH, status]
        if path:
            missing -= Counter({k: spare for k in missing if k[2] == status})
    return [Difference(side, "method or path", f"not {_rows(missing)}")] if missing else []


def _rows(rows: Rows) -> str:
    return ", ".join(f"{n} x {' '.join(map(str, key))}" for key, n in sorted(rows.items()))


def _show(statuses: Counter[int]) -> str:
    return ", ".join(f"{n} x {status}" for status, n in sorted(statuses.items()))
