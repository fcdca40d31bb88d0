"""Lines in a file, or on standard output.

On a full disk a file takes a part of what is written: it is cut back to the last whole line, and
goes on there once there is room.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
from collections import deque
from typing import Final

from httptop.linux.appended import AppendedFile
from httptop.linux.files import FileError
from httptop.output.request_log.lines import Line, chunk_of, pop_whole
from httptop.output.sink import SendError

#: What becomes of a terminal or a pipe whose reader is gone.
_GONE: Final = (errno.EPIPE, errno.EIO)


class _Descriptor:
    """Writes lines to a descriptor, whole or not at all."""

    trouble = ""
    lacks_some = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._torn = False  # half a line could not be cut off

    def write(self, lines: deque[Line]) -> None:
        """Write lines; see Medium."""
        while lines:
            start = b"\n" if self._torn else b""
            data = memoryview(start + chunk_of(lines))
            done = 0
            try:
                while done < len(data):
                    done += self._write(data[done:])
            finally:
                if done:
                    self._torn = False
                    self._cut(pop_whole(lines, done - len(start)))

    def _write(self, data: memoryview) -> int:
        return os.write(self._descriptor, data)

    def _cut(self, size: int) -> None:
        """Take back so many bytes of half a line."""
        if not size:
            return
        self._torn = True
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - size)
            self._torn = False
            os.lseek(self._descriptor, -size, os.SEEK_CUR)

    def reopen(self) -> None:
        """Do nothing: there is no other."""

    def close(self) -> None:
        """Do nothing."""


class FileMedium(_Descriptor):
    """Appends to a file; what was asked for by :meth:`reopen` is done before the next line.

    A file that was removed is made again without being asked.
    """

    def __init__(self, file: AppendedFile) -> None:
        super().__init__(file.descriptor)
        self._file = file
        self._reopens = False
        self._torn = file.torn

    def write(self, lines: deque[Line]) -> None:
        """Write lines; see Medium."""
        # What is written to a file that has no name any more is gone when it is closed.
        removed = os.fstat(self._descriptor).st_nlink == 0
        if self._reopens or removed:
            self._reopens = False
            try:
                if self._file.reopen():
                    self._torn = self._file.torn
            except FileError as error:
                if removed:
                    raise SendError(f"the file was removed; {error}") from None
                self.trouble = f"the request log goes on in the file that is open: {error}"
        super().write(lines)

    def reopen(self) -> None:
        """Go on in the file that has the name now; any thread may call it."""
        self._reopens = True

    def close(self) -> None:
        """Wait until the file is on the disk, and close it; raises :class:`OSError`."""
        try:
            os.fsync(self._descriptor)
        finally:
            self._file.close()


class StandardOutput(_Descriptor):
    """Writes to standard output; once its reader is gone, to nobody, which is no error."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._cuts = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._gone = False

    def write(self, lines: deque[Line]) -> None:
        """Write lines; see Medium."""
        try:
            if not self._gone:
                super().write(lines)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            self._gone = True
        if self._gone:
            lines.clear()

    def _write(self, data: memoryview) -> int:
        try:
            return super()._write(data)
        except BlockingIOError:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            poll.poll()
            return 0

    def _cut(self, size: int) -> None:
        if self._cuts:
            super()._cut(size)
        elif size:
            self._torn = True
