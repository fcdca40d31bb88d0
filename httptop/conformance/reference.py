"""Compute the expected counts of a case, including bytes, with the observer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from httptop.conformance.case import Case, Step
from httptop.conformance.observer import Exchange, Observer
from httptop.http.path_template import template
from httptop.model import BAD_REQUEST_PATH, SIDES, Side
from httptop.printable import clean

_NAMED: Final = (
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """The part of a row's key that a case determines."""

    side: Side
    method: str
    path: str
    protocol: str


@dataclass(slots=True)
class Counts:
    """The counts of an endpoint."""

    status: dict[int, int] = field(default_factory=dict)
    unanswered: int = 0
    in_flight: int = 0
    truncated: int = 0  # of the statuses' responses
    request_bytes: int = 0
    response_bytes: int = 0

    def add(self, other: Counts, times: int) -> None:
        """Add others ``times`` over, at least once."""
        for code, count in other.status.items():
            self.status[code] = self.status.get(code, 0) + count * times
        self.unanswered += other.unanswered * times
        self.in_flight += other.in_flight * times
        self.truncated += other.truncated * times
        self.request_bytes += other.request_bytes * times
        self.response_bytes += other.response_bytes * times

    def __str__(self) -> str:
        outcomes = {str(code or "unknown"): count for code, count in sorted(self.status.items())}
        outcomes |= {"unanswered": self.unanswered, "in flight": self.in_flight}
        outcomes |= {"truncated": self.truncated}
        text = ", ".join(
            name if count == 1 else f"{name} x{count}" for name, count in outcomes.items() if count
        )
        return f"{text or 'nothing'}; {self.request_bytes} and {self.response_bytes} bytes"


Counted = dict[Endpoint, Counts]


@dataclass(slots=True)
class Watched:
    """What one end of the connection has seen."""

    observer: Observer
    sent: list[int] = field(default_factory=lambda: [0, 0])  # bytes of requests, of responses

    def take(self, sender: Side, data: bytes) -> None:
        """Process bytes that the end has sent or read."""
        if sender == "client":
            self.observer.request(data)
        else:
            self.observer.response(data)
        self.sent[sender == "server"] += len(data)


def watched(case: Case, path: str) -> dict[Side, Watched]:
    """Return what each end sees during a case."""
    ends: dict[Side, Watched] = {side: Watched(Observer(side)) for side in SIDES}
    unread: dict[Side, list[bytes]] = {side: [] for side in SIDES}
    for step in case.steps:
        if step.do in ("close", "reset"):
            ends[step.who].observer.close()
        elif step.do == "send":
            _send(step, case.played(step, path), ends, unread)
    return ends


def _send(
    step: Step, pieces: list[bytes], ends: dict[Side, Watched], unread: dict[Side, list[bytes]]
) -> None:
    other: Side = "client" if step.who == "server" else "server"

    def read(data: bytes) -> None:
        unread[step.who].append(data)
        if step.manner.read == "never":
            return
        ends[other].take(step.who, b"".join(unread[step.who]))
        unread[step.who].clear()

    if step.manner.read == "each":
        for piece in pieces:
            ends[step.who].take(step.who, piece)
            read(piece)
    else:
        for piece in pieces:
            ends[step.who].take(step.who, piece)
        read(b"".join(pieces))


def expected(case: Case, path: str, *, closed: bool = False) -> Counted:
    """Return the expected counts after all steps, or, if ``closed``, after closing both ends."""
    found: Counted = {}
    for side, end in watched(case, path).items():
        if closed:
            end.observer.close()
        for exchange in end.observer.exchanges:
            if exchange.discarded:
                continue
            endpoint = endpoint_of(exchange, side)
            _add(found.setdefault(endpoint, Counts()), exchange)
    return found


def endpoint_of(exchange: Exchange, side: Side) -> Endpoint:
    """Return the endpoint that counts a request."""
    if exchange.bad:
        return Endpoint(side, "OTHER", BAD_REQUEST_PATH, "HTTP/1.1")
    connect = exchange.method == "CONNECT"
    text, truncated = template(exchange.target, connect=connect)
    method = exchange.method if exchange.method in _NAMED else "OTHER"
    shown = clean(text) + ("…" if truncated else "")
    return Endpoint(side, method, shown, f"HTTP/{exchange.version}")


def _add(counts: Counts, exchange: Exchange) -> None:
    if exchange.status:
        counts.status[exchange.status] = counts.status.get(exchange.status, 0) + 1
    elif exchange.unanswered:
        counts.unanswered += 1
    else:
        counts.in_flight += 1
    counts.truncated += exchange.truncated
    counts.request_bytes += exchange.request_bytes
    counts.response_bytes += exchange.response_bytes


def by_the_data(case: Case, path: str) -> Counted:
    """Return the counts in the case's own rows, which do not include bytes."""
    return {
        Endpoint(row.side, row.method, row.path.replace("$", path), row.protocol): Counts(
            dict(row.status), row.unanswered, row.in_flight, row.truncated
        )
        for row in case.rows
    }
