"""The address of a receiver of OpenTelemetry's protocol, as it is written."""

from __future__ import annotations

import re
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

Signal = Literal["metrics", "traces"]
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)

#: The address that OpenTelemetry's variables name, else DEFAULT.
AUTO: Final = "auto"
DEFAULT: Final = "http://localhost:4318"
_PORTS: Final = {"http": 80, "https": 443}
_URL: Final = "http://HOST:4318 or https://HOST is needed"


def below(endpoint: str, signal: Signal) -> str:
    """Return the address of a signal below an endpoint."""
    return f"{endpoint.rstrip('/')}/v1/{signal}"


def parsed(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path of an address; raise :class:`ValueError`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{_URL} ({error})") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(_URL)
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "user and password do not belong into an address, which is shown: otlp.headers_file, "
            "or OTEL_EXPORTER_OTLP_HEADERS, may have Authorization"
        )
    if "?" in url or "#" in url:
        raise ValueError("an address without ? and # is needed")
    host, path = parts.hostname, parts.path or "/"
    if not re.fullmatch(r"[0-9A-Za-z._-]{1,253}|[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?", host):
        raise ValueError("the host of an address is a name in ASCII, or an address")
    if not re.fullmatch(r"[!-~]{1,2000}", path):
        raise ValueError("the path of an address is ASCII without spaces")
    return parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path
