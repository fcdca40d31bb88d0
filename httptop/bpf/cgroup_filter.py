"""Tell the kernel which control groups belong to the containers that a filter selects."""

from __future__ import annotations

import contextlib
import errno
import struct
from collections.abc import Sequence

from httptop.linux import bpf_syscall
from httptop.linux.containers import ContainerWatch

_NO_HIERARCHY = (
    "a filter selects containers, but this host has no version 2 control groups: nothing can match"
)


class GroupFilter:
    """Keeps the kernel's table of control groups up to date."""

    def __init__(self, items: Sequence[Sequence[str]]) -> None:
        """``items``: lists of globs. Create it while container names can still be read (as root).

        ``notes`` holds a sentence if no group can ever match.
        """
        self._watch = ContainerWatch(items)
        self.notes = () if self._watch.possible else (_NO_HIERARCHY,)

    def update(self, map_fd: int) -> None:
        """Add new groups and remove those that are gone."""
        came, went = self._watch.changes()
        for group in went:
            with contextlib.suppress(FileNotFoundError):
                bpf_syscall.map_delete(map_fd, struct.pack("<Q", group))
        for group, bits in came.items():
            try:
                bpf_syscall.map_update(map_fd, struct.pack("<Q", group), struct.pack("<I", bits))
            except OSError as error:
                if error.errno != errno.E2BIG:
                    raise
                return  # the table is full
