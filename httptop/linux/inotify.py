"""Be told of what changes in directories: inotify(7).

Permission is asked for once, when a watch begins: so a process is told after it has become a user
who could not look at the directory.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from typing import Final

_ATTRIB, _CLOSE_WRITE = 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_Q_OVERFLOW: Final = 0x4000
_ONLYDIR: Final = 0x01000000
_WANTED: Final = _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR
#: Watch, mask, cookie, length of the name behind it.
_EVENT: Final = struct.Struct("=iIII")
_READ: Final = 64 << 10
#: So many at once: whoever may change a directory may do so faster than this is read.
_MOST_READS: Final = 16


class Inotify:
    """Watches directories; without effect where the kernel refuses."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    def watch(self, directory: str) -> int | None:
        """Watch a directory and return a number for it; None if that is refused."""
        number = self._libc.inotify_add_watch(self._fd, os.fsencode(directory), _WANTED)
        return None if number < 0 else int(number)

    def read(self) -> set[tuple[int, bytes]]:
        """Return watches and names in them that have changed since the last call.

        An empty name stands for all of them: the kernel could not keep count of them.
        """
        changed: set[tuple[int, bytes]] = set()
        for _ in range(_MOST_READS):
            try:
                data = os.read(self._fd, _READ)
            except OSError:  # there is no more, or there never is any
                break
            for watch, mask, name in _events(data):
                changed.add((watch, b"") if mask & _Q_OVERFLOW else (watch, name))
        return changed

    def close(self) -> None:
        """End all watches; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def _events(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(data):
        watch, mask, _, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size + length
        yield watch, mask, data[at - length : at].rstrip(b"\0")
