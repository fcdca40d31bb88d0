"""Open where a log of requests goes: files now, with the rights of who called httptop; connections
later, in the thread that sends, when root is given up.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from httptop.config.destination import LogDestination
from httptop.errors import HttptopError, UsageError
from httptop.linux.appended import AppendedFile, Reopen
from httptop.linux.files import FileError, InvokingUser, rights_of
from httptop.output.request_log.file import FileMedium, StandardOutput
from httptop.output.request_log.formats import Format
from httptop.output.request_log.lines import Framing, LineByLine, Medium
from httptop.output.request_log.stream import StreamMedium, tcp_to, unix_to
from httptop.output.request_log.syslog import DatagramMedium, Rfc3164, Rfc5424, udp_to


def open_medium(
    to: LogDestination, format: Format, invoker: InvokingUser, helped: Reopen | None = None
) -> tuple[Medium, Framing]:
    """Return what writes lines to a destination, and what it wants around them.

    ``helped`` opens a file again where this process may not; see :class:`AppendedFile`. Raises
    :class:`UsageError` if a file is refused.
    """
    match to.kind:
        case "-":
            if sys.stdout is None:
                raise HttptopError("standard output is closed")
            return StandardOutput(sys.stdout.fileno()), LineByLine()
        case "file":
            try:
                file = AppendedFile(Path(to.path), invoker, ours=format.is_first, helped=helped)
            except FileError as error:
                raise UsageError(f"request_log.to: {error}") from None
            return FileMedium(file), LineByLine()
        case "tcp":
            return StreamMedium(tcp_to(to.host, to.port), acknowledges=True), LineByLine()
        case "unix":
            connect = _as_caller(unix_to(to.path), invoker)
            return StreamMedium(connect, acknowledges=False), LineByLine()
        case "syslog":
            connect = _as_caller(unix_to(to.path, socket.SOCK_DGRAM), invoker)
            return DatagramMedium(connect, may_vanish=False), Rfc3164()
        case "syslog+udp":
            return DatagramMedium(udp_to(to.host, to.port), may_vanish=True), Rfc5424(counted=False)
        case "syslog+tcp":
            connect = tcp_to(to.host, to.port)
            return StreamMedium(connect, acknowledges=True), Rfc5424(counted=True)


def _as_caller(
    connect: Callable[[], socket.socket], invoker: InvokingUser
) -> Callable[[], socket.socket]:
    """Connect with the rights of who called sudo, where root was not given up."""

    @wraps(connect)
    def connected() -> socket.socket:
        with rights_of(invoker):
            return connect()

    return connected
