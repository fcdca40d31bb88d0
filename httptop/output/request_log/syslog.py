"""What syslog wants around a line, and its datagrams.

RFC 5424 over UDP (RFC 5426) and over TCP with octet counting (RFC 6587, 3.4.1), where a line may
contain anything. The host's own socket is read by many daemons in the older form of RFC 3164 alone,
without a host name, as the C library's syslog(3) writes it.
"""

from __future__ import annotations

import os
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from httptop.output.request_log.fields import MONTHS
from httptop.output.request_log.lines import Line
from httptop.output.request_log.stream import CONNECT_S
from httptop.output.sink import SendError

#: A message has at most 2,000 bytes, as receivers should take 2,048; this is left for the line.
_MOST_BYTES: Final = 1840
_DAEMON: Final = 3 << 3
_WARNING, _INFORMATION = 4, 6
_NOT_OF_A_HOST: Final = re.compile(r"[^!-~]")
_LONGEST_HOST: Final = 64
_LARGEST_SEQUENCE: Final = (1 << 31) - 1
_BOM: Final = b"\xef\xbb\xbf"
#: Datagrams at once, and the pause behind them. By default a receiver's buffer has room for some 80
#: of the longest, and 160 of usual ones.
_BURST: Final = 64
_PAUSE_S: Final = 0.004
#: Seconds that a refusal may take to come back, after a new connection's first datagram.
_REFUSAL_S: Final = 0.2


class Rfc5424:
    """``<30>1 2026-01-01T12:00:00.000000Z host httptop 7 REQ [meta sequenceId="1"] line``."""

    most_bytes: int | None = _MOST_BYTES

    def __init__(self, *, counted: bool) -> None:
        """``counted``: the number of bytes stands before each message, as TCP needs."""
        self._counted = counted

    def framed(self, text: str, at: float, host: str, serial: int | None) -> bytes:
        """Return a message; the serial is its sequence, which begins again at 1 after 2^31-1."""
        moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        name = _NOT_OF_A_HOST.sub("", host)[:_LONGEST_HOST] or "-"
        kind, data = "MISSING", "-"
        if serial is not None:
            number = (serial - 1) % _LARGEST_SEQUENCE + 1
            kind, data = "REQ", f'[meta sequenceId="{number}"]'
        head = f"<{_priority(serial)}>1 {moment} {name} httptop {os.getpid()} {kind} {data} "
        message = head.encode() + (b"" if text.isascii() else _BOM)
        message += text.encode("utf-8", "backslashreplace")
        return b"%d " % len(message) + message if self._counted else message


class Rfc3164:
    """``<30>Jan  1 12:00:00 httptop[7]: line``, in local time."""

    most_bytes: int | None = _MOST_BYTES

    def framed(self, text: str, at: float, host: str, serial: int | None) -> bytes:  # noqa: ARG002
        """Return a message."""
        local = time.localtime(at)
        day = f"{MONTHS[local.tm_mon - 1]} {local.tm_mday:2d}"
        moment = time.strftime(f"{day} %H:%M:%S", local)
        head = f"<{_priority(serial)}>{moment} httptop[{os.getpid()}]: "
        return head.encode() + text.encode("utf-8", "backslashreplace")


def _priority(serial: int | None) -> int:
    return _DAEMON | (_WARNING if serial is None else _INFORMATION)


def udp_to(host: str, port: int) -> Callable[[], socket.socket]:
    """Return what makes a socket for datagrams to a host; its name is resolved each time."""

    def connect() -> socket.socket:
        found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        connection = socket.socket(family, kind, protocol)
        try:
            connection.connect(address)
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


class DatagramMedium:
    """Sends each message as a datagram.

    Over UDP nothing tells what becomes of it, but that a host may say that nobody listens: what was
    sent last is sent again then. The host's own socket refuses what it does not take.
    """

    trouble = ""
    lacks_some = False

    def __init__(self, connect: Callable[[], socket.socket], *, may_vanish: bool) -> None:
        """``may_vanish``: whether messages may be lost on the way, as over UDP."""
        self._connect = connect
        self._may_vanish = may_vanish
        self._connection: socket.socket | None = None
        self._burst = 0

    def write(self, lines: deque[Line]) -> None:
        """Send messages; see Medium."""
        while lines:
            try:
                self._send(lines[0].data)
            except TimeoutError:
                raise SendError(f"nothing is taken for {CONNECT_S:.0f} s") from None
            except OSError:
                self._disconnect()
                raise
            lines.popleft()

    def _send(self, data: bytes) -> None:
        connection, wait_s = self._connection, 0.0
        if connection is None:
            connection, wait_s = self._connect(), _REFUSAL_S
            connection.settimeout(CONNECT_S)
            self._connection = connection
        connection.send(data)
        if self._may_vanish:
            _raise_refusal(connection, wait_s)
            self._burst += 1
            if self._burst >= _BURST:
                self._burst = 0
                time.sleep(_PAUSE_S)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def reopen(self) -> None:
        """Do nothing: a connection is made anew when it is needed."""

    def close(self) -> None:
        """Close the socket; raise :class:`SendError` if the last message was refused."""
        try:
            if self._connection is not None and self._may_vanish:
                _raise_refusal(self._connection, 0.0)
        except OSError as error:
            raise SendError(f"the last message was refused: {error.strerror}", lost=1) from None
        finally:
            self._disconnect()


def _raise_refusal(connection: socket.socket, wait_s: float) -> None:
    """Raise :class:`OSError` if a host has said that it does not take what was sent."""
    if wait_s:
        poll = select.poll()
        poll.register(connection, 0)
        poll.poll(wait_s * 1000)
    if error := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(error, os.strerror(error))
