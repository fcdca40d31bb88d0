"""Recognise containers and systemd units by their control groups.

A container runtime gives each container a control group whose path contains its id or its name;
systemd does the same for units. A container can name the groups below its own as it likes, so the
outermost id or name in a path counts. The names that Docker and Podman gave are in files that only
root can read: :class:`Names` reads them when it is created, and those of later containers as long
as the process may.

The kernel identifies a control group of a hierarchy by its directory's inode number.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from httptop.literals import matches_any
from httptop.printable import clean

_ID: Final = "[0-9a-f]{64}"
#: docker-ID.scope, libpod-ID.scope, crio-ID, cri-containerd-ID.scope, a bare ID, pod...:cri:ID.
_BY_ID: Final = re.compile(
    rf"(?:(?:docker|libpod|crio|cri-containerd|containerd|nerdctl)-|[^:]+:[^:]+:)?({_ID})(?:\.scope)?"
)
_BY_NAME: Final = (
    re.compile(r"lxc\.payload\.(.+)"),
    re.compile(r"systemd-nspawn@(.+)\.service"),
    re.compile(r"machine-(.+)\.scope"),
)
_POD: Final = re.compile(r"(?:kubepods.*-)?pod([0-9a-f]{8}[-_0-9a-f]{28}|[0-9a-f]{32})(?:\.slice)?")
_UNIT: Final = re.compile(r".+\.(?:service|scope)")

_SHORT: Final = 12
_LARGEST_FILE: Final = 4 << 20
#: The most control groups examined, and the deepest nesting; a host usually has hundreds, and ten.
MOST_GROUPS: Final = 100_000
_DEEPEST: Final = 100


class Names:
    """The names of containers by their ids, where they can be read."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Read the names of all containers that exist now."""
        self._docker = root / "var/lib/docker/containers"
        self._podman = root / "var/lib/containers/storage/overlay-containers/containers.json"
        self._known: dict[str, str] = {}
        try:
            ids = os.listdir(self._docker)
        except OSError:
            ids = []
        for container in ids:
            if re.fullmatch(_ID, container):
                self.of(container)

    def of(self, container: str) -> str:
        """Return the name of a container; empty if it cannot be determined."""
        if container not in self._known:
            name = _text(_json(self._docker / container / "config.v2.json"), "Name").lstrip("/")
            self._known[container] = name or self._of_podman(container)
        return self._known[container]

    def _of_podman(self, container: str) -> str:
        found = _json(self._podman)
        for entry in found if isinstance(found, list) else ():
            if _text(entry, "id") == container:
                names = entry.get("names")
                first = names[0] if isinstance(names, list) and names else ""
                return _shown(first) if isinstance(first, str) else ""
        return ""


def owners_of(path: str, name_of: Callable[[str], str]) -> tuple[str, ...]:
    """Return the names and ids of the container, pod or unit that a control group belongs to.

    The result is empty if it belongs to none. ``name_of`` returns a container's name for its id.
    """
    steps = [step for step in path.split("/") if step]
    return _container(steps, name_of) or tuple(map(_shown, filter(_UNIT.fullmatch, steps)))[-1:]


def container_of(path: str) -> str:
    """Return the short id of the container that a control group belongs to; empty if to none.

    Where it has no id, its name; where only its pod is known, the pod's id.
    """
    words = _container([step for step in path.split("/") if step], lambda _: "")
    return words[0] if words else ""


def _container(steps: Sequence[str], name_of: Callable[[str], str]) -> tuple[str, ...]:
    pod: tuple[str, ...] = ()
    for above, step in zip(["", *steps], steps, strict=False):
        if found := _POD.fullmatch(step):
            pod = (found[1].replace("_", "-"),)
        elif found := _BY_ID.fullmatch(step):
            full = found[1]
            name = name_of(full)
            return (name, full[:_SHORT], full, *pod) if name else (full[:_SHORT], full, *pod)
        elif name := _named(above, step):
            return (name,)
    return pod


