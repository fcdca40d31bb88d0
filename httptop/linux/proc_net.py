"""Read the stream sockets of a network namespace from the tables in ``/proc/PID/net``.

A socket has the same inode number in these tables and in the links of ``/proc/PID/fd``. It is
unique across namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final

from httptop.printable import clean

#: The most lines of a table that are read.
_MOST_LINES: Final = 200_000
_LONGEST_LINE: Final = 1024
_LONGEST_NAME: Final = 40
_TCP_LISTENS: Final = b"0A"
#: Established; and closed by the peer (CLOSE_WAIT), to which a server may still send a response.
_TCP_CONNECTED: Final = (b"01", b"08")
_UNIX_STREAM: Final = b"0001"
_UNIX_LISTENS: Final = 1 << 16
_UNIX_CONNECTED: Final = b"03"


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening or connected stream socket."""

    listens: bool
    port: int = 0  # TCP; 0: a Unix socket
    peer_port: int = 0  # of a TCP connection
    name: str = ""  # of a listening Unix socket, cleaned; starts with "@" if it is no file


def read_sockets(net: Path) -> dict[int, Socket]:
    """Return the stream sockets in a directory's tables, by inode; missing tables are ignored."""
    found: dict[int, Socket] = {}
    # A Unix socket's name may contain a line break and text that looks like another entry. TCP is
    # read last, so that its entries prevail; a Unix socket that has two entries has none that can
    # be believed.
    for name, read in (("unix", _unix), ("tcp6", _tcp), ("tcp", _tcp)):
        several: set[int] = set()
        try:
            # The kernel goes on by position from read to read: where sockets come and go, one that
            # stays may be passed over. It is found the second time.
            for line in chain(_lines(net / name), _lines(net / name)):
                try:
                    entry = read(line)
                except (ValueError, IndexError):
                    continue
                if entry is not None:
                    inode, socket = entry
                    if read is _unix and found.setdefault(inode, socket) != socket:
                        several.add(inode)
                    found[inode] = socket
        except OSError:
            pass
        found |= {inode: Socket(found[inode].listens) for inode in several}
    return found


def _lines(table: Path) -> Iterator[bytes]:
    with open(table, "rb") as file:
        file.readline(_LONGEST_LINE)
        yield from islice(iter(lambda: file.readline(_LONGEST_LINE), b""), _MOST_LINES)


def _tcp(line: bytes) -> tuple[int, Socket] | None:
    """Parse ``0: 0100007F:1F90 00000000:0000 0A ... ... ... uid ... inode``."""
    fields = line.split(maxsplit=10)
    inode, state = int(fields[9]), fields[3]
    port = int(fields[1].rpartition(b":")[2], 16)
    if state == _TCP_LISTENS:
        return inode, Socket(True, port)
    if state in _TCP_CONNECTED:
        return inode, Socket(False, port, int(fields[2].rpartition(b":")[2], 16))
    return None


def _unix(line: bytes) -> tuple[int, Socket] | None:
    """Parse ``address: references protocol flags type state inode name``."""
    fields = line.split(maxsplit=7)
    if fields[4] != _UNIX_STREAM:
        return None
    inode = int(fields[6])
    if int(fields[3], 16) & _UNIX_LISTENS:
        name = fields[7].rstrip(b"\n") if len(fields) > 7 else b""
        return inode, Socket(True, name=clean(name, _LONGEST_NAME))
    return (inode, Socket(False)) if fields[5] == _UNIX_CONNECTED else None
