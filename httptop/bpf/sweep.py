"""Find sockets whose release the probes cannot see.

The kernel tells the probes when TCP connections end, but not when Unix sockets do; and a TCP
connection may end before its process has read the response. The probes list such connections. At
each reading the kernel checks whether their sockets have been released (sweep() in bpf/c/close.h)
and counts requests still pending on them as unanswered.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from httptop.linux import bpf_syscall
from httptop.linux.stretches import give_way

#: As RUN_IS_OVER in bpf/c/close.h.
_RUN_IS_OVER: Final = 1
#: Connections looked at in a tick, unless all are to be, and at once.
_A_TICK: Final = 16384
_AT_ONCE: Final = 1024


class SocketSweep:
    """Sweeps the listed connections; where very many are open, some in each tick."""

    def __init__(self, map_fd: int, program_fd: int) -> None:
        self._reader = bpf_syscall.BatchReader(map_fd, 8, 1, _AT_ONCE)
        self._program_fd = program_fd
        self._rest: Iterator[bytes] | None = None  # of the round, the keys yet to be looked at
        #: Whether all are looked at each time, however many they are.
        self.all_at_once = False

    def run(self) -> int:
        """Check each listed connection once, or the next of them; return how many it were."""
        if self._rest is None or self.all_at_once:
            self._rest = (bytes(keys) for keys, _ in self._reader.batches())
        done = 0
        while self.all_at_once or done < _A_TICK:
            keys = next(self._rest, None)
            if keys is None:
                self._rest = None
                break
            for (key,) in struct.iter_unpack("<Q", keys):
                give_way()
                bpf_syscall.run_raw_tracepoint(self._program_fd, key, 0, 0)
            done += len(keys) // 8
        return done

    def settle(self, conns_fd: int) -> None:
        """Count responses that are held back until complete as they are now, at the end of a run.

        ``conns_fd``: the map of all connections.
        """
        for key in bpf_syscall.map_keys(conns_fd, 8):
            number = int.from_bytes(key, "little")
            bpf_syscall.run_raw_tracepoint(self._program_fd, number, _RUN_IS_OVER, _RUN_IS_OVER)
