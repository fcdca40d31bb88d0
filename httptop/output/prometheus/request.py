"""Requests that a scraper sends: read from bytes, without sockets.

Only what decides on the answer is looked at: the request line, Host, what the scraper accepts, and
how long it is going to wait.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

#: Bytes of a header section; a scraper's has 500.
LONGEST: Final = 8192
#: Seconds that a scraper is taken to wait where it does not say, and at least and at most.
WAITS_S: Final = 10.0
_WAITS_S: Final = (1.0, 60.0)

_END: Final = re.compile(rb"\r?\n\r?\n")
_LINE: Final = re.compile(rb"([A-Z]{1,32}) (\S{1,4096}) HTTP/1\.([0-9])")
_QUALITY: Final = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")


class BadRequest(Exception):
    """A request that is refused; ``status`` and the text say why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request."""

    method: str
    path: str  # without its query
    version: int  # of HTTP/1
    host: str  # as sent, without the port; empty: there is none
    protobuf: bool  # preferred to text
    gzip: bool
    waits_s: float


def parse(received: bytes) -> Request | None:
    """Return the request that the bytes begin with; None: it is not whole. Raises BadRequest."""
    end = _END.search(received)
    if end is None:
        if len(received) > LONGEST:
            raise BadRequest(431, f"a header section may have {LONGEST} bytes")
        return None
    if end.start() > LONGEST:
        raise BadRequest(431, f"a header section may have {LONGEST} bytes")
    first, *lines = re.split(rb"\r?\n", received[: end.start()])
    found = _LINE.fullmatch(first)
    if found is None:
        raise BadRequest(400, "this is no request of HTTP/1")
    fields: dict[bytes, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "a field of the header section has no name, or no colon")
        text = value.strip().decode("latin-1")
        before = fields.get(name.lower())
        fields[name.lower()] = text if before is None else f"{before}, {text}"
    return Request(
        method=found[1].decode(),
        path=found[2].decode("latin-1").partition("?")[0],
        version=int(found[3]),
        host=_without_port(fields.get(b"host", "")),
        protobuf=_prefers_protobuf(fields.get(b"accept", "")),
        gzip=_accepts_gzip(fields.get(b"accept-encoding", "")),
        waits_s=_seconds(fields.get(b"x-prometheus-scrape-timeout-seconds", "")),
    )


def is_local(host: str) -> bool:
    """Return whether a Host is this one by an address, or by the name that always means it.

    Any other name may be one that a web page has made mean this host, to read what it must not.
    """
    if not host or host.lower() in ("localhost", "localhost."):
        return True
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]*$", "", host)


def _prefers_protobuf(accept: str) -> bool:
    """Return whether delimited protobuf is accepted, and text no more than that."""
    protobuf, text, anything = 0.0, 0.0, 0.0
    for one in accept.split(","):
        media, *parameters = (part.strip().lower() for part in one.split(";"))
        quality = _quality(parameters)
        if media == "application/vnd.google.protobuf" and "encoding=delimited" in parameters:
            protobuf = max(protobuf, quality)
        elif media in ("text/plain", "text/*"):
            text = max(text, quality)
        elif media == "*/*":
            anything = max(anything, quality)
    return protobuf > 0 and protobuf >= (text or anything)


def _accepts_gzip(accepted: str) -> bool:
    for one in accepted.split(","):
        coding, *parameters = (part.strip().lower() for part in one.split(";"))
        if coding in ("gzip", "x-gzip"):
            return _quality(parameters) > 0
    return False


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if found := _QUALITY.fullmatch(parameter):
            return min(float(found[1]), 1.0)
    return 1.0


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,9})?", text):
        return WAITS_S
    return min(max(float(text), _WAITS_S[0]), _WAITS_S[1])
