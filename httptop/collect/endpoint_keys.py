"""The keys of endpoints: made of what a source says of them, and those of httptop's own rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from httptop.collect.source import RawEndpoint
from httptop.http.redaction import redacted_template
from httptop.linux.owners import Users
from httptop.model import (
    IDLE_PATH,
    OVERFLOW_PATH,
    SIDES,
    EndpointKey,
    Side,
)
from httptop.printable import clean

#: The rows that count where there is no room for another one of ``~other`` or ``~idle``, by path.
LAST_RESORT: Final[Mapping[str, Mapping[Side, EndpointKey]]] = {
    path: {side: EndpointKey(side, path, "HTTP/1.1", False, "OTHER", path) for side in SIDES}
    for path in (OVERFLOW_PATH, IDLE_PATH)
}

LAST_RESORT_KEYS: Final = {key for keys in LAST_RESORT.values() for key in keys.values()}


def protocol_of(version: int) -> str:
    """Return the protocol that a source's number of a version stands for."""
    major, minor = divmod(version - 100, 10) if version >= 100 else (1, version)
    return f"HTTP/{major}.{minor}"


#: What clean() makes of a byte or character that cannot be shown.
_ESCAPE: Final = re.compile(rb"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})")


def _requested(path: bytes) -> str:
    """Return a path as text: none of httptop's own, and what looks like an escape is one."""
    text = clean(_ESCAPE.sub(rb"\\x5c", path))
    if text.startswith("~"):
        text = f"\\x7e{text[1:]}"
    return f"{text[:-1]}\\u2026" if text.endswith("…") else text


def own_key(key: EndpointKey, path: str) -> EndpointKey:
    """Return the key of a row of httptop's own, of the same process and side."""
    return replace(key, protocol="HTTP/1.1", method="OTHER", path=path, port=0)


def key_of(raw: RawEndpoint, users: Users) -> EndpointKey:
    """Return the key of what a source has counted, as text that is safe to show.

    What looks like a secret is ``{id}`` in it, so several endpoints of a source may have one key.
    """
    path = (
        clean(raw.path) if raw.own else _requested(redacted_template(raw.path, cut=raw.truncated))
    )
    if raw.truncated:
        path += "…"
    user = "" if raw.uid is None else users.name(raw.uid)
    protocol = protocol_of(raw.version)
    return EndpointKey(
        SIDES[raw.side], clean(raw.process), protocol, False, raw.method, path, user, raw.port
    )
