"""The protocol between httptop and its helper, over a socket pair.

A message is one byte (the kind of a request, or the result of a reply), its number in four bytes,
the length of its text in four, and the text. Requests are numbered from 1 on, and a reply has the
number of its request: so one that comes too late is not taken for that of another.

The module imports very little, so that the helper, which uses it, stays small.
"""

from __future__ import annotations

import struct

from httptop.config import LARGEST_FILE
from httptop.output import EXPORTS, LARGEST_EXPORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Sequence

SETTLE, STATISTICS, TIMES, READ, SAVE, SURVEY = b"F", b"T", b"Q", b"R", b"S", b"P"
EXPORT, REOPEN = b"E", b"L"
DONE, REFUSED, ABSENT = b"+", b"-", b"0"

HEAD = struct.Struct("=cII")
#: What TIMES asks for and returns, for each program: its number; run time in ns, runs, missed runs.
PROGRAM = struct.Struct("=I")
PROGRAM_TIMES = struct.Struct("=3Q")
#: The most programs that it asks for.
MOST_PROGRAMS = 64
#: What REOPEN asks for: a log, by its place among those of SETTLE. The reply to it is TORN if the
#: file ends within a line, otherwise empty.
LOG = struct.Struct("=I")
TORN = b"1"
#: How often it may in a run: hourly, of two logs, for more than five years.
MOST_REOPENINGS = 100_000
#: The most bytes of a text: a configuration file with its path, or a survey.
LONGEST = LARGEST_FILE + 4096
#: The same of EXPORT, where it is allowed.
LONGEST_EXPORT = LARGEST_EXPORT + 64


class HelperError(OSError):
    """The helper refused a request or is gone; the message says why."""

    def __str__(self) -> str:
        return str(self.args[0])


class Export:
    """A file to be written: its kind, the moment that it shows, and its contents.

    As the text of EXPORT its fields are separated by zero bytes; the contents come last.
    """

    def __init__(self, kind: str, at_s: int, data: bytes) -> None:
        """``at_s``: Unix time."""
        self.kind, self.at_s, self.data = kind, at_s, data

    def to_bytes(self) -> bytes:
        """Return the text of EXPORT."""
        return b"%b\0%d\0%b" % (self.kind.encode(), self.at_s, self.data)

    @classmethod
    def from_bytes(cls, text: bytes) -> Export | None:
        """Return what that says; None: it is malformed."""
        kind, at_s, data = (*text.split(b"\0", 2), b"", b"")[:3]
        known = [name for name in EXPORTS if name.encode() == kind]
        if not known or not at_s.isdigit() or len(at_s) > 12 or text.count(b"\0", 0, 32) < 2:
            return None
        return cls(known[0], int(at_s), data)


class Launch:
    """How the launcher of the demo is made: the user that it becomes, and what it can read."""

    def __init__(
        self, uid: int, gid: int, groups: tuple[int, ...], *, ahead: bool, filter: bytes = b""
    ) -> None:
        """``ahead``: whether it imports while it is still root, since the user could not.

        ``filter``: what restricts its system calls; empty: nothing.
        """
        self.uid, self.gid, self.groups, self.ahead, self.filter = uid, gid, groups, ahead, filter

    def to_bytes(self) -> bytes:
        """Return it as a part of the text of SETTLE."""
        numbers = (int(self.ahead), self.uid, self.gid, *self.groups)
        return b",".join((self.filter.hex().encode(), *(b"%d" % n for n in numbers)))

    @classmethod
    def from_bytes(cls, text: bytes) -> Launch:
        """Return what that says; raise :class:`ValueError` if it is malformed."""
        program, *numbers = text.split(b",")
        ahead, uid, gid, *groups = map(int, numbers)
        by = bytes.fromhex(program.decode())
        return cls(uid, gid, tuple(groups), ahead=ahead == 1, filter=by)


class Limits:
    """What the helper may do: the user it acts for, and the files. Paths are bytes, and absolute.

    As the text of SETTLE its fields are separated by zero bytes, which no path contains.
    """

    def __init__(
        self,
        uid: int,
        gid: int,
        elevated: bool,
        home: bytes,
        save: bytes,
        read: list[bytes],
        *,
        export: bytes = b"",
        filter: bytes = b"",
        launch: Launch | None = None,
        logs: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """``save``: the file that may be replaced; empty: none. ``read``: those that may be read.

        ``export``: the directory in which new files may be made; empty: none. ``elevated``: whether
        httptop ran as another user than this one. ``filter``: what restricts its system calls;
        empty: nothing. ``launch``: how the launcher of the demo is made, if at all. ``logs``: the
        files that may be opened again, each with its format; see output.own_log.
        """
        self.uid, self.gid, self.elevated, self.home = uid, gid, elevated, home
        self.save, self.read, self.export = save, read, export
        self.filter, self.launch, self.logs = filter, launch, logs

    def log_at(self, place: bytes) -> tuple[bytes, bytes] | None:
        """Return the log that the text of REOPEN asks for; None: there is none."""
        if len(place) != LOG.size:
            return None
        (at,) = LOG.unpack(place)
        return self.logs[int(at)] if at < len(self.logs) else None

    def to_bytes(self) -> bytes:
        """Return the text of SETTLE."""
        numbers = (self.uid, self.gid, int(self.elevated))
        launch = b"" if self.launch is None else self.launch.to_bytes()
        by = self.filter.hex().encode()
        logs = ",".join(f"{path.hex()}:{format.hex()}" for path, format in self.logs).encode()
        fields = [by, launch, logs, self.home, self.export, self.save, *self.read]
        return b"\0".join([*(b"%d" % n for n in numbers), *fields])

    @classmethod
    def from_bytes(cls, text: bytes) -> Limits:
        """Return the limits in the text of SETTLE; raise :class:`ValueError` if it is malformed."""
        uid, gid, elevated, program, launch, logs, home, export, save, *read = text.split(b"\0")
        pairs = [pair.split(":") for pair in logs.decode().split(",")] if logs else []
        return cls(
            int(uid),
            int(gid),
            int(elevated) == 1,
            home,
            save,
            read,
            export=export,
            filter=bytes.fromhex(program.decode()),
            launch=Launch.from_bytes(launch) if launch else None,
            logs=[(bytes.fromhex(path), bytes.fromhex(format)) for path, format in pairs],
        )


def receive(channel: socket, length: int, longest: int = LONGEST) -> bytes:
    """Return exactly ``length`` bytes.

    Raises :class:`EOFError` if the socket ends before or ``length`` is above ``longest``, and
    :class:`OSError` as the socket does, on a timeout, too.
    """
    if length > longest:
        raise EOFError
    data = bytearray()
    while len(data) < length:
        more = channel.recv(min(length - len(data), 1 << 16))
        if not more:
            raise EOFError
        data += more
    return bytes(data)
