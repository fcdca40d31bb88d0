"""What httptop and its helper say to each other over a socket pair.

A message is a byte (request: what; reply: whether it worked), its length in four bytes, and its
text. Imports next to nothing: the helper, which stays small, uses it.
"""

from __future__ import annotations

import socket
import struct

from httptop.config import LARGEST_FILE

SETTLE, STATISTICS, READ, SAVE, SURVEY = b"F", b"T", b"R", b"S", b"P"
DONE, REFUSED, ABSENT = b"+", b"-", b"0"

HEAD = struct.Struct("=cI")
#: Bytes of a text: that of a configuration file, with its path, or of a survey.
LONGEST = LARGEST_FILE + 4096


class HelperError(OSError):
    """The helper refused, or is gone; the message says why."""

    def __str__(self) -> str:
        return str(self.args[0])


def receive(channel: socket.socket, length: int) -> bytes:
    """Return exactly ``length`` bytes; raise :class:`EOFError` where they do not come or are many.

    Raises :class:`OSError` as the socket does, a timeout included.
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
