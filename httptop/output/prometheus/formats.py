"""The formats of metrics, and which of them a scraper gets."""

from __future__ import annotations

from collections.abc import Iterator

from httptop.collect.metrics import Metrics
from httptop.output.prometheus import native, text
from httptop.output.prometheus.request import Request
from httptop.output.prometheus.responses import head_of_stream, streamed


class Formats:
    """Writes readings in the format that a scraper asks for: text unless it prefers protobuf."""

    def __init__(self, bounds_ns: tuple[int, ...], *, native_histograms: bool) -> None:
        """``bounds_ns``: of classic histograms, ascending; ``native_histograms``: these as well."""
        self._bounds_ns, self._native = bounds_ns, native_histograms

    def response(self, metrics: Metrics, request: Request) -> Iterator[bytes]:
        """Yield the response to a request, piece by piece."""
        if self._native and request.protobuf:
            return streamed(native.native(metrics), native.CONTENT_TYPE, request)
        return streamed(text.text(metrics, self._bounds_ns), text.CONTENT_TYPE, request)

    def to_head(self, request: Request) -> bytes:
        """Return the response to a HEAD request: nothing is read for it."""
        wanted = native if self._native and request.protobuf else text
        return head_of_stream(wanted.CONTENT_TYPE, request)
