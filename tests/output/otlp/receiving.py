"""A receiver of OpenTelemetry's protocol, made of the official definitions alone."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from httptop.config.otlp_endpoint import parsed
from httptop.output.otlp.receiver import Receiver
from tests.patience import PATIENCE_S

#: Status, content and fields of an answer.
Answer = tuple[int, bytes, dict[str, str]]
_SIGNALS: dict[str, tuple[Any, Any]] = {
    "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


class Receiving:
    """Keeps what it is sent; ``answers``: for the next requests, before it takes any again."""

    def __init__(self, port: int = 0, certificate: Path | None = None) -> None:
        """``certificate``: with its key, where it is to speak TLS."""
        self.got: list[tuple[str, Any]] = []
        self.fields: list[dict[str, str]] = []
        self.answers: list[Answer] = []
        #: How many requests it takes in all; to later ones it does not answer.
        self.most: float = float("inf")
        #: Called with all that comes, whether it is taken or not.
        self.seen: Callable[[Any], object] = lambda message: None  # noqa: ARG005
        #: Whether it takes requests and never answers.
        self.silent = False
        self.below = ""  # the path that it is at
        self.changed = threading.Condition()
        self._ended = threading.Event()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                ours._connections.append(self.connection)

            def do_POST(self) -> None:
                ours._take(self)

            def log_message(self, *_: object) -> None:
                pass

        self._connections: list[socket.socket] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http{'s' * bool(certificate)}://127.0.0.1:{self.port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        body = handler.rfile.read(length)
        if handler.headers["Content-Encoding"] == "gzip":
            body = zlib.decompress(body, 16 + zlib.MAX_WBITS)
        assert handler.headers["Content-Type"] == PROTOBUF["Content-Type"]
        kind, answer = _SIGNALS[handler.path.removeprefix(self.below)]
        message = kind()
        message.ParseFromString(body)
        with self.changed:
            self.seen(message)
            planned = self.answers.pop(0) if self.answers else None
            if len(self.got) >= self.most:
                planned = (0, b"", {})
            self.fields.append(dict(handler.headers.items()))
            if planned is None:
                self.got.append((handler.path, message))
            self.changed.notify_all()
        if self.silent:
            self._ended.wait(PATIENCE_S)
            return
        status, content, fields = planned or (200, answer().SerializeToString(), PROTOBUF)
        if status == 0:  # no answer at all
            handler.close_connection = True
            return
        handler.send_response(status)
        for name, value in fields.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on what was sent is met."""
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S)

    def end(self) -> None:
        """End; nobody listens on its port any more."""
        self._ended.set()
        self._server.shutdown()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Receiving:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread.is_alive():
            self.end()


def receiver(url: str, **changes: Any) -> Receiver:
    """Return a receiver as httptop knows it."""
    return Receiver(*parsed(url), **{"timeout_s": PATIENCE_S, **changes})
