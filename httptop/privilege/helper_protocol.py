"""The protocol between httptop and its helper, over a socket pair.

A message is one byte (the kind of a request, or the result of a reply), the length of its text in
four bytes, and the text. The module imports very little, so that the helper, which uses it, stays
small.
"""

from __future__ import annotations

import socket
import struct

from httptop.config import LARGEST_FILE

SETTLE, STATISTICS, READ, SAVE, SURVEY = b"F", b"T", b"R", b"S", b"P"
DONE, REFUSED, ABSENT = b"+", b"-", b"0"

HEAD = struct.Struct("=cI")
#: The most bytes of a text: a configuration file with its path, or a survey.
LONGEST = LARGEST_FILE + 4096


class HelperError(OSError):
    """The helper refused a request or is gone; the message says why."""

    def __str__(self) -> str:
        return str(self.args[0])


def receive(channel: socket.socket, length: int) -> bytes:
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
