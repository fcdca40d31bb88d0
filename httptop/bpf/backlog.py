"""Process bytes that the kernel's programs deferred within a call (bpf/c/deferred.h).

They arrive over a ring buffer in the order in which they were sent or received. Each piece is
passed back to the programs in place, as many times as necessary. The programs keep their position
in the connection and count as usual, so nothing here knows HTTP.
"""

from __future__ import annotations

import ctypes
import time
from typing import Final

from httptop.bpf.abi import PIECE_HEAD
from httptop.bpf.ring import Ring
from httptop.linux import bpf_syscall

#: Pieces processed by one call of work(), so that ticks are not late.
_MOST: Final = 256
_PAUSE_S: Final = 0.0001


class Backlog:
    """The deferred bytes; ``descriptor`` is readable when there are any."""

    def __init__(self, map_fd: int, program_fd: int) -> None:
        self.descriptor = map_fd
        self._program_fd = program_fd
        self._ring = Ring(map_fd, self._take)
        self._taken = 0
        self._most: int | None = None

    def work(self) -> None:
        """Process some of the deferred bytes."""
        self._taken, self._most = 0, _MOST
        self._ring.consume()

    def finish(self) -> None:
        """Process all deferred bytes."""
        self._most = None
        self._ring.consume()

    def _take(self, at: int, size: int) -> bool:
        head = ctypes.string_at(at, PIECE_HEAD.size)
        sk, inode, now_ns, pid, length, inbound, moved = PIECE_HEAD.unpack(head)
        at += PIECE_HEAD.size
        if not moved and size < PIECE_HEAD.size + length:
            raise RuntimeError(f"a piece of {size} bytes claims to hold {length} bytes")
        left = length
        while left:
            before, first = left, at + length - left
            left = self._run(sk, inode, first, left, now_ns, pid, inbound, moved)
            if not 0 <= left < before:
                raise RuntimeError(f"the probes consumed {before - left} of {before} bytes")
        self._run(sk, inode, 0, 0, now_ns, pid, inbound, moved)  # this piece is complete
        self._taken += 1
        return self._taken != self._most

    def _run(self, *arguments: int) -> int:
        """Run the program; retry while another CPU is moving the connection to another key."""
        while (left := bpf_syscall.run_raw_tracepoint(self._program_fd, *arguments)) < 0:
            time.sleep(_PAUSE_S)
        return left

    def close(self) -> None:
        """Unmap the ring; idempotent."""
        self._ring.close()
