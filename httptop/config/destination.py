"""Where a log of requests goes, as it is written: a file, a stream, syslog."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from httptop.literals import nearest

Kind = Literal["-", "file", "tcp", "unix", "syslog", "syslog+udp", "syslog+tcp"]

STANDARD_OUTPUT: Final = "-"
#: The socket of the host's own syslog.
LOCAL_SYSLOG: Final = "/dev/log"
#: Ports where none is given: RFC 5426, and what rsyslog and syslog-ng take for RFC 6587.
_PORTS: Final = {"syslog+udp": 514, "syslog+tcp": 601}
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):(.*)", re.S)
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([0-9A-Za-z._-]+))(?::([0-9]{1,5}))?")
_KINDS: Final = ("tcp", "unix", "syslog", "syslog+udp", "syslog+tcp")
#: What fits into an address of a Unix socket, bytes.
_LONGEST_SOCKET: Final = 107


@dataclass(frozen=True, slots=True)
class LogDestination:
    """A parsed destination; ``text`` is how it is written."""

    kind: Kind
    text: str
    path: str = ""  # of a file, or of a Unix socket
    host: str = ""
    port: int = 0


def has_scheme(text: str) -> bool:
    """Return whether a destination is no file."""
    return text == STANDARD_OUTPUT or _SCHEME.match(text) is not None


def parse_destination(text: str) -> LogDestination:
    """Return where a log goes; raise :class:`ValueError`.

    ``-``, ``/path``, ``tcp://host:port``, ``unix:///path``, ``syslog:`` (perhaps with the path of
    another socket than /dev/log), ``syslog+udp://host[:port]``, ``syslog+tcp://host[:port]``.
    """
    if text == STANDARD_OUTPUT:
        return LogDestination("-", text)
    if text.startswith("/") and len(text) > 1 and not text.endswith("/"):
        return LogDestination("file", text, path=text)
    match = _SCHEME.fullmatch(text)
    if match is None:
        raise ValueError("-, a path that begins with /, or a URL such as tcp://host:port is needed")
    scheme, rest = match[1], match[2]
    if scheme == "syslog":
        return LogDestination("syslog", text, path=_socket(rest or LOCAL_SYSLOG, "syslog:/path"))
    if scheme == "unix":
        path = rest.removeprefix("//") if rest.startswith("///") else ""
        return LogDestination("unix", text, path=_socket(path, "unix:///path"))
    if scheme == "tcp":
        return LogDestination("tcp", text, "", *_host(rest, scheme))
    if scheme == "syslog+udp":
        return LogDestination("syslog+udp", text, "", *_host(rest, scheme))
    if scheme == "syslog+tcp":
        return LogDestination("syslog+tcp", text, "", *_host(rest, scheme))
    raise ValueError(f"unknown kind of destination, {scheme}:{nearest(scheme, _KINDS)}")


def _socket(path: str, form: str) -> str:
    if not path.startswith("/") or len(path) < 2:
        raise ValueError(f"the absolute path of a socket is needed: {form}")
    if len(path.encode("utf-8", "surrogateescape")) > _LONGEST_SOCKET:
        raise ValueError(f"the path of a socket has at most {_LONGEST_SOCKET} bytes")
    return path


def _host(rest: str, scheme: str) -> tuple[str, int]:
    found = _HOST.fullmatch(rest.removeprefix("//")) if rest.startswith("//") else None
    port = None if found is None else found[3] or _PORTS.get(scheme)
    if found is None or port is None or not 0 < int(port) < 1 << 16:
        form = f"{scheme}://host{'[:port]' if scheme in _PORTS else ':port'}"
        raise ValueError(f"a host and a port from 1 to 65535 are needed: {form}")
    return found[1] or found[2], int(port)
