"""Tell the kernel which control groups belong to the containers that a filter selects."""

from __future__ import annotations

import contextlib
import errno
import struct
from collections.abc import Sequence
from typing import Final

from httptop.linux import bpf_syscall
from httptop.linux.containers import MOST_GROUPS, ContainerWatch, Names
from httptop.linux.control_groups import MOST_HIERARCHIES, Hierarchy, sees_own_groups_only

_NO_HIERARCHY = (
    "a filter selects containers, but no control groups are mounted here: nothing can match"
)
_OWN_ONLY = (
    "a filter selects containers, but httptop sees only control groups below its own, as in a "
    "container: nothing else can match (a container sees all with --cgroupns=host)"
)
_TOO_MANY = (
    f"a filter selects containers, and there are more control groups than the {MOST_GROUPS:,} that "
    "are looked at: what runs in the others is not counted"
)
_NO_ROOM = (
    "a filter selects containers, and more control groups match it than can be told apart: what "
    "runs in the others is not counted"
)
_NONE: Final = 0xFFFFFFFF
#: Where the place of a version 1 hierarchy stands in a key (control_groups.h).
_PLACE: Final = 56


def group_numbers(hierarchies: Sequence[Hierarchy]) -> bytes:
    """Return the numbers of the version 1 hierarchies as the programs have them."""
    numbers = [hierarchy.number for hierarchy in hierarchies if hierarchy.number]
    numbers += [_NONE] * (MOST_HIERARCHIES - len(numbers))
    return struct.pack(f"<{MOST_HIERARCHIES}I", *numbers)


class GroupFilter:
    """Keeps the kernel's table of control groups up to date."""

    def __init__(self, items: Sequence[Sequence[str]], hierarchies: Sequence[Hierarchy]) -> None:
        """``items``: lists of globs. Create it while container names can still be read (as root).

        ``hierarchies``: those that the programs look at. ``notes`` holds a sentence if no group
        can ever match.
        """
        self._watches: list[tuple[int, ContainerWatch]] = []
        #: Matching groups for which there was no room yet.
        self._waiting: dict[bytes, bytes] = {}
        names, place = Names(), 0
        for hierarchy in hierarchies:
            place += bool(hierarchy.number)
            mark = place << _PLACE if hierarchy.number else 0
            self._watches.append((mark, ContainerWatch(items, hierarchy.mount, names)))
        notes = [] if hierarchies else [_NO_HIERARCHY]
        notes += [_OWN_ONLY] if hierarchies and sees_own_groups_only() else []
        self.notes = tuple(notes)

    @property
    def news(self) -> tuple[str, ...]:
        """Sentences on what is not counted by now."""
        too_many = any(watch.left_some_out for _, watch in self._watches)
        return (*((_TOO_MANY,) if too_many else ()), *((_NO_ROOM,) if self._waiting else ()))

    def update(self, map_fd: int) -> None:
        """Add new groups and remove those that are gone."""
        for mark, watch in self._watches:
            came, went = watch.changes()
            for group in went:
                key = struct.pack("<Q", mark | group)
                self._waiting.pop(key, None)
                with contextlib.suppress(FileNotFoundError):
                    bpf_syscall.map_delete(map_fd, key)
            for group, bits in came.items():
                self._waiting[struct.pack("<Q", mark | group)] = struct.pack("<I", bits)
        for key, value in list(self._waiting.items()):
            try:
                bpf_syscall.map_update(map_fd, key, value)
            except OSError as error:
                if error.errno != errno.E2BIG:
                    raise
                return  # the table is full
            del self._waiting[key]
