"""Read and write the invoking user's files safely although this process is root.

Under sudo, files are accessed with the permissions of the invoking user, so that no link or
directory of theirs can make root read or overwrite a file that they could not. If those permissions
do not suffice (``/etc``), root's are used, but only along a path that nobody else can change.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from httptop.linux.fsuid import files_of


class FileError(OSError):
    """A file was refused; the message says why."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class InvokingUser:
    """The user on whose behalf httptop runs."""

    uid: int
    gid: int
    home: Path
    #: Whether this process runs as another user (root, under sudo).
    elevated: bool = False


def invoking_user(environ: Mapping[str, str]) -> InvokingUser:
    """Return the invoking user: under sudo the user who called it, else this process's user."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        with contextlib.suppress(KeyError, ValueError, OverflowError):
            uid = int(environ["SUDO_UID"])
            gid = int(environ.get("SUDO_GID", pwd.getpwuid(uid).pw_gid))
    elevated = uid != os.geteuid()
    home = None if elevated else environ.get("HOME")
    if not home:
        try:
            home = pwd.getpwuid(uid).pw_dir
        except (KeyError, OverflowError):
            home = "/"
    return InvokingUser(uid, gid, Path(home), elevated)


@contextlib.contextmanager
def rights_of(invoker: InvokingUser) -> Iterator[int]:
    """Access files with the invoking user's permissions, in this thread; yield the effective uid.

    A process that gave up root has only its own permissions.
    """
    if not invoker.elevated or os.geteuid() != 0:
        yield os.geteuid()
        return
    with files_of(invoker.uid, invoker.gid):
        yield invoker.uid


def open_regular(path: Path, invoker: InvokingUser) -> BinaryIO:
    """Open a regular file for reading.

    Raises :class:`FileNotFoundError`, and :class:`FileError` with a clear reason for every other
    error. Root's permissions are used only for files that belong to root.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            with rights_of(invoker):
                descriptor = os.open(path, flags)
        except PermissionError:
            if not (invoker.elevated and _only_roots(path)):
                raise FileError(f"{path}: no permission to read it") from None
            descriptor = os.open(path, flags | os.O_NOFOLLOW)
    except (FileNotFoundError, FileError):
        raise
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: {_reason(error)}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise FileError(f"{path}: is {kind}")
    return open(descriptor, "rb")


def read_text(path: Path, limit: int, invoker: InvokingUser) -> str:
    """Return the UTF-8 text of a regular file of at most ``limit`` bytes.

    Raises as :func:`open_regular` does.
    """
    with open_regular(path, invoker) as file:
        try:
            raw = file.read(limit + 1)
        except OSError as error:
            raise FileError(f"{path}: {_reason(error)}") from None
    if len(raw) > limit:
        raise FileError(f"{path}: larger than {limit >> 10} KiB")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not a text file: byte {error.start} is not UTF-8") from None
    if "\0" in text:
        raise FileError(f"{path}: not a text file: it contains NUL bytes")
    return text


def write_text(path: Path, text: str, invoker: InvokingUser) -> Path:
    """Replace a file's contents by ``text`` atomically; return its path, links resolved.

    The file has mode 0600 and belongs to the invoking user. Links that belong to root or the
    invoking user are followed, others refused. Raises :class:`FileError`.
    """
    target = _followed(path, invoker)

    def write(uid: int) -> None:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _replace(target, text, invoker if uid == 0 and invoker.elevated else None)

    _with_rights(path, target, invoker, write)
    return target


def create(path: Path, invoker: InvokingUser, *, append: bool = False) -> int:
    """Create or truncate a file and return a descriptor for writing; raises :class:`FileError`.

    The file has mode 0600 and belongs to the invoking user. ``append``: keep its contents and
    write at its end.
    """
    target = _followed(path, invoker)
    opened: list[int] = []

    def write(uid: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(target, flags | (os.O_APPEND if append else 0), 0o600)
        opened.append(descriptor)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise FileError(f"{path}: is no regular file")
        if found.st_uid not in (uid, invoker.uid):
            raise FileError(f"{path}: belongs to another user")
        if found.st_nlink > 1:
            raise FileError(f"{path}: has other names (hard links)")
        os.fchmod(descriptor, 0o600)
        if uid == 0 and invoker.elevated:
            os.fchown(descriptor, invoker.uid, invoker.gid)
        if not append:
            os.ftruncate(descriptor, 0)

    try:
        _with_rights(path, target, invoker, write)
    except BaseException:
        for descriptor in opened:
            os.close(descriptor)
        raise
    return opened[-1]


def _with_rights(
    path: Path, target: Path, invoker: InvokingUser, action: Callable[[int], None]
) -> None:
    """Call ``action`` with the invoking user's permissions, else, if safe, with root's.

    They are safe if no link led to ``target`` and nobody else can change its directory. ``action``
    gets the uid whose permissions it has.
    """
    try:
        try:
            with rights_of(invoker) as uid:
                action(uid)
        except PermissionError:
            no_link = target == Path(os.path.abspath(path))
            if not (invoker.elevated and no_link and _only_roots(target.parent)):
                raise
            action(os.geteuid())
    except FileError:
        raise
    except (OSError, ValueError) as error:
        raise FileError(f"{target}: {_reason(error)}") from None


def _replace(target: Path, text: str, owner: InvokingUser | None) -> None:
    """Write a temporary file and rename it; ``owner``: its owner, if not the current user."""
    if target.is_dir():
        raise FileError(f"{target}: is a directory")
    if target.exists() and not target.is_file():
        raise FileError(f"{target}: is no regular file")
    temporary = target.with_name(f".{target.name[:200]}.{os.urandom(6).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, 0o600)
            if owner is not None:
                os.fchown(descriptor, owner.uid, owner.gid)
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _followed(path: Path, invoker: InvokingUser) -> Path:
    """Resolve a path's links; refuse those that belong to neither root nor the invoking user."""
    at = Path(os.path.abspath(path))
    for _ in range(40):
        link = next((step for step in (*reversed(at.parents), at) if step.is_symlink()), None)
        if link is None:
            return at
        try:
            owner = link.lstat().st_uid
            if owner not in (0, invoker.uid):
                raise FileError(f"{path}: {link} is a symbolic link of another user")
            rest = at.relative_to(link)
            at = Path(os.path.abspath(link.parent / os.readlink(link) / rest))
        except FileError:
            raise
        except OSError as error:
            raise FileError(f"{path}: {_reason(error)}") from None
    raise FileError(f"{path}: too many symbolic links")


def _only_roots(path: Path) -> bool:
    """Return whether only root can change where a path leads."""
    at = Path(os.path.abspath(path))
    for step in (*at.parents, at):
        try:
            found = step.lstat()
        except FileNotFoundError:
            continue
        except OSError:
            return False
        mode = found.st_mode
        if found.st_uid != 0 or stat.S_ISLNK(mode):
            return False
        if mode & 0o022 and not (mode & stat.S_ISVTX and stat.S_ISDIR(mode)):
            return False
    return True


def _reason(error: OSError | ValueError) -> str:
    text = error.strerror if isinstance(error, OSError) else str(error)
    return (text or type(error).__name__).lower()
