"""Where a Prometheus server is: ``prometheus:https://user:password@host:9090/prefix``."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from httptop.errors import UsageError

KIND: Final = "prometheus:"
_EXAMPLE: Final = "prometheus:http://127.0.0.1:9090 is an example"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A server, and who asks it."""

    secure: bool  # HTTPS
    host: str  # a name or an address, without brackets
    port: int
    prefix: str = ""  # of paths, without a slash at its end
    authorization: str = ""  # a field's value; never shown

    def __str__(self) -> str:
        """Return it for people: without who asks."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{self.prefix}"

    def __repr__(self) -> str:
        """Return the same: what is logged holds no password."""
        return f"Address({self})"


def parse_source(text: str) -> Address:
    """Return what follows ``--from``; raise :class:`UsageError` with what is wrong with it."""
    if not text.startswith(KIND):
        raise UsageError(f"--from: {_EXAMPLE}")
    url = text.removeprefix(KIND)
    if not (url.isascii() and url.isprintable()) or any(sign in url for sign in ' "<>\\^`{|}'):
        raise UsageError("--from: a URL has no blanks and no signs that it does not escape")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(f"--from: that is no URL; {_EXAMPLE}") from None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise UsageError(f"--from: a URL of HTTP with a host is needed; {_EXAMPLE}")
    if parts.query or parts.fragment:
        raise UsageError("--from: the URL has neither a query nor a fragment")
    return Address(
        parts.scheme == "https",
        parts.hostname,
        _PORTS[parts.scheme] if port is None else port,
        parts.path.rstrip("/"),
        _authorization(parts),
    )


def _authorization(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(who.encode()).decode()}"
