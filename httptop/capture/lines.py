"""The lines of a capture of schema 1, compressed or not, from any place that has been read once.

A reader can be forked: the fork goes on from the same place. Of a compressed file that takes a copy
of what the decompression remembers, some 50 KB, so nothing has to be decompressed again before it.
"""

from __future__ import annotations

import copy
import zlib
from typing import Any, Final

from httptop.capture.frames import ReadAt
from httptop.capture.problems import CaptureError, CutOff

#: The most bytes of one line, decompressed.
LONGEST_LINE: Final = 32 << 20
#: What the file starts with if it is compressed.
GZIP: Final = b"\x1f\x8b"
_PIECE: Final = 1 << 16


class LineReader:
    """Reads lines one after the other; trusts nothing that it reads."""

    def __init__(self, read: ReadAt) -> None:
        self._read = read
        self._offset = 0
        self._unpack: Any = zlib.decompressobj(31) if read(0, 2) == GZIP else None
        self._packed = b""  # read, but not decompressed yet
        self._text = b""  # decompressed, but not returned yet
        self._ended = False

    def _read_on(self) -> bytes:
        try:
            piece = self._read(self._offset, _PIECE)
        except OSError as error:
            raise CaptureError(f"is damaged: {error}") from None
        self._offset += len(piece)
        return piece

    def fork(self) -> LineReader:
        """Return a reader that goes on from here, too."""
        other = copy.copy(self)
        if self._unpack is not None:
            other._unpack = self._unpack.copy()
        return other

    def line(self) -> bytes:
        """Return the next line with its end, or nothing at the end of the file.

        Raises :class:`CutOff` if the file ends within a line, :class:`CaptureError` if it is
        damaged, or a line is too long.
        """
        parts: list[bytes] = []
        length = 0
        while (end := self._text.find(b"\n")) < 0:
            parts.append(self._text)
            length += len(self._text)
            if length > LONGEST_LINE:
                raise CaptureError("has a line that is too long")
            self._text = self._next_piece()
            if not self._text:
                if length or not self._whole:
                    raise CutOff("is cut off")
                return b""
        parts.append(self._text[: end + 1])
        self._text = self._text[end + 1 :]
        if length + end > LONGEST_LINE:
            raise CaptureError("has a line that is too long")
        return b"".join(parts)

    @property
    def _whole(self) -> bool:
        """Whether the end of the file is where it should be."""
        return self._unpack is None or self._ended

    def _next_piece(self) -> bytes:
        """Return the next bytes, decompressed; none at the end of the file."""
        if self._unpack is None:
            return self._read_on()
        while True:
            if not self._packed:
                self._packed = self._read_on()
            if self._ended:
                self._packed = self._packed.lstrip(b"\0")
                if self._packed:  # several of them, one behind the other
                    self._unpack, self._ended = zlib.decompressobj(31), False
            if not self._packed:
                return b""
            try:
                text: bytes = self._unpack.decompress(self._packed, _PIECE)
            except zlib.error as error:
                raise CaptureError(f"is damaged: {error}") from None
            self._ended = self._unpack.eof
            self._packed = self._unpack.unused_data or self._unpack.unconsumed_tail
            if text:
                return text
