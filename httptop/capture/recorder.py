"""Write snapshots to a capture file, of schema 2 whatever its name is.

The frames of a snapshot (frames.py, parts.py) are written at once, so that a capture interrupted by
a crash lacks at most the last snapshot and those that waited to be written. What is missing in
between a note tells (:func:`missing`), and one whose last snapshot is not the run's, ``final``,
lacks the end. After each 60 snapshots, and at the end, comes an index of them.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from httptop.capture.encoder import EVERY, Encoder
from httptop.capture.frames import END, INDEX, LARGEST_FRAME, Packer, line_for_people
from httptop.capture.lines import GZIP
from httptop.capture.parts import ROW, Index, Moment, encode, moment_of
from httptop.collect.redacted import SnapshotRedaction
from httptop.errors import UsageError
from httptop.linux.files import FileError, InvokingUser, create
from httptop.model import Snapshot
from httptop.output.sink import SendError

#: The most bytes of a file; a larger recording fails.
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
        self._packer, self._encoder, self._redaction = Packer(), Encoder(), redaction
        self._whole = 0  # bytes of the file that hold whole frames
        self._unwritten = b""  # what follows them
        self._moments: list[Moment] = []  # of the snapshots since the latest index
        self._number = 0  # of the next snapshot
        self._latest_index = 0  # where it is, from the start of the file on
        try:
            self._unwritten = line_for_people(ROW)
            self._write()
        except RecordingError:
            self.close()
            raise

    def send(self, snapshot: Snapshot, dropped: int) -> None:
        """Append a snapshot; see Destination.

        The capture says how many are missing before it. Raises :class:`RecordingError`.
        """
        if not self._unwritten:  # else it has this snapshot
            redacted = self._redaction.apply(snapshot)
            if dropped:
                redacted = replace(redacted, notes=(*redacted.notes, missing(dropped)))
            self._unwritten = self._packed(redacted)
        self._write()

    def close(self) -> None:
        """Finish and close the file; raise :class:`RecordingError`."""
        descriptor = self._descriptor
        if descriptor is None:
            return
        try:
            # Without a snapshot that could not be written its end is no better than a crash's.
            if self._whole and not self._unwritten:
                index = self._index() if self._moments else b""
                content = encode(self._whole + len(index))
                self._unwritten = index + self._packer.frame(END, content, self._latest_index)
                self._write()
            os.fsync(descriptor)
        except OSError as error:
            raise self._error(error) from None
        finally:
            self._descriptor = None
            os.close(descriptor)

    def _packed(self, snapshot: Snapshot) -> bytes:
        frames: list[bytes] = []
        for kind, content in self._encoder.frames(snapshot):
            if len(content) > LARGEST_FRAME:
                raise RecordingError(self._refused("a snapshot is too large"), final=True)
            frames.append(self._packer.frame(kind, content, self._latest_index))
        data = b"".join(frames)
        if self._whole + len(data) > LARGEST_FILE:
            raise RecordingError(self._refused("it would grow too large"), final=True)
        self._moments.append(moment_of(snapshot, self._whole))
        self._number += 1
        return data + (self._index(len(data)) if len(self._moments) == EVERY else b"")

    def _index(self, behind: int = 0) -> bytes:
        """Return the index of the snapshots since the one before; ``behind`` so many bytes."""
        first = self._number - len(self._moments)
        frame = self._packer.frame(INDEX, encode(Index(first, self._moments)), self._latest_index)
        self._latest_index = self._whole + behind
        self._moments = []
        return frame

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
    """Return whether a file that starts with these bytes is a capture, of any schema."""
    if start.startswith(GZIP):
        with contextlib.suppress(zlib.error):
            start = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(start, 1 << 16)
    return start.startswith(b'{"httptop":"capture"')
