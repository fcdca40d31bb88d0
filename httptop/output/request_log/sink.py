"""The log of requests of a run: each destination is a sink of its own.

A tick's requests are a batch. Lines are made of it, a few at a time, in the sink's thread; where
writing fails in the middle, the next attempt goes on with the first line that is not written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from httptop.collect.new_requests import RequestSource
from httptop.linux.stretches import give_way
from httptop.model import Snapshot, Transaction
from httptop.output.back_off import BackOff
from httptop.output.request_log.formats import Format, Missing
from httptop.output.request_log.lines import Framing, Line, Medium
from httptop.output.sink import SendError, Sink
from httptop.output.sink_queue import SinkQueue, Waiting

#: Lines that are made before they are written.
_MOST_LINES: Final = 256
#: What waits for a destination: as many batches as there may be ticks in a few minutes.
_MOST_BATCHES: Final = 1024
_MOST_BYTES: Final = 8 << 20
#: About what a sampled request takes, and a line of its header sections.
_REQUEST_BYTES: Final = 700
_HEAD_LINE_BYTES: Final = 40


class RequestBatch(NamedTuple):
    """The requests of a tick."""

    requests: tuple[Transaction, ...]
    host: str
    at: float  # Unix time
    lost: int  # samples that the kernel had no room for, since start


class RequestLines:
    """Makes lines of batches and writes them: a destination of a sink."""

    def __init__(
        self,
        format: Format,
        framing: Framing,
        medium: Medium,
        redact: Callable[[Transaction], Transaction] | None = None,
    ) -> None:
        """``redact`` masks more of a request than it is masked already; None: nothing more."""
        self._format, self._framing = format, framing
        self.medium = medium
        self._redact = redact
        self._batch: RequestBatch | None = None
        self._left: Iterator[Transaction] = iter(())
        self._lines: deque[Line] = deque()
        self._told = Missing()  # what lines tell is missing, since start

    def send(self, batch: RequestBatch, dropped: int) -> None:
        """Write a batch, or what is left of it; see Destination."""
        if batch is not self._batch:
            self._batch, self._left = batch, iter(batch.requests)
            self._tell(batch, Missing(dropped, batch.lost))
        taken = 0
        while self._fill(batch):
            waiting = self._units()
            try:
                self.medium.write(self._lines)
            except SendError as error:
                error.taken += taken + waiting - self._units()
                raise
            except OSError as error:
                taken += waiting - self._units()
                raise SendError(_reason(error), taken=taken) from None
            taken += waiting

    def _units(self) -> int:
        return sum(line.units for line in self._lines)

    def _fill(self, batch: RequestBatch) -> bool:
        """Make the next lines; return whether there are any."""
        most = self._framing.most_bytes
        while len(self._lines) < _MOST_LINES and (request := next(self._left, None)) is not None:
            give_way()
            if self._redact is not None:
                request = self._redact(request)
            text = self._format.line(request, most)
            at, serial = request.started_at, request.serial
            self._lines.append(Line(self._framing.framed(text, at, batch.host, serial)))
        return bool(self._lines)

    def _tell(self, batch: RequestBatch, missing: Missing) -> None:
        """Make a line that tells what is missing, if more is than was told."""
        new = Missing(missing.dropped - self._told.dropped, missing.lost - self._told.lost)
        if new.dropped > 0 or new.lost > 0:
            self._told = missing
            text = self._format.missing(new, batch.at)
            self._lines.append(Line(self._framing.framed(text, batch.at, batch.host, None), 0))

    def close(self) -> None:
        """Finish; see Destination."""
        try:
            self.medium.close()
        except OSError as error:
            raise SendError(_reason(error)) from None


class RequestSink(Sink[RequestBatch]):
    """Sends each tick's sampled requests to a destination."""

    def __init__(
        self,
        name: str,
        lines: RequestLines,
        source: RequestSource,
        *,
        back_off: BackOff | None = None,
    ) -> None:
        """``source``: where the requests come from."""
        super().__init__(
            name,
            lines,
            unit="request",
            last_has_all=False,
            queue=SinkQueue(_MOST_BATCHES, _MOST_BYTES),
            back_off=back_off,
        )
        self._medium, self._source = lines.medium, source
        self._left_out = self._lost = 0  # since start

    def see(self, snapshot: Snapshot) -> None:
        """Take the requests that came in a tick."""
        if snapshot.early:
            return
        self.trouble = self._medium.trouble or self.trouble
        requests, lost = self._source.take(snapshot), snapshot.health.lost_samples
        if new := self._source.left_out - self._left_out:
            self._left_out += new
            self.leave_out(new)
        if requests or lost != self._lost:
            self._lost = lost
            batch = RequestBatch(requests, snapshot.host, snapshot.taken_at, lost)
            size_bytes = sum(map(_size_of, requests))
            self.offer(Waiting(batch, snapshot.taken_at, size_bytes, len(requests)))

    def end(self, last: Snapshot | None) -> None:
        """Take the last ones, and have the thread end after them."""
        if last is not None:
            self.see(last)
        super().end(last)

    @property
    def incomplete(self) -> bool:
        """Whether it lacks something; see Observer."""
        return super().incomplete or self._medium.lacks_some

    def finish(self, until_s: float) -> None:
        """Wait until all is sent; see Observer."""
        super().finish(until_s)
        self.trouble = self.trouble or self._medium.trouble

    def reopen(self) -> None:
        """Go on in the file that has the name now."""
        self._medium.reopen()


def _size_of(request: Transaction) -> int:
    lines = len(request.response_head) + len(request.request_head)
    return _REQUEST_BYTES + len(request.path) + _HEAD_LINE_BYTES * lines


def _reason(error: OSError) -> str:
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]
