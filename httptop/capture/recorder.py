"""Write snapshots to a capture file and read them back.

The file contains the lines of :mod:`httptop.capture.codec`, compressed if its name ends in ``.gz``.
Each line is written at once, so that a capture interrupted by a crash lacks at most the last line.
A reader trusts nothing: it bounds sizes, checks types and cleans texts.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from httptop.capture.codec import Encoder
from httptop.capture.decoder import Decoder
from httptop.capture.lines import GZIP, LONGEST_LINE, LineReader, read_at
from httptop.collect.feed import Observer
from httptop.collect.redacted import SnapshotRedaction
from httptop.errors import HttptopError, UsageError
from httptop.linux.files import FileError, InvokingUser, create
from httptop.model import Snapshot

#: The most bytes of a file, before compression; a larger recording fails.
LARGEST_FILE: Final = 8 << 30


class RecordingError(HttptopError):
    """A capture cannot be written any further."""


class Recorder(Observer):
    """Writes the snapshots of a run to a capture file; ``close`` is idempotent.

    Once it cannot be written any further, the file is cut back to whole lines, and ``trouble`` says
    why: the run goes on.
    """

    def __init__(self, path: Path, invoker: InvokingUser, redaction: SnapshotRedaction) -> None:
        """Create the file, or truncate a capture.

        ``redaction``: what is masked in what is written, whatever is shown. Raises
        :class:`UsageError` if it is refused, :class:`RecordingError` if not even the first line can
        be written.
        """
        self._path = path
        try:
            self._descriptor: int | None = create(path, invoker, ours=is_capture)
        except FileError as error:
            raise UsageError(f"cannot record to {error}") from None
        self._pack = (
            zlib.compressobj(3, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            if path.suffix == ".gz"
            else None
        )
        self._encoder = Encoder()
        self._redaction = redaction
        self._written = 0  # before compression
        self._whole = 0  # bytes of the file that hold whole lines
        try:
            self._put(self._encoder.header())
        except RecordingError:
            self._give_up()
            raise

    def see(self, snapshot: Snapshot) -> None:
        """Append a snapshot, unless that has failed before."""
        if not self.trouble:
            self._try(lambda: self.write(snapshot))

    def end(self, last: Snapshot | None) -> None:
        """Append the last snapshot and finish the file."""
        if last is not None:
            self.see(last)
        if not self.trouble:
            self._try(self.close)

    def write(self, snapshot: Snapshot) -> None:
        """Append a snapshot; raise :class:`RecordingError`."""
        self._put(self._encoder.line(self._redaction.apply(snapshot)))

    def close(self) -> None:
        """Finish and close the file; raise :class:`RecordingError`."""
        descriptor = self._descriptor
        if descriptor is None:
            return
        if self._pack is not None:
            self._append(self._pack.flush())
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise self._error(error.strerror or type(error).__name__) from None
        self._descriptor = None
        os.close(descriptor)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except RecordingError as error:
            self.trouble = f"the recording ends at {datetime.now(UTC):%H:%M:%SZ}: {error}"
            self._give_up()

    def _give_up(self) -> None:
        """Close the file, as far as it holds whole lines."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, self._whole)
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _put(self, line: str) -> None:
        data = line.encode() + b"\n"
        self._written += len(data)
        if len(data) > LONGEST_LINE or self._written > LARGEST_FILE:
            raise self._error("it would grow too large")
        if self._pack is not None:
            data = self._pack.compress(data) + self._pack.flush(zlib.Z_SYNC_FLUSH)
        self._append(data)

    def _append(self, data: bytes) -> None:
        if self._descriptor is None:
            raise self._error("it is closed")
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            raise self._error(error.strerror or type(error).__name__) from None
        self._whole += len(data)

    def _error(self, reason: str) -> RecordingError:
        return RecordingError(f"cannot record to {self._path}: {reason[:1].lower()}{reason[1:]}")


def is_capture(start: bytes) -> bool:
    """Return whether a file that starts with these bytes is a capture."""
    if start.startswith(GZIP):
        with contextlib.suppress(zlib.error):
            start = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(start, 1 << 16)
    return start.startswith(b'{"httptop":"capture"')


def read_capture(file: IO[bytes]) -> Iterator[Snapshot]:
    """Yield the snapshots of a capture.

    Raises :class:`CutOff` if it ends within a line, :class:`CaptureError` if it is invalid.
    """
    lines, decoder = LineReader(read_at(file)), Decoder()
    decoder.header(lines.line())
    while line := lines.line():
        yield decoder.snapshot(line)
