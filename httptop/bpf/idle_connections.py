"""Stop tracking idle connections where there is little room for others.

A connection that was let go is met again when it sends its next request. While there is room none
is let go: it costs nothing but its place. The program sweep decides whether one is idle
(bpf/c/close.h).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from httptop.bpf import abi
from httptop.linux import bpf_syscall
from httptop.linux.stretches import give_way

#: Seconds without a byte after which a connection is let go: the first of them, and as long as
#: that does not make room, the next. A request whose header section has been incomplete for the
#: last of them is let go with the first.
_IDLE_S: Final = (3600.0, 600.0, 60.0)
#: The part of the room that is taken when this begins.
_TIGHT: Final = 0.75
#: Connections looked at in a tick, and at once.
_A_TICK: Final = 8192
_AT_ONCE: Final = 256


class IdleConnections:
    """Goes through the connections, some in each tick, while their table is tight.

    For the collector's thread alone; methods raise :class:`OSError` if the kernel refuses.
    """

    def __init__(
        self,
        conns_fd: int,
        shares_fd: int,
        sweep_fd: int,
        idle_s: Sequence[float] = _IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take descriptors of the maps and of the program.

        ``clock`` returns seconds on the monotonic clock, which is the kernel's, too.
        """
        _, _, _, value_len, self._most, _ = bpf_syscall.map_info(conns_fd)
        self._reader = bpf_syscall.BatchReader(conns_fd, 8, value_len, _AT_ONCE)
        self._shares_fd, self._sweep_fd = shares_fd, sweep_fd
        self._idle_s, self._clock = idle_s, clock
        self._round = 0
        self._rest: Iterator[bytes] | None = None  # of the round, the keys yet to be looked at

    def tick(self) -> None:
        """Let idle connections go if there is little room."""
        if not self._tight():
            self._round, self._rest = 0, None
            return
        now_ns = self._clock() * 1e9
        idle_s = self._idle_s[min(self._round, len(self._idle_s) - 1)]
        idle_ns, half_ns = (max(2, int(now_ns - s * 1e9)) for s in (idle_s, self._idle_s[-1]))
        for _ in range(_A_TICK // _AT_ONCE):
            if self._rest is None:
                self._rest = (bytes(keys) for keys, _ in self._reader.batches())
            keys = next(self._rest, None)
            if keys is None:
                self._round, self._rest = self._round + 1, None
                return
            for (key,) in struct.iter_unpack("<Q", keys):
                give_way()
                bpf_syscall.run_raw_tracepoint(self._sweep_fd, key, idle_ns, half_ns)

    def _tight(self) -> bool:
        share = bpf_syscall.map_lookup(self._shares_fd, bytes(4), abi.SHARES.size)
        taken = abi.SHARE.unpack_from(share)[abi.CONNECTIONS] if share else 0
        return bool(taken >= _TIGHT * self._most)
