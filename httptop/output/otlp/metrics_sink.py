"""Push metrics: at an interval all that has been counted so far, and at the end the last figures.

Each push reads the counts of its moment. One that fails is not kept: the next attempt reads them
again, since sums have all that was before. Increments are kept until they are accepted
(increments.py); and a batch of which nobody knows whether it was, as its answer did not come, is
sent again as it was, with its times, so that a receiver can tell that it has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from httptop.collect.metrics import Metrics
from httptop.model import Snapshot
from httptop.output.back_off import BackOff
from httptop.output.otlp.batches import Shape, batches
from httptop.output.otlp.client import Client
from httptop.output.otlp.increments import Increments
from httptop.output.otlp.receiver import Receiver
from httptop.output.sink import SendError, Sink
from httptop.output.sink_queue import Waiting

if TYPE_CHECKING:
    from ssl import SSLContext

#: Returns the counts of this moment, or the last ones; None: they could not be read in time.
Read = Callable[[], Metrics | None]

_WAITING_BYTES: Final = 100


@dataclass(frozen=True, slots=True)
class _Sending:
    """A batch that may have been accepted."""

    message: bytes
    points: int
    accepted: Callable[[], None]


class MetricsPush:
    """Pushes all metrics to a receiver: the destination of a sink; see there."""

    def __init__(
        self,
        read: Read,
        receiver: Receiver,
        shape: Shape,
        *,
        increments: bool,
        tls: SSLContext | None = None,
    ) -> None:
        """``increments``: whether these are sent, or sums; ``tls``: for https."""
        self._client = Client(receiver, ExportMetricsServiceResponse, tls=tls)
        self._read, self._shape = read, shape
        self._increments = Increments() if increments else None
        self._sending: _Sending | None = None
        self._refused_points = 0
        self._refusal = ""

    def send(self, item: None, dropped: int) -> None:  # noqa: ARG002
        """Push; raise :class:`SendError`, ``rejected`` if parts of it were refused for good."""
        self._refused_points, self._refusal = 0, ""
        if self._sending is not None:
            self._post(self._sending)
        metrics = self._read()
        if metrics is None:
            raise SendError("the counts could not be read in time")
        for batch in batches(metrics, self._shape, self._increments):
            sending = _Sending(batch.request.SerializeToString(), batch.points, batch.accepted)
            if self._increments is not None:
                self._sending = sending
            self._post(sending)
        if self._refused_points:
            raise SendError(
                f"{self._refused_points:,} data points were refused: {self._refusal}",
                rejected=True,
            )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _post(self, sending: _Sending) -> None:
        try:
            partial = self._client.post(sending.message).partial_success
        except SendError as error:
            if not error.rejected:
                raise
            self._refuse(sending.points, str(error))
        else:
            sending.accepted()
            if partial.rejected_data_points:
                self._refuse(
                    partial.rejected_data_points, self._client.shown(partial.error_message)
                )
        self._sending = None

    def _refuse(self, points: int, why: str) -> None:
        self._refused_points += points
        self._refusal = why


class MetricsSink(Sink[None]):
    """Has metrics pushed at an interval, and at the end of the run."""

    def __init__(
        self, push: MetricsPush, interval_s: float, *, back_off: BackOff | None = None
    ) -> None:
        """``interval_s``: seconds from one push to the next."""
        super().__init__(
            "otlp push of metrics", push, unit="export", last_has_all=True, back_off=back_off
        )
        self._interval_s, self._due_s = interval_s, interval_s

    def see(self, snapshot: Snapshot) -> None:
        """Have metrics pushed if it is time to, and no push is under way."""
        if snapshot.early or snapshot.uptime_s < self._due_s:
            return
        self._due_s += (
            (snapshot.uptime_s - self._due_s) // self._interval_s + 1
        ) * self._interval_s
        with self._changed:
            busy = self._in_hand or len(self._queue)
        if not busy:
            self.offer(Waiting(None, snapshot.taken_at, _WAITING_BYTES))

    def end(self, last: Snapshot | None) -> None:
        """Have the last figures pushed."""
        if last is not None:
            self.offer(Waiting(None, last.taken_at, _WAITING_BYTES))
        super().end(last)
