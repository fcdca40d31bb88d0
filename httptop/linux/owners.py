"""Who a process belongs to: the name of its user, and the container that it runs in.

Both are read from small files that every user may read. What is in them is chosen by others: a
container names the control groups below its own, and a process may end, and its id be another's, at
any time. So a read is bounded, and its result a text that is safe to show, or nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from httptop.linux.containers import container_of
from httptop.printable import clean

#: The most that is read of a process's file, and of the list of users.
_LARGEST: Final = 1 << 16
_LARGEST_USERS: Final = 4 << 20
_LONGEST_NAME: Final = 32


def container_of_process(pid: int, proc: Path = Path("/proc")) -> str | None:
    """Return a process's container: its short id, or its name where it has no id; empty: none.

    None if the process is not there, or may not be looked at. It takes a read of at most 64 KiB.
    """
    groups = _start_of(proc / str(pid) / "cgroup", _LARGEST).decode("utf-8", "surrogateescape")
    if not groups:
        return None
    found = (container_of(line.split(":", 2)[-1]) for line in groups.splitlines())
    return next(filter(None, found), "")


class Users:
    """The names of users by their ids, from the list of users on this host.

    Users whom a directory service knows have their id for a name: to ask it could take seconds.
    """

    def __init__(self, passwd: Path = Path("/etc/passwd")) -> None:
        self._passwd = passwd
        self._read: tuple[int, int] | None = None
        self._names: dict[int, str] = {}

    def name(self, uid: int) -> str:
        """Return a user's name, at most 32 characters and safe to show; the list may change."""
        try:
            found = os.stat(self._passwd)
        except OSError:
            return str(uid)
        if self._read != (found.st_mtime_ns, found.st_size):
            self._read = found.st_mtime_ns, found.st_size
            self._names = _names(_start_of(self._passwd, _LARGEST_USERS))
        return self._names.get(uid, str(uid))


def _names(passwd: bytes) -> dict[int, str]:
    """Return the first name of each user id."""
    names: dict[int, str] = {}
    for line in passwd.splitlines():
        fields = line.split(b":")
        if len(fields) > 3 and fields[0] and len(fields[2]) <= 10 and fields[2].isdigit():
            names.setdefault(int(fields[2]), clean(fields[0], _LONGEST_NAME))
    return names


def _start_of(file: Path, most: int) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(most)
    except OSError:
        return b""
