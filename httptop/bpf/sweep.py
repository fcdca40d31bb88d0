"""Find the sockets that are gone without a word.

Of TCP connections the kernel tells the probes when they end, of Unix sockets it does not; and a TCP
connection may be over while its owner has yet to read the response. The probes list such
connections; each reading we have the kernel look whether their sockets have been let go (sweep() in
bpf/c/close.h), which counts what waits on them as unanswered.
"""

from __future__ import annotations

import struct

from httptop.linux import bpf_syscall


class SocketSweep:
    """Sweeps the listed connections."""

    def __init__(self, map_fd: int, program_fd: int) -> None:
        self._reader = bpf_syscall.BatchReader(map_fd, 8, 1, 1024)
        self._program_fd = program_fd

    def run(self) -> int:
        """Have each looked at once; return how many there were."""
        keys, _ = self._reader.read()
        for (sk,) in struct.iter_unpack("<Q", keys):
            bpf_syscall.run_raw_tracepoint(self._program_fd, sk, 0)
        return len(keys) // 8

    def settle(self, conns_fd: int) -> None:
        """Have the responses counted that are held back until they are whole, as they stand."""
        for key in bpf_syscall.map_keys(conns_fd, 8):
            bpf_syscall.run_raw_tracepoint(self._program_fd, int.from_bytes(key, "little"), 1)
