"""Lines over a stream: TCP or a Unix socket.

A name is resolved, and a connection made, when there is something to send: so a destination that is
dead, slow or unknown holds up its own thread and nothing else. TCP takes more than it has
delivered. What the receiver's kernel has not acknowledged when a connection ends is sent again on
the next one, whole lines; what it had acknowledged and the receiver not read is lost unseen.
"""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from httptop.output.request_log.lines import Line, chunk_of
from httptop.output.sink import SendError

#: Seconds to wait for a connection, and for a receiver that takes nothing.
CONNECT_S: Final = 10.0
STALLED_S: Final = 10.0
#: Seconds to wait at the end for what is under way.
_LAST_S: Final = 1.0
_LOOK_S: Final = 0.01
RESET: Final = (
    "a receiver of the request log has reset the connection: what it had not read is lost, and "
    "does not count as dropped"
)
_SIOCOUTQ: Final = 0x5411


def tcp_to(host: str, port: int) -> Callable[[], socket.socket]:
    """Return what connects to a host; its name is resolved each time."""

    name = host.encode()  # a text would be encoded by a module that is imported for it

    def connect() -> socket.socket:
        connection = socket.create_connection((name, port), CONNECT_S)  # type: ignore[arg-type]
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        milliseconds = round(3 * STALLED_S * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        return connection

    return connect


def unix_to(path: str, kind: int = socket.SOCK_STREAM) -> Callable[[], socket.socket]:
    """Return what connects to a Unix socket."""

    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, kind)
        try:
            connection.settimeout(CONNECT_S)
            connection.connect(path)
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


class StreamMedium:
    """Writes lines to a connection, which is made when it is needed."""

    trouble = ""
    lacks_some = False

    def __init__(self, connect: Callable[[], socket.socket], *, acknowledges: bool) -> None:
        """``acknowledges``: whether the kernel knows what the receiver's has; TCP does."""
        self._connect = connect
        self._acknowledges = acknowledges
        self._connection: socket.socket | None = None
        self._offset = 0  # bytes of the first line that are sent already
        #: Whole lines that are sent and not acknowledged, or are to be sent once more.
        self._under_way: deque[Line] = deque()
        self._again: deque[Line] = deque()

    def write(self, lines: deque[Line]) -> None:
        """Write lines; see Medium."""
        connection = self._connected()
        for waiting in (self._again, lines):
            while waiting:
                try:
                    sent = connection.send(memoryview(chunk_of(waiting))[self._offset :])
                except TimeoutError:  # the connection stays, and so does half a line on it
                    raise SendError(f"nothing is taken for {STALLED_S:.0f} s") from None
                except OSError as error:
                    self._disconnect(error)
                    raise
                self._sent(waiting, sent)

    def _connected(self) -> socket.socket:
        if self._connection is not None:
            try:
                if _is_closed(self._connection):
                    self._disconnect()
            except OSError as error:
                self._disconnect(error)
        if self._connection is None:
            self._connection = self._connect()
            self._connection.settimeout(STALLED_S)
        return self._connection

    def _sent(self, waiting: deque[Line], size: int) -> None:
        size += self._offset
        while waiting and size >= len(waiting[0].data):
            line = waiting.popleft()
            size -= len(line.data)
            if self._acknowledges:
                self._under_way.append(line)
        self._offset = size
        self._forget_acknowledged()

    def _forget_acknowledged(self) -> None:
        connection = self._connection
        if self._under_way and connection is not None:
            missing = _unacknowledged(connection) - self._offset
            size = sum(len(line.data) for line in self._under_way)
            while self._under_way and size - len(self._under_way[0].data) >= missing:
                size -= len(self._under_way.popleft().data)

    def _disconnect(self, error: OSError | None = None) -> None:
        """Close the connection; what was not acknowledged is to be sent again, first of all.

        A receiver that closes while it has something to read resets the connection.
        """
        connection = self._connection
        if connection is None:
            return
        if isinstance(error, ConnectionResetError):
            self.lacks_some, self.trouble = True, RESET
        self._forget_acknowledged()
        self._again.extendleft(reversed(self._under_way))
        self._under_way.clear()
        self._offset = 0
        self._connection = None
        connection.close()

    def reopen(self) -> None:
        """Do nothing: a connection is made anew when it is needed."""

    def close(self) -> None:
        """Wait until all is acknowledged, a second at most, and close.

        Raises :class:`SendError` with the number of requests that are not.
        """
        connection = self._connection
        if connection is not None and self._acknowledges:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            until_s = time.monotonic() + _LAST_S
            while self._under_way and time.monotonic() < until_s:
                self._forget_acknowledged()
                if self._under_way:
                    time.sleep(_LOOK_S)
        self._disconnect()
        if lost := sum(line.units for line in self._again):
            raise SendError(f"{lost} requests were sent and not acknowledged", lost=lost)


def _is_closed(connection: socket.socket) -> bool:
    """Return whether the other end has closed; what it has said is ignored.

    Raises :class:`OSError` if the connection has failed.
    """
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while poll.poll(0):
        if not connection.recv(1 << 16):
            return True
    return False


def _unacknowledged(connection: socket.socket) -> int:
    answer = fcntl.ioctl(connection.fileno(), _SIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])
