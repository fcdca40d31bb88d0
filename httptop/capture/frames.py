"""The container of a capture of schema 2: a line for people, then frames.

    {"httptop":"capture","schema":2,...}\\n
    [marker 8 | kind 4 | packed bytes 4 | bytes 4 | latest index 8][Zstandard frame]  (and again)

A marker is the start of one of Zstandard's *skippable* frames, whose content is the rest of the
head; so the file behind its first line is what `zstd -dc` reads. A head says how long its frame is,
packed and unpacked, so what is too large is refused before it is unpacked; a frame ends in a
checksum of its content, which Zstandard checks. `latest index` is how many bytes lie between the
start of the line for people and the latest frame of an index, 0: there is none yet. Numbers are
little-endian.

One capture may follow another in a file, as by ``cat``: there is a line for people again.
"""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable, Sequence
from typing import IO, Final, NamedTuple

import msgspec
import zstandard

from httptop.capture.problems import CaptureError, CutOff

SCHEMA: Final = 2
#: What the line for people begins with; that of schema 1, too.
START: Final = b'{"httptop":"capture","schema":2'
_LONGEST_LINE: Final = 8192
#: What each head begins with: see above.
MARKER: Final = b"\x5c\x2a\x4d\x18" + struct.pack("<I", 20)
_HEAD: Final = struct.Struct("<8s4sIIQ")
HEAD_BYTES: Final = _HEAD.size

#: A snapshot that needs no other; what has changed since the one before; more of a snapshot.
WHOLE, CHANGES, MORE = b"WHOL", b"DIFF", b"MORE"
#: An index of the snapshots since the one before; the end of a file, behind the last index.
INDEX, END = b"TIME", b"DONE"
_KINDS: Final = (WHOLE, CHANGES, MORE, INDEX, END)

#: The most bytes of a frame, unpacked, and packed: what cannot be packed becomes a little longer.
LARGEST_FRAME: Final = 4 << 20
_LARGEST_PACKED: Final = LARGEST_FRAME + (64 << 10)

#: Reads so many bytes from so many bytes after the start of the file; fewer at its end.
ReadAt = Callable[[int, int], bytes]


def read_at(file: IO[bytes]) -> ReadAt:
    """Return what reads a file that nobody else reads."""

    def read(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    return read


class Head(NamedTuple):
    """What stands before a frame, and where."""

    kind: bytes
    packed_bytes: int
    content_bytes: int
    latest_index: int  # see this module
    offset: int  # of the head, from the start of the file on

    @property
    def end(self) -> int:
        """Where the frame ends."""
        return self.offset + HEAD_BYTES + self.packed_bytes


class Packer:
    """Makes frames."""

    def __init__(self) -> None:
        self._packer = zstandard.ZstdCompressor(level=3, write_checksum=True)

    def frame(self, kind: bytes, content: bytes, latest_index: int) -> bytes:
        """Return the bytes of a frame; ``content`` has at most LARGEST_FRAME."""
        packed = self._packer.compress(content)
        return _HEAD.pack(MARKER, kind, len(packed), len(content), latest_index) + packed


def line_for_people(names: Sequence[str]) -> bytes:
    """Return the first line; ``names``: of the values of a row, in their order."""
    line = {"httptop": "capture", "schema": SCHEMA, "row": list(names)}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def read_names(line: bytes) -> tuple[str, ...]:
    """Return the names of a row's values that the line for people has."""
    try:
        found = msgspec.json.decode(line, type=_Line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise CaptureError("has a first line that is damaged") from None
    if found.schema != SCHEMA or found.httptop != "capture":
        raise CaptureError("was written by another version of httptop")
    return found.row


class _Line(msgspec.Struct):
    httptop: str
    schema: int
    row: tuple[str, ...]


def head_at(read: ReadAt, offset: int) -> Head | None:
    """Return the head of the frame at a place; None: the file ends there.

    Raises :class:`CutOff` if it ends within the head, :class:`CaptureError` if there is none.
    """
    raw = _read(read, offset, HEAD_BYTES)
    if not raw:
        return None
    if not MARKER.startswith(raw[: len(MARKER)]):
        raise CaptureError(f"is damaged: there is no frame at byte {offset:,}")
    if len(raw) < HEAD_BYTES:
        raise CutOff("is cut off")
    _, kind, packed_bytes, content_bytes, latest_index = _HEAD.unpack(raw)
    if kind not in _KINDS:
        raise CaptureError(f"is damaged: the frame at byte {offset:,} is of no known kind")
    if packed_bytes > _LARGEST_PACKED or content_bytes > LARGEST_FRAME:
        raise CaptureError(f"has a frame that is too large, at byte {offset:,}")
    return Head(kind, packed_bytes, content_bytes, latest_index, offset)


def _read(read: ReadAt, offset: int, size: int) -> bytes:
    try:
        return read(offset, size)
    except OSError as error:
        raise CaptureError(f"is damaged: {error}") from None


class FrameReader:
    """Reads frames one after the other; can be forked, and put anywhere; for one thread alone."""

    def __init__(self, read: ReadAt) -> None:
        """Read the line for people; raise :class:`CaptureError`."""
        self.read = read
        self._unpacker = zstandard.ZstdDecompressor(max_window_size=2 * LARGEST_FRAME)
        self.offset = 0
        #: Where the capture starts that the next frame belongs to, and its rows' values.
        self.start = 0
        self.names: tuple[str, ...] = ()
        if not self._line():
            raise CaptureError("is not a capture of httptop")

    def fork(self) -> FrameReader:
        """Return a reader that goes on from here, too."""
        return copy.copy(self)

    def at(self, offset: int) -> FrameReader:
        """Return a reader of what is at another place of the same capture."""
        other = self.fork()
        other.offset = offset
        return other

    def head(self) -> Head | None:
        """Return the head of the next frame, and go behind that frame; None: there is no other.

        Raises :class:`CutOff`, :class:`CaptureError`; the frame may be cut off all the same.
        """
        while True:
            try:
                found = head_at(self.read, self.offset)
            except CaptureError:
                if not self._line():
                    raise
                continue
            if found is not None:
                self.offset = found.end
            return found

    def content(self, head: Head) -> bytes:
        """Return what a frame holds; raise :class:`CaptureError`.

        Whatever the frame says of itself, no more memory is taken than its head says.
        """
        packed = _read(self.read, head.offset + HEAD_BYTES, head.packed_bytes)
        if len(packed) < head.packed_bytes:
            raise CutOff("is cut off")
        at = f"byte {head.offset:,}"
        try:
            says = zstandard.get_frame_parameters(packed)
            if says.content_size != head.content_bytes or not says.has_checksum:
                raise CaptureError(f"is damaged: the frame at {at} is not what it says")
            return self._unpacker.decompress(
                packed, max_output_size=head.content_bytes, allow_extra_data=False
            )
        except zstandard.ZstdError as error:
            raise CaptureError(f"is damaged at {at}: {error}") from None

    def _line(self) -> bool:
        """Read a line for people if there is one here."""
        raw = _read(self.read, self.offset, _LONGEST_LINE)
        if not raw.startswith(START):
            return False
        line, newline, _ = raw.partition(b"\n")
        if not newline:
            if len(raw) < _LONGEST_LINE:
                raise CutOff("is cut off")
            raise CaptureError("has a first line that is too long")
        self.names = read_names(line)
        self.start, self.offset = self.offset, self.offset + len(line) + 1
        return True
