"""Cache what a start would have to work out again: compiled probes, the layout of the kernel.

Root loads what is cached, so the directory and its files must belong to root and be accessible to
root only, and nobody else may be able to change where its path leads. Anything else is ignored, and
worked out.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from httptop.linux.files import invoking_user
from httptop.linux.way import Way

#: The directory that root makes for whoever called sudo; another must exist then.
STANDARD: Final = Path("/var/cache/httptop")
#: Files kept; the least recently used is removed first.
_MOST: Final = 32
_LARGEST: Final = 4 << 20
_OURS: Final = re.compile(r"[0-9a-f]{64}\.[a-z]+")


def key_of(parts: Iterable[bytes]) -> str:
    """Return the name under which something is cached: a hash of everything it was made from."""
    import hashlib  # once the loader has left OpenSSL out

    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


class Cache:
    """Files of one kind in a directory; without one nothing is cached."""

    def __init__(self, directory: Path | None, suffix: str = ".image") -> None:
        """``suffix``: that of the files' names, which tells their kind."""
        self._directory, self._suffix = directory, suffix

    def read(self, key: str) -> bytes | None:
        """Return what is cached under a key; None if there is nothing that can be trusted."""
        directory = self._open(create=False)
        if directory is None:
            return None
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(key + self._suffix, flags, dir_fd=directory), "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode) or not _ours(found):
                    return None
                with contextlib.suppress(OSError):
                    os.utime(file.fileno())  # the time of last use
                return file.read(_LARGEST)
        except OSError:
            return None
        finally:
            os.close(directory)

    def write(self, key: str, data: bytes) -> None:
        """Cache something; if that fails, the next run works it out again."""
        directory = self._open(create=True)
        if directory is None or len(data) >= _LARGEST:
            return
        temporary = f".{key}.{os.urandom(6).hex()}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(temporary, flags, 0o600, dir_fd=directory), "wb") as file:
                file.write(data)
            os.rename(temporary, key + self._suffix, src_dir_fd=directory, dst_dir_fd=directory)
            _forget_oldest(directory)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=directory)
        finally:
            os.close(directory)

    def keeps(self) -> bool:
        """Return whether what is written is there later, as far as can be told."""
        directory = self._open(create=True)
        if directory is not None:
            os.close(directory)
        return directory is not None

    def _open(self, *, create: bool) -> int | None:
        """Open the directory; None unless it is accessible to its owner, this process's user, only.

        ``create``: make it if it does not exist, and whoever called sudo has not chosen it.
        """
        if self._directory is None:
            return None
        root = os.geteuid() == 0
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            links_of = {0, os.geteuid()}
            with Way(self._directory, links_of=links_of, only_roots=root, groups=True) as way:
                if create and (
                    self._directory == STANDARD or not invoking_user(os.environ).elevated
                ):
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(way.name, 0o700, dir_fd=way.at)
                directory = os.open(way.name, flags, dir_fd=way.at)
        except (OSError, ValueError):
            return None
        if _ours(os.fstat(directory)):
            return directory
        os.close(directory)
        return None


def _ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _forget_oldest(directory: int) -> None:
    names = [name for name in os.listdir(directory) if _OURS.fullmatch(name)]
    if len(names) <= _MOST:
        return
    used = {name: os.stat(name, dir_fd=directory, follow_symlinks=False) for name in names}
    names.sort(key=lambda name: used[name].st_mtime_ns)
    for name in names[:-_MOST]:
        os.unlink(name, dir_fd=directory)
