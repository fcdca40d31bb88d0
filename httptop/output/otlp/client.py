"""Send a request to a receiver and understand its answer: HTTP/1.1, POST, protobuf.

What a receiver answers is bounded in size and time. A redirection is not followed: it would take
the fields of the request, which may be secrets, to who knows where.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - which socket imports once it has a name to look up
import http.client
import io
import socket
import time
import zlib
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from httptop.output.otlp.receiver import Receiver
from httptop.output.sink import SendError
from httptop.printable import clean

if TYPE_CHECKING:
    from ssl import SSLContext

#: Answers that mean "later"; all other failures mean "never this one", says OTLP.
_LATER: Final = frozenset((429, 502, 503, 504))
_LARGEST_ANSWER: Final = 1 << 16
_LONGEST_WORDS: Final = 200
#: The longest that a receiver may ask to be left alone.
_LONGEST_WAIT_S: Final = 600.0
_PROTOBUF: Final = "application/x-protobuf"


#: A receiver's message: ExportMetricsServiceResponse or ExportTraceServiceResponse.
Answer = TypeVar("Answer", bound=Message)


class Client(Generic[Answer]):
    """Sends to one receiver, one request after the other; for one thread."""

    def __init__(
        self,
        receiver: Receiver,
        answer: Callable[[], Answer],
        *,
        tls: SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``answer`` makes the message that it is answered by; ``tls``: for https."""
        self._receiver, self._answer = receiver, answer
        self._tls, self._clock, self._now = tls, clock, now
        self._connection: http.client.HTTPConnection | None = None

    def post(self, message: bytes) -> Answer:
        """Send a message; return its answer.

        Raises :class:`SendError`: ``rejected``, or to be tried again with the same message.
        """
        body = message
        if self._receiver.compressed:
            packing = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            body = packing.compress(message) + packing.flush()
        kept = self._connection is not None
        try:
            return self._exchange(body)
        except (ConnectionError, http.client.BadStatusLine) as error:
            self.close()
            if not kept:  # else the receiver has ended a connection that was idle
                raise self._failed(error) from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._failed(error) from None
        try:
            return self._exchange(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._failed(error) from None

    def close(self) -> None:
        """Close the connection; the next request opens another, and looks the name up again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, body: bytes) -> Answer:
        receiver = self._receiver
        until_s = self._clock() + receiver.timeout_s
        connection = self._connection or self._connected()
        self._connection = connection
        assert connection.sock is not None
        connection.sock.settimeout(max(0.001, until_s - self._clock()))
        headers = {
            "Content-Type": _PROTOBUF,
            "User-Agent": "httptop",
            **dict(receiver.fields),
            **({"Content-Encoding": "gzip"} if receiver.compressed else {}),
        }
        connection.request("POST", receiver.path, body, headers)
        connection.response_class = partial(_response, until_s, self._clock)  # type: ignore[assignment]
        with connection.getresponse() as response:
            content = response.read(_LARGEST_ANSWER + 1)
        if len(content) > _LARGEST_ANSWER or response.will_close:
            self.close()
        return self._judged(response, content[:_LARGEST_ANSWER])

    def _connected(self) -> http.client.HTTPConnection:
        receiver = self._receiver
        where, timeout_s = (receiver.host, receiver.port), receiver.timeout_s
        if self._tls is None:
            connection = http.client.HTTPConnection(*where, timeout=timeout_s)
        else:
            connection = http.client.HTTPSConnection(*where, timeout=timeout_s, context=self._tls)
        connection.connect()
        return connection

    def _judged(self, response: http.client.HTTPResponse, content: bytes) -> Answer:
        """Return what a response says; raise :class:`SendError` if it is no success."""
        status, is_protobuf = response.status, response.getheader("Content-Type") == _PROTOBUF
        answer = self._answer()
        if 200 <= status < 300:
            if is_protobuf:
                self._read(answer, content)
            return answer
        words = f"it answers {status}"
        if 300 <= status < 400:
            words += ", and redirections are not followed"
        said = self._words(content, is_protobuf)
        later = status in _LATER
        wait_s = self._asked_to_wait(response.getheader("Retry-After")) if later else 0.0
        raise SendError(
            f"{self._receiver}: {words}{f': {said}' if said else ''}",
            rejected=not later,
            retry_after_s=wait_s,
        )

    def _words(self, content: bytes, is_protobuf: bool) -> str:
        """Return what a failure says of itself."""
        if is_protobuf:
            # google.rpc.Status has its message where partial successes have theirs.
            said: Any = type(cast("Any", self._answer()).partial_success)()
            self._read(said, content)
            content = said.error_message.encode()
        return self.shown(content)

    def shown(self, words: bytes | str) -> str:
        """Return a receiver's words fit to be shown; it may repeat what it was sent."""
        text = clean(words.encode() if isinstance(words, str) else words, 4 * _LONGEST_WORDS)
        for _, value in self._receiver.fields:
            for secret in (value, *value.split()):
                if len(secret) > 3:
                    text = text.replace(secret, "***")
        return text[:_LONGEST_WORDS].strip()

    @staticmethod
    def _read(message: Message, content: bytes) -> None:
        try:
            message.ParseFromString(content)
        except DecodeError:  # whatever it says, the status has said enough
            return

    def _asked_to_wait(self, text: str | None) -> float:
        if text is None:
            return 0.0
        try:
            if text.strip().isascii() and text.strip().isdigit():
                wait_s = float(text[:12])
            else:
                wait_s = parsedate_to_datetime(text).timestamp() - self._now()
        except (ValueError, OverflowError, TypeError):
            return 0.0
        return min(max(wait_s, 0.0), _LONGEST_WAIT_S)

    def _failed(self, error: Exception) -> SendError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, TimeoutError):
            reason = f"no answer within {self._receiver.timeout_s:g} s"
        elif isinstance(error, http.client.HTTPException):
            reason = f"the answer is no HTTP ({type(error).__name__})"
        return SendError(f"{self._receiver}: {self.shown(reason[:1].lower() + reason[1:])}")


class _Limited(io.RawIOBase):
    """Bytes from a socket, up to a moment of the clock."""

    def __init__(self, sock: socket.socket, until_s: float, clock: Callable[[], float]) -> None:
        self._sock, self._until_s, self._clock = sock, until_s, clock
        self._raw = sock.makefile("rb", 0)  # which keeps it open for as long as it is read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        left_s = self._until_s - self._clock()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Readable:
    """What :class:`http.client.HTTPResponse` needs of a socket."""

    def __init__(self, raw: _Limited) -> None:
        self._raw = raw

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self._raw)


def _response(
    until_s: float, clock: Callable[[], float], sock: socket.socket, method: str
) -> http.client.HTTPResponse:
    """Return a response that is read until a moment of the clock at most."""
    readable = cast("socket.socket", _Readable(_Limited(sock, until_s, clock)))
    return http.client.HTTPResponse(readable, method=method)
