"""Serve what a run counts to Prometheus: an observer of the run, that listens from the start.

The socket is opened while httptop is still root, the threads begin before root is given up and so
keep no capability. At the end of the run scrapes under way have the last figures still.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from typing import Final

from httptop.collect.feed import Observer
from httptop.errors import UsageError
from httptop.model import SinkStats, Snapshot
from httptop.output.prometheus.formats import Formats
from httptop.output.prometheus.scrapes import Read, Scrapes
from httptop.output.prometheus.server import MOST_CONNECTIONS, Server

#: So many ticks without news are no accident, and so many seconds, where ticks are short: on a busy
#: host some are late.
_TICKS: Final = 3
_LEAST_S: Final = 3.0
_HELP: Final = {
    errno.EADDRINUSE: " (ss -ltnp shows by whom)",
    errno.EADDRNOTAVAIL: " (ip address shows those that there are)",
    errno.EACCES: " (a port below 1024 needs root, or CAP_NET_BIND_SERVICE)",
}


class PrometheusExporter(Observer):
    """Answers /metrics and /healthz for as long as the run lasts."""

    def __init__(
        self,
        listen: str,
        read: Read,
        formats: Formats,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Listen on ``listen``, an address and a port; raise :class:`UsageError` if that fails."""
        self._clock = clock
        self._seen_s: float | None = None  # the last tick
        self._interval_s = 1.0
        listener = listening(listen)
        #: Host and port.
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self._scrapes = Scrapes(read, formats, clock)
        self._server = Server(listener, self._scrapes, formats, self.ailing, clock)

    @property
    def sinks(self) -> tuple[SinkStats, ...]:
        """What has become of scrapes so far."""
        return (self._scrapes.stats(self._server.state),)

    def begin(self) -> None:
        """Start the threads, before the feed starts."""
        self._scrapes.begin()
        self._server.begin()

    def see(self, snapshot: Snapshot) -> None:
        """Take it that the ticks go on."""
        if not snapshot.early:
            self._seen_s, self._interval_s = self._clock(), snapshot.interval_s
        self.trouble = self._server.trouble

    def ailing(self) -> str:
        """Return why httptop is not well: no tick for so long; empty: it is well."""
        if self._seen_s is None:
            return "there was no tick yet"
        ago_s = self._clock() - self._seen_s
        if ago_s < max(_TICKS * self._interval_s, _LEAST_S):
            return ""
        return f"the last tick was {ago_s:.0f} s ago; one is due every {self._interval_s:g} s"

    def end(self, last: Snapshot | None) -> None:  # noqa: ARG002
        """Accept no more scrapes."""
        self._server.end()
        self._scrapes.end()

    def finish(self, until_s: float) -> None:
        """Wait for the scrapes under way."""
        self._scrapes.finish(until_s)


def listening(listen: str) -> socket.socket:
    """Return a socket that listens on an address and a port: ``127.0.0.1:9742``, ``[::1]:9742``.

    Raises :class:`UsageError` that says what is in the way.
    """
    address, _, port = listen.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server(
            (address, int(port)),
            family=family,
            backlog=MOST_CONNECTIONS,
            dualstack_ipv6=address == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        help_ = _HELP.get(error.errno or 0, "")
        raise UsageError(f"--prometheus: {listen} cannot be listened on: {reason}{help_}") from None
