"""Push sampled requests as spans, tick by tick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from httptop.collect.new_requests import RequestSource
from httptop.collect.redacted import SnapshotRedaction
from httptop.model import Snapshot, Transaction
from httptop.output.back_off import BackOff
from httptop.output.otlp.client import Client
from httptop.output.otlp.receiver import Receiver
from httptop.output.otlp.spans import Spans, without_what_no_span_has
from httptop.output.otlp.trace_context import Traced, traced
from httptop.output.sink import SendError, Sink
from httptop.output.sink_queue import SinkQueue, Waiting

if TYPE_CHECKING:
    from ssl import SSLContext

#: Of one request to the receiver.
MOST_SPANS: Final = 512
#: About what a request takes that waits, and besides its text each line of its header sections.
_SPAN_BYTES: Final = 800
_LINE_BYTES: Final = 60
_MOST_ITEMS: Final = 1000

Batch = Sequence[Traced]


class SpansPush:
    """Pushes spans to a receiver: the destination of a sink; see there."""

    def __init__(
        self,
        receiver: Receiver,
        spans: Spans,
        redaction: SnapshotRedaction,
        *,
        tls: SSLContext | None = None,
    ) -> None:
        """``redaction``: what is masked in what is sent, whatever is shown; ``tls``: for https."""
        self._client = Client(receiver, ExportTraceServiceResponse, tls=tls)
        self._spans, self._redaction = spans, redaction
        self._sending: tuple[Batch, bytes] | None = None

    def send(self, item: Batch, dropped: int) -> None:  # noqa: ARG002
        """Push a batch; raise :class:`SendError`.

        What comes again has the ids that it had, so that a receiver can tell that it has it.
        """
        if self._sending is None or self._sending[0] is not item:
            masked = (
                (self._redaction.request(without_what_no_span_has(request)), context)
                for request, context in item
            )
            self._sending = item, self._spans.request_of(masked).SerializeToString()
        try:
            partial = self._client.post(self._sending[1]).partial_success
        except SendError as error:
            if error.rejected:
                self._sending = None
                raise SendError(f"{error} (otlp.spans = false sends none)", rejected=True) from None
            raise
        self._sending = None
        if partial.rejected_spans:
            why = self._client.shown(partial.error_message)
            refused = min(partial.rejected_spans, len(item))
            raise SendError(
                f"{refused:,} spans were refused: {why}", rejected=True, taken=len(item) - refused
            )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class SpansSink(Sink[Batch]):
    """Has the requests of each tick pushed that are sampled, as spans."""

    def __init__(
        self, push: SpansPush, source: RequestSource, *, back_off: BackOff | None = None
    ) -> None:
        """``source``: where the requests come from."""
        super().__init__(
            "otlp push of spans",
            push,
            unit="span",
            last_has_all=False,
            queue=SinkQueue(_MOST_ITEMS),
            back_off=back_off,
        )
        self._source = source
        self._left_out = 0

    def see(self, snapshot: Snapshot) -> None:
        """Take the requests that came in a tick."""
        if snapshot.early:
            return
        found = traced(self._source.take(snapshot))
        if new := self._source.left_out - self._left_out:
            self._left_out += new
            self.leave_out(new)
        for at in range(0, len(found), MOST_SPANS):
            batch = found[at : at + MOST_SPANS]
            size_bytes = sum(_size_of(request) for request, _ in batch)
            self.offer(Waiting(batch, snapshot.taken_at, size_bytes, len(batch)))

    def end(self, last: Snapshot | None) -> None:
        """Take the last ones, and have the thread end after them."""
        if last is not None:
            self.see(last)
        super().end(last)


def _size_of(request: Transaction) -> int:
    lines = (*request.request_head, *request.response_head)
    return _SPAN_BYTES + sum(map(len, lines)) + _LINE_BYTES * len(lines)
