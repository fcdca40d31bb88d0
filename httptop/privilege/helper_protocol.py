"""The protocol between httptop and its helper, over a socket pair.

A message is one byte (the kind of a request, or the result of a reply), its number in four bytes,
the length of its text in four, and the text. Requests are numbered from 1 on, and a reply has the
number of its request: so one that comes too late is not taken for that of another.

The module imports very little, so that the helper, which uses it, stays small.
"""

from __future__ import annotations

import struct

from httptop.config import LARGEST_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

SETTLE, STATISTICS, TIMES, READ, SAVE, SURVEY = b"F", b"T", b"Q", b"R", b"S", b"P"
DONE, REFUSED, ABSENT = b"+", b"-", b"0"

HEAD = struct.Struct("=cII")
#: What TIMES asks for and returns, for each program: its number; run time in ns, runs, missed runs.
PROGRAM = struct.Struct("=I")
PROGRAM_TIMES = struct.Struct("=3Q")
#: The most programs that it asks for.
MOST_PROGRAMS = 64
#: The most bytes of a text: a configuration file with its path, or a survey.
LONGEST = LARGEST_FILE + 4096


class HelperError(OSError):
    """The helper refused a request or is gone; the message says why."""

    def __str__(self) -> str:
        return str(self.args[0])


class Limits:
    """What the helper may do: the user it acts for, and the files. Paths are bytes, and absolute.

    As the text of SETTLE its fields are separated by zero bytes, which no path contains.
    """

    def __init__(
        self, uid: int, gid: int, elevated: bool, home: bytes, save: bytes, read: list[bytes]
    ) -> None:
        """``save``: the file that may be replaced; empty: none. ``read``: those that may be read.

        ``elevated``: whether httptop ran as another user than this one.
        """
        self.uid, self.gid, self.elevated, self.home = uid, gid, elevated, home
        self.save, self.read = save, read

    def to_bytes(self) -> bytes:
        """Return the text of SETTLE."""
        numbers = (self.uid, self.gid, int(self.elevated))
        return b"\0".join([*(b"%d" % n for n in numbers), self.home, self.save, *self.read])

    @classmethod
    def from_bytes(cls, text: bytes) -> Limits:
        """Return the limits in the text of SETTLE; raise :class:`ValueError` if it is malformed."""
        uid, gid, elevated, home, save, *read = text.split(b"\0")
        return cls(int(uid), int(gid), int(elevated) == 1, home, save, read)


def receive(channel: socket, length: int) -> bytes:
    """Return exactly ``length`` bytes.

    Raises :class:`EOFError` if the socket ends before or ``length`` is above LONGEST, and
    :class:`OSError` as the socket does, on a timeout, too.
    """
    if length > LONGEST:
        raise EOFError
    data = bytearray()
    while len(data) < length:
        more = channel.recv(min(length - len(data), 1 << 16))
        if not more:
            raise EOFError
        data += more
    return bytes(data)
