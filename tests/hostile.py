"""A snapshot with hostile names in every place that has one, cleaned as they arrive."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

from httptop import printable
from httptop.model import Health, RequestInFlight, Side, Snapshot, Transaction
from tests.factory import NOON, endpoint, key, parties, request, snapshot

#: Markup, sequences of terminals, wide, combining, invisible and right-to-left characters, length.
RAW: Final = (
    b"[red]x[/red]",
    b"a[/b]",
    b"[@click=app.quit]q[/]",
    b"\x1b[31mred\x1b]0;title\x07",
    b"\x1b]52;c;aGk=\x1b\\",
    b"\xff\xfe\x00\n\r\t",
    "日本語のとても長い名前".encode(),
    "\u202eevil\u200b\u2066".encode(),
    "שלום-عربى".encode(),
    ("e" + "\u0301" * 40 + "\u20e3").encode(),
    "👩‍👩‍👧‍👦 🏳️‍🌈 \ufe0f".encode(),
    b"A" * 8192,
    "ｗｉｄｅ".encode() * 99,
    b"   ",
    b"",
)

#: Cleaned once, however many snapshots there are.
clean = cache(printable.clean)


def hostile(tick: int = 252) -> Snapshot:
    """Return a snapshot of both sides in which every name is one of RAW."""
    sides: tuple[Side, Side] = ("server", "client")
    rows, recent, in_flight = [], [], []
    for number, raw in enumerate(RAW):
        side = sides[number % 5 == 4]
        name = key(
            clean(b"/" + raw), ("GET", "OTHER")[number % 2], clean(raw, 15), side, user=clean(raw)
        )
        status = {200: 900, 404: number, 999: 2, 503: 40 - number, 5: 1, 0: 1}
        row = endpoint(name, rps=90.0 - number, status=status, unanswered=2, in_flight=3)
        row = replace(parties(row, number), containers=(clean(raw, 64),), oldest_in_flight_ns=4e10)
        rows.append(row)
        recent.append(_request(1000 - number, name, raw, tick))
        in_flight.append(
            RequestInFlight(name, (45 - number) * 1e9, 7, clean(raw), clean(raw, 15), 9)
        )
    losses = Health(lost_samples=3, overflow_requests=5, missed_calls=1, parse_errors=9)
    notes = tuple(clean(raw) for raw in RAW)
    shown = snapshot(rows, recent, tick, losses, notes)
    return replace(shown, host=clean(RAW[0], 64), in_flight=tuple(in_flight))


def _request(serial: int, name: object, raw: bytes, tick: int) -> Transaction:
    head = (clean(b"HTTP/1.1 503 " + raw), clean(raw), clean(b"X-" + raw + b": " + raw))
    return request(
        serial,
        name,  # type: ignore[arg-type]
        started_at=NOON + tick - 2,
        path=clean(b"/" + raw, 8192),
        status=503,
        peer=clean(raw),
        request_head=head[1:],
        response_head=head,
    )