def _named(above: str, step: str) -> str:
    if above in ("lxc", "lxc.payload"):
        return _shown(step)
    for pattern in _BY_NAME:
        if found := pattern.fullmatch(step):
            # systemd writes a "-" within a name as \x2d
            return _shown(re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), found[1]))
    return ""


def _shown(text: str) -> str:
    try:
        return clean(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # a lone surrogate in JSON
        return clean(text.encode("utf-8", "backslashreplace"))


def _text(document: object, key: str) -> str:
    value = document.get(key) if isinstance(document, dict) else None
    return _shown(value) if isinstance(value, str) else ""


def _json(file: Path) -> object:
    try:
        with open(file, "rb") as opened:
            return json.loads(opened.read(_LARGEST_FILE))
    except (OSError, ValueError, RecursionError):
        return None


# Which groups match the globs of a filter


class _Group:
    """The state of a directory of the hierarchy when it was last read."""

    __slots__ = ("below", "bits", "depth", "inode", "links", "path")

    def __init__(self, path: str, depth: int, bits: int) -> None:
        self.path, self.depth, self.bits = path, depth, bits
        self.inode = self.links = -1  # not read yet
        self.below: dict[str, _Group] = {}


class ContainerWatch:
    """Tracks which control groups match lists of globs.

    ``items`` are the lists. A group matches an item if one of the item's globs matches the name,
    the id, the short id or the unit of the group's owner, or of a parent group's owner.
    """

    def __init__(
        self,
        items: Sequence[Sequence[str]],
        mount: Path,
        names: Names | None = None,
    ) -> None:
        """``mount``: the mount point of the hierarchy."""
        self._items = [tuple(item) for item in items]
        self._names = names or Names()
        self._mount = mount
        self._root: _Group | None = None
        self._told: dict[int, int] = {}
        self._seen = 0
        #: Whether there were more groups than are examined: whose children some are is not known.
        self.left_some_out = False

    def changes(self) -> tuple[dict[int, int], set[int]]:
        """Return the changes since the last call: new or changed groups, and removed groups.

        Groups are identified by inode number; each has a bit mask in which bit i is set if it
        matches item i. A call takes two microseconds for each group.
        """
        if self._root is None:
            self._root = _Group(str(self._mount), 0, 0)
        self._seen = 0
        now: dict[int, int] = {}
        self._look(self._root, now)
        added = {group: bits for group, bits in now.items() if self._told.get(group) != bits}
        gone = self._told.keys() - now.keys()
        self._told = now
        return added, gone

    def _look(self, group: _Group, into: dict[int, int]) -> bool:
        """Update a group and those below it; return whether it still exists.

        A directory's link count tells how many are below it, so only directories whose count has
        changed need to be read.
        """
        self._seen += 1
        try:
            found = os.stat(group.path)
        except OSError:
            return False
        if found.st_ino != group.inode:
            group.inode, group.links, group.below = found.st_ino, -1, {}
        lost = [name for name, below in group.below.items() if not self._look(below, into)]
        if lost or found.st_nlink != group.links:
            group.links = found.st_nlink
            self._read(group, into)
        if group.bits:
            into[group.inode] = group.bits
        return True

    def _read(self, group: _Group, into: dict[int, int]) -> None:
        """Read which groups are below one, and update the new ones."""
        known, group.below = group.below, {}
        try:
            with os.scandir(group.path) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return
        for name in names:
            if self._seen > MOST_GROUPS or group.depth >= _DEEPEST:
                self.left_some_out = True
                return
            below = known.get(name)
            if below is None:
                path = f"{group.path}/{name}"
                below = _Group(path, group.depth + 1, group.bits | self._items_of(path))
                if not self._look(below, into):
                    continue
            group.below[name] = below

    def _items_of(self, path: str) -> int:
        """Return the items that a group matches, as a bit mask."""
        words = owners_of(path.removeprefix(str(self._mount)), self._names.of)
        return sum(
            1 << number
            for number, globs in enumerate(self._items)
            if any(matches_any(word, globs) for word in words)
        )
