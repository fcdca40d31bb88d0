"""What lines say of a request, as texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from httptop.http.field_lines import fields_of
from httptop.model import STATUS_UNKNOWN, Transaction

#: What ends a line that was cut.
CUT: Final = "..."
#: Not the C library's, which are in the language of the locale.
MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_LENGTH: Final = re.compile("[0-9]{1,18}", re.ASCII)


def fitted(line: str, most_bytes: int | None) -> str:
    """Return a line, cut where it has more bytes of UTF-8."""
    if most_bytes is None or len(line) * 4 <= most_bytes:
        return line
    data = line.encode("utf-8", "backslashreplace")
    if len(data) <= most_bytes:
        return line
    return data[: most_bytes - len(CUT)].decode("utf-8", "ignore") + CUT


def escaped(text: str) -> str:
    """Return a value as Apache writes it, a backslash before each ``"`` and each backslash.

    Values are printable already (printable.py), but for what strftime may make of a format.
    """
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    if not text.isprintable():
        text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return text


def request_line(request: Transaction) -> str:
    """Return method, target and version; not escaped."""
    return f"{request.key.method} {request.path} {request.key.protocol}"


def status_of(request: Transaction) -> str:
    """Return the status code; ``-``: there is none."""
    return "-" if request.status == STATUS_UNKNOWN else f"{request.status:03d}"


def host_and_port(peer: str | None) -> tuple[str, str]:
    """Return a peer's address and its port; ``-`` for what is not known."""
    if peer is None:
        return "-", "-"
    host, colon, port = peer.rpartition(":")
    if not (colon and port.isdecimal()):
        return peer, "-"
    return host.removeprefix("[").removesuffix("]"), port


def body_bytes(request: Transaction) -> int | None:
    """Return the length of a response's content, as its header section says; None: unknown."""
    if request.response_bytes is None:
        return None
    if request.key.method == "HEAD" or request.status in (204, 304):
        return 0
    length = value_of(request.response_head[1:], "content-length")
    return int(length) if _LENGTH.fullmatch(length) else None


def value_of(head: Sequence[str], name: str) -> str:
    """Return the value of a field by its name in lower case; ``-``: none was captured.

    Values of several lines are separated by commas, as RFC 9110 has it.
    """
    lines = [line for line in head if line[: len(name)].lower() == name]
    values = [value.strip() for found, value in fields_of(lines) if found.lower() == name]
    return ", ".join(values) or "-"
