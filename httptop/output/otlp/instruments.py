"""The metrics that are sent: their names, units and kinds."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from httptop.model import SIDES, Side

Kind = Literal["histogram", "counter", "up-down counter", "gauge"]


class Instrument(NamedTuple):
    """A metric: its name, what it is in, and what it tells."""

    name: str
    unit: str
    description: str
    kind: Kind


DURATION: Final[dict[Side, Instrument]] = {
    side: Instrument(
        f"http.{side}.request.duration",
        "s",
        f"Time from a request to the first byte of its response, {side} side.",
        "histogram",
    )
    for side in SIDES
}
ACTIVE: Final[dict[Side, Instrument]] = {
    side: Instrument(
        f"http.{side}.active_requests",
        "{request}",
        f"Requests whose response has not begun, {side} side.",
        "up-down counter",
    )
    for side in SIDES
}
UNANSWERED_REQUESTS: Final = Instrument(
    "httptop.requests.unanswered",
    "{request}",
    "Requests whose connection ended before a response.",
    "counter",
)
REQUEST_BYTES: Final = Instrument(
    "httptop.request.bytes", "By", "Bytes of requests, header sections included.", "counter"
)
RESPONSE_BYTES: Final = Instrument(
    "httptop.response.bytes", "By", "Bytes of responses, header sections included.", "counter"
)
