"""Find the Unix sockets that are gone.

The kernel tells the probes when a TCP connection ends; of Unix sockets it says nothing. So we look
ourselves whether the sockets are still among those that /proc lists for their network namespace.
Of one that is not, the requests that wait are unanswered, and the connection is forgotten.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from httptop.bpf import syscalls
from httptop.bpf.layout import CONN, QUEUED, Conn

_INODE_COLUMN: Final = 6


class SocketSweep:
    """Sweeps the connection map for Unix sockets."""

    def __init__(self, maps: dict[str, int], proc: Path = Path("/proc")) -> None:
        self._maps, self._proc = maps, proc
        self._reader = syscalls.BatchReader(maps["unix_conns"], 8, 1, 1024)

    def run(self) -> list[int]:
        """Forget what is gone; return the endpoint cells of its unanswered requests."""
        keys, _ = self._reader.read()
        if not keys:
            return []
        unanswered: list[int] = []
        namespaces: dict[int, frozenset[int]] = {}
        for (sk,) in struct.iter_unpack("<Q", keys):
            key = struct.pack("<Q", sk)
            value = syscalls.map_lookup(self._maps["conns"], key, CONN.size)
            if value is None:  # another socket had its place in memory
                syscalls.map_delete(self._maps["unix_conns"], key)
                continue
            conn = Conn.of(value)
            if conn.inode and conn.inode not in self._living(conn.pid, namespaces):
                syscalls.map_delete(self._maps["unix_conns"], key)
                if syscalls.map_delete(self._maps["conns"], key):
                    unanswered += self._pending(sk, conn)
        return unanswered

    def _living(self, pid: int, namespaces: dict[int, frozenset[int]]) -> frozenset[int]:
        """Return the inodes of the Unix sockets of a process's network namespace, or of ours."""
        try:
            namespace = (self._proc / str(pid) / "ns" / "net").stat().st_ino
            table = self._proc / str(pid) / "net" / "unix"
        except OSError:
            namespace, table = 0, self._proc / "net" / "unix"
        if namespace not in namespaces:
            try:
                namespaces[namespace] = _inodes(table.read_text(errors="replace"))
            except OSError:
                return self._living(0, namespaces) if namespace else frozenset()
        return namespaces[namespace]

    def _pending(self, sk: int, conn: Conn) -> list[int]:
        cells = [conn.current] if conn.pending else []
        for number in range(conn.first + 1, conn.first + conn.pending):
            key = struct.pack("<QQ", sk, number)
            queued = syscalls.map_lookup(self._maps["queue"], key, QUEUED.size)
            if queued is not None:
                cells.append(QUEUED.unpack(queued)[2])
                syscalls.map_delete(self._maps["queue"], key)
        return cells


def _inodes(table: str) -> frozenset[int]:
    rows = (line.split() for line in table.splitlines()[1:])
    return frozenset(int(row[_INODE_COLUMN]) for row in rows if len(row) > _INODE_COLUMN)
