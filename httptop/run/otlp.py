"""Make what pushes metrics and spans by OpenTelemetry's protocol, as the settings ask for.

All that it needs is imported, and files are read, while this process may still be root.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from httptop.config.otlp_endpoint import SIGNALS
from httptop.config.settings import Settings
from httptop.errors import UsageError
from httptop.linux.files import InvokingUser
from httptop.optional_modules import bring_back_tls
from httptop.printable import clean
from httptop.run.outputs import known_methods

if TYPE_CHECKING:
    from ssl import SSLContext

    from httptop.collect.feed import Observer
    from httptop.collect.metrics import Metrics
    from httptop.collect.new_requests import NewRequests
    from httptop.collect.redacted import SnapshotRedaction
    from httptop.output.otlp.receiver import Receiver

#: The longest that a reading of the counts may take.
_READ_S: Final = 10.0


def otlp_sinks(
    settings: Settings,
    invoker: InvokingUser,
    read: Callable[[float], Metrics | None],
    new: NewRequests | None,
    redaction: SnapshotRedaction,
    environ: Mapping[str, str] = os.environ,
) -> list[Observer]:
    """Return the sinks that push metrics, and spans.

    ``read``: :meth:`httptop.collect.feed.Feed.metrics`. ``new``: the requests that spans are made
    of. ``redaction``: what is masked in these. Raises :class:`UsageError`.
    """
    otlp = settings.otlp
    _require_package()
    from httptop.output.otlp.receiver import described, receiver_of

    said = described(environ)
    receivers = {
        signal: receiver_of(signal, otlp, environ, invoker)
        for signal in SIGNALS
        if (otlp.metrics if signal == "metrics" else otlp.spans)
    }
    contexts = {signal: _tls(receiver) for signal, receiver in receivers.items()}
    # Only now, as they import http.client.
    from httptop.output.otlp.attributes import Methods, Resources
    from httptop.output.otlp.batches import Shape
    from httptop.output.otlp.metrics_sink import MetricsPush, MetricsSink
    from httptop.output.otlp.spans import Spans
    from httptop.output.otlp.spans_sink import SpansPush, SpansSink

    host = clean(socket.gethostname().encode())
    resources = Resources(host, said.node, said.service, said.attributes)
    found: list[Observer] = []
    if "metrics" in receivers:
        bounds = None
        if otlp.histogram == "explicit":
            bounds = tuple(bound_ns / 1e9 for bound_ns in settings.metrics.bounds_ns)
        push = MetricsPush(
            lambda: read(_READ_S),
            receivers["metrics"],
            Shape(resources, bounds),
            increments=otlp.temporality == "delta",
            tls=contexts["metrics"],
        )
        found.append(MetricsSink(push, otlp.interval_s))
    if "traces" in receivers and new is not None:
        spans = Spans(resources, Methods(known_methods(os.environ)))
        to, tls = receivers["traces"], contexts["traces"]
        found.append(SpansSink(SpansPush(to, spans, redaction, tls=tls), new))
    return found


def _require_package() -> None:
    try:
        import opentelemetry.proto.collector.metrics.v1.metrics_service_pb2  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--otlp needs the package opentelemetry-proto ({error}): "
            f"{sys.executable} -m pip install 'opentelemetry-proto>=1.27'"
        ) from None


def _tls(receiver: Receiver) -> SSLContext | None:
    """Return what checks who an https receiver is; None: it has no https."""
    if receiver.scheme != "https":
        return None
    bring_back_tls()
    import ssl

    try:
        return ssl.create_default_context(cadata=receiver.certificates or None)
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(f"otlp.certificate: no certificates that can be used ({error})") from None
