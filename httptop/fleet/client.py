"""Ask a Prometheus server, within bounds of time and memory, whatever it answers.

A connection is kept for the next query. All queries of a tick together, name look-up aside, have a
limit of time: a watchdog shuts the socket then, and so does whoever ends the run.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from httptop import __version__
from httptop.fleet.address import Address
from httptop.fleet.problems import FleetError, Refused, said
from httptop.fleet.results import Element, elements

if TYPE_CHECKING:
    import ssl

_PIECE: Final = 65_536
#: A response of 10,000 endpoints is 4 MiB; no response is longer than this, uncompressed.
MOST_BYTES: Final = 64 << 20
_MOST_ERROR_BYTES: Final = 16_384


class Client:
    """Asks one server one query after the other; for one thread, but for :meth:`abort`."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: http.client.HTTPConnection | None = None
        self._context: ssl.SSLContext | None = None
        if address.secure:
            import ssl

            self._context = ssl.create_default_context()
        self._lock = threading.Lock()
        self._aborted = self._expired = False
        self._limit_s, self._until_s = 0.0, 0.0

    @contextlib.contextmanager
    def within(self, limit_s: float) -> Iterator[None]:
        """Have all queries within this context take no longer together, in seconds."""
        watchdog = threading.Timer(limit_s, self._expire)
        watchdog.daemon = True
        self._limit_s, self._until_s = limit_s, time.monotonic() + limit_s
        self._expired = False
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def query(self, expression: str, at: float | None) -> Iterator[Element]:
        """Yield the elements of an instant query's result; ``at``: Unix time, None: the server's.

        Raises :class:`FleetError`.
        """
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise FleetError(self._too_slow)
        fields = {"query": expression, "timeout": f"{max(1, round(left_s * 1000))}ms"}
        if at is not None:
            fields["time"] = f"{at:.3f}"
        try:
            response = self._response(urlencode(fields).encode(), left_s)
            if response.status != http.HTTPStatus.OK:
                raise _refusal(response)
            yield from elements(_pieces(response))
            response.read()  # so that the connection can be used again
        except FleetError:
            self.close()
            if self._expired:  # what came until then was cut off
                raise FleetError(self._too_slow) from None
            raise
        except (OSError, http.client.HTTPException, zlib.error) as error:
            self.close()
            late = self._expired or isinstance(error, TimeoutError)
            raise FleetError(self._too_slow if late else _words(error)) from None
        except GeneratorExit:
            self.close()
            raise

    @property
    def _too_slow(self) -> str:
        return f"it has not answered within {self._limit_s:g}s"

    def _response(self, body: bytes, limit_s: float) -> http.client.HTTPResponse:
        """Send a query; once more on a new connection where the server has closed the kept one."""
        kept = self._connection is not None
        try:
            return self._sent(body, limit_s)
        except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
            self.close()
            if not kept or self._aborted or self._expired:
                raise
        return self._sent(body, limit_s)

    def _sent(self, body: bytes, limit_s: float) -> http.client.HTTPResponse:
        connection = self._connection or self._connected(limit_s)
        fields = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"httptop/{__version__}",
        }
        if self._address.authorization:
            fields["Authorization"] = self._address.authorization
        connection.request("POST", f"{self._address.prefix}/api/v1/query", body, fields)
        return connection.getresponse()

    def _connected(self, limit_s: float) -> http.client.HTTPConnection:
        where, port = self._address.host, self._address.port
        connection = (
            http.client.HTTPConnection(where, port, timeout=limit_s)
            if self._context is None
            else http.client.HTTPSConnection(where, port, timeout=limit_s, context=self._context)
        )
        with self._lock:
            self._connection = connection
        connection.connect()
        if self._aborted or self._expired:
            raise FleetError("the run has ended" if self._aborted else self._too_slow)
        return connection

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abort(self) -> None:
        """Have the query that is under way fail, and all others; any thread may call it."""
        self._aborted = True
        self._shut()

    def _expire(self) -> None:
        self._expired = True
        self._shut()

    def _shut(self) -> None:
        with self._lock:
            found = None if self._connection is None else self._connection.sock
        if found is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(found, socket.SHUT_RDWR)


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield a body, uncompressed, as it comes; raise :class:`FleetError` if it is too long."""
    unzip = None
    if (coding := response.getheader("Content-Encoding", "").lower()) == "gzip":
        unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    elif coding not in ("", "identity"):
        raise FleetError(f"its answer is encoded: {said(coding)}")
    left = MOST_BYTES
    while piece := response.read1(_PIECE):
        while piece:
            text = piece if unzip is None else unzip.decompress(piece, _PIECE)
            piece = b"" if unzip is None else unzip.unconsumed_tail
            left -= len(text)
            if left < 0:
                raise FleetError(f"its answer is longer than {MOST_BYTES >> 20} MiB")
            if text:
                yield text


def _refusal(response: http.client.HTTPResponse) -> FleetError:
    """Return why a server did not answer a query; it says so in JSON, or in any other way."""
    text = b""
    with contextlib.suppress(FleetError, OSError, http.client.HTTPException, zlib.error):
        for piece in _pieces(response):
            text += piece
            if len(text) > _MOST_ERROR_BYTES:
                break
    try:
        why = str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        why = response.reason
    kind = Refused if response.status in (400, 422) else FleetError
    return kind(f"it answers {response.status}: {said(why)}")


def _words(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return said(error.strerror[:1].lower() + error.strerror[1:])
    return said(f"it does not speak HTTP as it should: {str(error) or type(error).__name__}")
