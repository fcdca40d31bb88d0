"""Find sockets whose release the probes cannot see.

The kernel tells the probes when TCP connections end, but not when Unix sockets do; and a TCP
connection may end before its process has read the response. The probes list such connections. At
each reading the kernel checks whether their sockets have been released (sweep() in bpf/c/close.h)
and counts requests still pending on them as unanswered.
"""

from __future__ import annotations

import struct
from typing import Final

from httptop.linux import bpf_syscall

#: As RUN_IS_OVER in bpf/c/close.h.
_RUN_IS_OVER: Final = 1


class SocketSweep:
    """Sweeps the listed connections."""

    def __init__(self, map_fd: int, program_fd: int) -> None:
        self._reader = bpf_syscall.BatchReader(map_fd, 8, 1, 1024)
        self._program_fd = program_fd

    def run(self) -> int:
        """Check each listed connection once; return how many there were."""
        keys, _ = self._reader.read()
        for (key,) in struct.iter_unpack("<Q", keys):
            bpf_syscall.run_raw_tracepoint(self._program_fd, key, 0, 0)
        return len(keys) // 8

    def settle(self, conns_fd: int) -> None:
        """Count responses that are held back until complete as they are now, at the end of a run.

        ``conns_fd``: the map of all connections.
        """
        for key in bpf_syscall.map_keys(conns_fd, 8):
            number = int.from_bytes(key, "little")
            bpf_syscall.run_raw_tracepoint(self._program_fd, number, _RUN_IS_OVER, _RUN_IS_OVER)
