"""Tell the kernel which control groups belong to the containers that a filter asks for."""

from __future__ import annotations

import contextlib
import errno
import struct
from collections.abc import Sequence

from httptop.linux import bpf_syscall
from httptop.linux.containers import ContainerWatch

_NO_HIERARCHY = (
    "a filter asks for containers, but this host has no control groups of version 2: nothing can "
    "match"
)


class GroupFilter:
    """Keeps the table of control groups up to date."""

    def __init__(self, items: Sequence[Sequence[str]]) -> None:
        """``items``: lists of globs; made while the names of containers can be read."""
        self._watch = ContainerWatch(items)
        self.notes = () if self._watch.possible else (_NO_HIERARCHY,)

    def update(self, map_fd: int) -> None:
        """Add groups that came, take out those that went."""
        came, went = self._watch.changes()
        for group in went:
            with contextlib.suppress(FileNotFoundError):
                bpf_syscall.map_delete(map_fd, struct.pack("<Q", group))
        for group, bits in came.items():
            try:
                bpf_syscall.map_update(map_fd, struct.pack("<Q", group), struct.pack("<I", bits))
            except OSError as fault:
                if fault.errno != errno.E2BIG:
                    raise
                return  # the table is full
