"""Take the connections of scrapers: read each request, answer it or hand it to scrapes.py.

One thread waits for all connections, so that one which sends slowly holds up nobody. There are at
most MOST_CONNECTIONS: where more come, the one that has sent no whole request for longest gives
way. A request has HEAD_S to be whole. Every response closes its connection.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from httptop.linux.wakeup import Wakeup
from httptop.model import SinkState
from httptop.output.prometheus.formats import Formats
from httptop.output.prometheus.request import LONGEST, BadRequest, Request, is_local, parse
from httptop.output.prometheus.responses import small
from httptop.output.prometheus.scrapes import Scrape, Scrapes

MOST_CONNECTIONS: Final = 128
#: Seconds until a request must be whole, and until its sender must have taken a short response.
HEAD_S: Final = 5.0
_LINGER_S: Final = 1.0
#: Seconds without accepting, where the process has no descriptor left.
_PAUSE_S: Final = 0.5
_NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

#: Returns why httptop is not well; empty: it is.
Ailing = Callable[[], str]


class Connection:
    """A connection whose request is not whole, or whose response is on its way."""

    def __init__(self, connected: socket.socket, until_s: float) -> None:
        self.socket, self.until_s = connected, until_s
        self.received = b""
        self.answered = False


class Server:
    """Listens, and answers but for scrapes, in a thread of its own."""

    def __init__(
        self,
        listener: socket.socket,
        scrapes: Scrapes,
        formats: Formats,
        ailing: Ailing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``listener`` is closed with the server."""
        listener.setblocking(False)
        self._listener, self._scrapes, self._formats = listener, scrapes, formats
        self._ailing, self._clock = ailing, clock
        #: On another address whoever reaches it may know the host by any name.
        self._only_local = is_loopback(listener)
        self._connections: dict[int, Connection] = {}  # by descriptor, the oldest first
        self._accepts_s = 0.0  # not before this moment
        self._to_end = Wakeup()
        self._thread = threading.Thread(target=self._run, name="scrapers", daemon=True)
        self.state: SinkState = "working"
        self.trouble = ""  # why it ended before its time

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Accept no more connections, and close those without a whole request."""
        self._to_end.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._listener.close()
        self._to_end.close()

    # In its own thread

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 - the run goes on without, and says so
            self.trouble = f"prometheus is served no more: {type(error).__name__}: {error}"
        self.state = "ended"
        self._listener.close()
        for descriptor in tuple(self._connections):
            self._close(descriptor)

    def _turn(self) -> bool:
        """Wait for what comes next and see to it; return False once it is to end."""
        now_s = self._clock()
        poll = select.poll()
        poll.register(self._to_end.reader, select.POLLIN)
        if now_s >= self._accepts_s:
            poll.register(self._listener, select.POLLIN)
        for descriptor in self._connections:
            poll.register(descriptor, select.POLLIN)
        moments = [one.until_s for one in self._connections.values()]
        if now_s < self._accepts_s:
            moments.append(self._accepts_s)
        wait_ms = max(0.0, min(moments) - now_s) * 1000 + 1 if moments else None
        for descriptor, _ in poll.poll(wait_ms):
            if descriptor == self._to_end.reader:
                return False
            if descriptor == self._listener.fileno():
                self._accept()
            elif descriptor in self._connections:
                self._receive(descriptor)
        now_s = self._clock()
        for descriptor, connection in tuple(self._connections.items()):
            if connection.until_s <= now_s:
                self._expire(descriptor, connection)
        return True

    def _accept(self) -> None:
        try:
            connected, _ = self._listener.accept()
        except OSError as error:  # else it was closed before it was accepted
            if error.errno in _NO_ROOM:
                self._accepts_s = self._clock() + _PAUSE_S
            return
        connected.setblocking(False)
        if len(self._connections) >= MOST_CONNECTIONS:
            self._close(next(iter(self._connections)))
        self._connections[connected.fileno()] = Connection(connected, self._clock() + HEAD_S)

    def _receive(self, descriptor: int) -> None:
        connection = self._connections[descriptor]
        try:
            some = connection.socket.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            some = b""
        if not some:
            self._close(descriptor)
            return
        if connection.answered:  # what it sends still is not looked at
            return
        connection.received += some
        try:
            request = parse(connection.received)
            if request is not None:
                self._take(descriptor, connection, request)
        except BadRequest as error:
            self._answer(connection, small(error.status, str(error)))

    def _take(self, descriptor: int, connection: Connection, request: Request) -> None:
        to_head = request.method == "HEAD"
        if self._only_local and not is_local(request.host):
            raise BadRequest(421, "this host is asked for by its address, or as localhost")
        if request.method not in ("GET", "HEAD"):
            raise BadRequest(405, "GET and HEAD are answered")
        if request.path == "/healthz":
            ailing = self._ailing()
            response = small(503 if ailing else 200, ailing or "ok", to_head=to_head)
        elif request.path != "/metrics":
            response = small(404, "there are /metrics and /healthz", to_head=to_head)
        elif to_head:
            response = self._formats.to_head(request)
        elif self._scrapes.take(Scrape(connection.socket, request, self._clock())):
            del self._connections[descriptor]
            return
        else:
            raise BadRequest(503, "too many scrapes wait already")
        self._answer(connection, response)

    def _answer(self, connection: Connection, response: bytes) -> None:
        """Send a short response; its sender has a moment to take it, and to close."""
        connection.answered = True
        connection.until_s = self._clock() + _LINGER_S
        with contextlib.suppress(OSError):  # it is gone, or does not read
            connection.socket.send(response)
            connection.socket.shutdown(socket.SHUT_WR)

    def _expire(self, descriptor: int, connection: Connection) -> None:
        if connection.received and not connection.answered:
            self._answer(connection, small(408, f"a request has {HEAD_S:.0f} s to be whole"))
        else:
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        self._connections.pop(descriptor).socket.close()


def is_loopback(listener: socket.socket) -> bool:
    """Return whether a socket is reached from this host only."""
    address = str(listener.getsockname()[0])
    return address == "::1" or address.startswith("127.")
