"""The hierarchies of control groups that this host has: that of version 2, and those before it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

#: Inode of the first control group namespace, a constant of the kernel (PROC_CGROUP_INIT_INO).
FIRST_GROUP_NAMESPACE: Final = 0xEFFFFFFB
#: Controllers whose hierarchies have the groups of containers, the most likely first.
_CONTROLLERS: Final = ("memory", "pids", "cpu", "devices", "freezer", "cpuset", "blkio")
#: The most hierarchies of version 1 that are looked at; see control_groups.h.
MOST_HIERARCHIES: Final = 4


class Hierarchy(NamedTuple):
    """A hierarchy that is mounted as a whole."""

    number: int  # the kernel's; 0: version 2
    mount: Path


def mounted_hierarchies(proc: Path = Path("/proc")) -> tuple[Hierarchy, ...]:
    """Return the hierarchies in which containers and units are found, at most five.

    They are that of version 2 and, of version 1, those with a name (systemd's) and one with a
    controller. What is mounted only in part, as in a container, is left out.
    """
    mounts = dict(reversed(list(_mounts(_text(proc / "self/mountinfo")))))
    numbers: dict[str, int] = {}
    for line in _text(proc / "self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        if number.isdecimal() and len(number) < 10:
            numbers |= dict.fromkeys(rest.partition(":")[0].split(","), int(number))
    found = [Hierarchy(0, mounts[""])] if "" in mounts else []
    known = [name for name in numbers if name in mounts and numbers[name]]
    named = [name for name in known if name.startswith("name=")]
    controllers = [name for name in _CONTROLLERS if name in known]
    first = [Hierarchy(numbers[name], mounts[name]) for name in (*controllers[:1], *named)]
    return (*found, *first[:MOST_HIERARCHIES])


def sees_own_groups_only(proc: Path = Path("/proc")) -> bool:
    """Return whether control groups are seen from within a namespace of them."""
    try:
        return os.stat(proc / "self/ns/cgroup").st_ino != FIRST_GROUP_NAMESPACE
    except OSError:
        return False


def _mounts(mountinfo: str) -> Iterator[tuple[str, Path]]:
    """Yield (controller or name, mount point); version 2 has neither: an empty one."""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ")
        if len(fields) < 5 or fields[3] != "/":
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4]))
        if kind[0] == "cgroup2":
            yield "", point
        elif kind[0] == "cgroup" and len(kind) > 2:
            for option in kind[2].split(","):
                yield option, point


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
