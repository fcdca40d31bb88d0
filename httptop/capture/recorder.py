"""Write snapshots to a capture file and read them back.

The file contains the lines of :mod:`httptop.capture.codec`, compressed if its name ends in ``.gz``.
Each line is written at once, so that a capture interrupted by a crash lacks at most the last line
and those that waited to be written. What is missing in between a note tells (:func:`missing`), and
one whose last snapshot is not the run's, ``final``, lacks the end.
A reader trusts nothing: it bounds sizes, checks types and cleans texts.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from httptop.capture.codec import Encoder
from httptop.capture.decoder import Decoder
from httptop.capture.lines import GZIP, LONGEST_LINE, LineReader, read_at
from httptop.collect.redacted import SnapshotRedaction
from httptop.errors import UsageError
from httptop.linux.files import FileError, InvokingUser, create
from httptop.model import Snapshot
from httptop.output.sink import SendError

#: The most bytes of a file, before compression; a larger recording fails.
LARGEST_FILE: Final = 8 << 30


class RecordingError(SendError):
    """A snapshot could not be written to a capture."""


class Recorder:
    """Writes the snapshots of a run to a capture file: a destination of a sink.

    A line that cannot be written is cut off again, and kept until it can be. ``close`` is
    idempotent.
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
        self._encoded = 0  # before compression
        self._whole = 0  # bytes of the file that hold whole lines
        self._unwritten = b""  # a line, as it is to stand in the file
        try:
            self._unwritten = self._packed(self._encoder.header())
            self._write()
        except RecordingError:
            self.close()
            raise

    def send(self, snapshot: Snapshot, dropped: int) -> None:
        """Append a snapshot; see Destination.

        The capture says how many are missing before it. Raises :class:`RecordingError`.
        """
        if not self._unwritten:  # else it is the line of this snapshot
            redacted = self._redaction.apply(snapshot)
            if dropped:
                redacted = replace(redacted, notes=(*redacted.notes, missing(dropped)))
            self._unwritten = self._packed(self._encoder.line(redacted))
        self._write()

    def close(self) -> None:
        """Finish and close the file; raise :class:`RecordingError`."""
        descriptor = self._descriptor
        if descriptor is None:
            return
        try:
            # What has been compressed and not written would be missing from the end's checksum.
            if self._pack is not None and not self._unwritten:
                self._unwritten = self._pack.flush()
                self._write()
            os.fsync(descriptor)
        except OSError as error:
            raise self._error(error) from None
        finally:
            self._descriptor = None
            os.close(descriptor)

    def _packed(self, line: str) -> bytes:
        data = line.encode() + b"\n"
        self._encoded += len(data)
        if len(data) > LONGEST_LINE or self._encoded > LARGEST_FILE:
            raise RecordingError(self._refused("it would grow too large"), final=True)
        if self._pack is not None:
            data = self._pack.compress(data) + self._pack.flush(zlib.Z_SYNC_FLUSH)
        return data

    def _write(self) -> None:
        """Append what is unwritten, whole or not at all."""
        descriptor = self._descriptor
        if descriptor is None:
            raise RecordingError(self._refused("it is closed"), final=True)
        left = memoryview(self._unwritten)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, self._whole)
            with contextlib.suppress(OSError):
                os.lseek(descriptor, self._whole, os.SEEK_SET)
            raise self._error(error) from None
        self._whole += len(self._unwritten)
        self._unwritten = b""

    def _error(self, error: OSError) -> RecordingError:
        return RecordingError(self._refused(error.strerror or type(error).__name__))

    def _refused(self, reason: str) -> str:
        return f"cannot record to {self._path}: {reason[:1].lower()}{reason[1:]}"


def missing(snapshots: int) -> str:
    """Return the note of a snapshot before which others are missing from a capture."""
    some = "1 snapshot is" if snapshots == 1 else f"{snapshots:,} snapshots are"
    return f"{some} missing from this capture so far: writing it was too slow, or failed"


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
