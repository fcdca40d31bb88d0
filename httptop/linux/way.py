"""Follow a path by descriptors: each directory is opened in the one before, and judged once open.

So nothing that is renamed or replaced meanwhile can lead elsewhere than to what was judged.
Symbolic links are read and followed here, never by the kernel; the links of ``/proc`` that lead
past permissions have no meaning then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final, Self

_MOST_LINKS: Final = 40
#: Groups below this are the system's own: their members are services, not people.
_FIRST_GROUP_OF_USERS: Final = 1000
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class FileError(OSError):
    """A file was refused; the message says why."""

    def __str__(self) -> str:
        return str(self.args[0])


class Way:
    """The way to a file: a context manager that holds the directory with the file's name in it.

    The file itself is looked at, not opened: whoever opens it must judge it again.
    """

    def __init__(
        self,
        path: Path,
        *,
        links_of: Collection[int] | None = None,
        only_roots: bool = False,
        groups: bool = False,
        make: bool = False,
        new: bool = False,
    ) -> None:
        """``links_of``: users whose symbolic links are followed; None: everybody's.

        ``only_roots``: refuse directories that others than root can change; else ``offence`` tells
        the first. ``groups``: groups of the system may. ``make``: make missing directories.
        ``new``: raise :class:`FileExistsError` if the name is taken, by a link, too.
        """
        #: The last component, a name in the directory ``at``.
        self.name = "."
        #: What was found there; None if there is nothing.
        self.found: os.stat_result | None = None
        #: Why others than root can change where the path leads; empty if they cannot.
        self.offence = ""
        self._path = path
        self._links_of, self._only_roots = links_of, only_roots
        self._groups, self._make, self._new = groups, make, new
        self._held: list[tuple[str, int]] = []
        self._links = 0

    @property
    def at(self) -> int:
        """The descriptor of the directory; perhaps one that can only be searched (``O_PATH``)."""
        return self._held[-1][1]

    @property
    def path(self) -> Path:
        """The path that was found, with all links resolved."""
        return Path("/", *(name for name, _ in self._held[1:]), self.name)

    def __enter__(self) -> Self:
        try:
            self._walk(os.path.abspath(self._path))
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._let_go()

    def judge_file(self, found: os.stat_result) -> None:
        """Note in ``offence`` if others than root can change the file itself."""
        self._judge(found, self.path)

    def _walk(self, path: str) -> None:
        self._let_go()
        self._enter("/", os.open("/", _DIRECTORY))
        left = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        while left:
            name = left.pop()
            if name == "..":
                if len(self._held) > 1:
                    os.close(self._held.pop()[1])
                continue
            link = self._last(name) if not left else self._directory(name)
            if link is None:
                continue
            if link.startswith("/"):
                while len(self._held) > 1:
                    os.close(self._held.pop()[1])
            left += [part for part in reversed(link.split("/")) if part not in ("", ".")]
        if self.name == ".":
            self.found = os.fstat(self.at)

    def _last(self, name: str) -> str | None:
        """Look at the last component; return where it leads if it is a link."""
        try:
            descriptor = os.open(name, _LOOK, dir_fd=self.at)
        except FileNotFoundError:
            self.name, self.found = name, None
            return None
        try:
            found = os.fstat(descriptor)
            if self._new:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
            if stat.S_ISLNK(found.st_mode):
                return self._read_link(name, descriptor, found)
        finally:
            os.close(descriptor)
        self.name, self.found = name, found
        return None

    def _directory(self, name: str) -> str | None:
        """Enter a directory; return where it leads if it is a link."""
        try:
            descriptor = os.open(name, _DIRECTORY, dir_fd=self.at)
        except FileNotFoundError:
            if not self._make:
                raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=self.at)
            descriptor = os.open(name, _DIRECTORY, dir_fd=self.at)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.ENOTDIR, errno.ELOOP):
                raise
            descriptor = os.open(name, _LOOK, dir_fd=self.at)
            found = os.fstat(descriptor)
            if stat.S_ISLNK(found.st_mode):
                try:
                    return self._read_link(name, descriptor, found)
                finally:
                    os.close(descriptor)
            if not stat.S_ISDIR(found.st_mode):
                os.close(descriptor)
                raise
        self._enter(name, descriptor)
        return None

    def _enter(self, name: str, descriptor: int) -> None:
        self._held.append((name, descriptor))
        self._judge(os.fstat(descriptor), Path("/", *(name for name, _ in self._held[1:])))

    def _read_link(self, name: str, descriptor: int, found: os.stat_result) -> str:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise FileError(f"{self._path}: too many symbolic links")
        where = Path("/", *(name for name, _ in self._held[1:]), name)
        if self._links_of is not None and found.st_uid not in self._links_of:
            raise FileError(f"{self._path}: {where} is a symbolic link of another user")
        self._judge(found, where)
        return os.readlink("", dir_fd=descriptor)

    def _judge(self, found: os.stat_result, where: Path) -> None:
        if self.offence:
            return
        descriptor = self.at if stat.S_ISDIR(found.st_mode) else None
        offence = offence_of(found, descriptor if self._groups else None)
        if offence:
            self.offence = f"{where} {offence}"
            if self._only_roots:
                raise FileError(
                    f"{self._path}: {self.offence}; as root, httptop writes only where nobody but "
                    "root can change anything"
                )

    def _let_go(self) -> None:
        while self._held:
            os.close(self._held.pop()[1])


def offence_of(found: os.stat_result, group_may: int | None = None) -> str:
    """Return how others than root can change a file or a directory; empty if they cannot.

    In a sticky directory nobody can change what is root's. ``group_may``: a descriptor of the
    directory, if a group of the system may write there.
    """
    mode = found.st_mode
    if found.st_uid != 0:
        return f"belongs to {name_of(found.st_uid)}"
    if stat.S_ISLNK(mode) or (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
        return ""
    if mode & stat.S_IWOTH:
        return "can be changed by everybody"
    if mode & stat.S_IWGRP and (
        group_may is None or found.st_gid >= _FIRST_GROUP_OF_USERS or _has_acl(group_may)
    ):
        return f"can be changed by its group ({found.st_gid})"
    return ""


def name_of(uid: int) -> str:
    """Return a user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"user {uid}"


def _has_acl(descriptor: int) -> bool:
    """Return whether the group's bits may stand for other users, too."""
    try:
        os.getxattr(descriptor, "system.posix_acl_access")
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.ENOTSUP)
    return True
