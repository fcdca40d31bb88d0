"""Process ids as they are where httptop runs, which may be a process id namespace of its own."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping

from httptop.linux import bpf_syscall

NOTE = (
    "httptop runs in a process id namespace of its own, as in a container: processes outside it "
    "are counted by name, without process ids (a container sees all with --pid=host)"
)
_ID = struct.Struct("<I")


class OwnPids:
    """Translates the kernel's process ids into those of httptop's namespace (pid_namespace.h)."""

    def __init__(self, maps: Mapping[str, int]) -> None:
        """``maps``: descriptors by name; without a map of ids, the kernel's are ours."""
        self._map = maps.get("own_pids")

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence about what cannot be told here, if there is something."""
        return () if self._map is None else (NOTE,)

    def of(self, tgid: int) -> int:
        """Return the id of a process here, 0 if it has none; raise :class:`OSError`."""
        if self._map is None:
            return tgid
        found = bpf_syscall.map_lookup(self._map, _ID.pack(tgid), _ID.size)
        return int(_ID.unpack(found)[0]) if found else 0

    def of_each(self, tgids: Collection[int]) -> dict[int, int]:
        """Return the ids here of those processes that have one; raise :class:`OSError`."""
        return {tgid: own for tgid in set(tgids) if (own := self.of(tgid))}
