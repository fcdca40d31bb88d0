"""Read and write files safely although this process is root.

Under sudo, a file is opened with the permissions of the user who called it, or not at all. Root
itself writes only where nobody but root can change anything. Nothing is ever given to another user,
and only what httptop has written is truncated. Paths are followed by descriptors
(:mod:`httptop.linux.way`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from httptop.linux.fsuid import files_of
from httptop.linux.way import FileError, Way, name_of

__all__ = ["FileError"]

#: The start of a file, by which it is known as one of httptop's.
_START: Final = 4096
#: How often an open is tried where others create and remove the file meanwhile.
TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class InvokingUser:
    """The user on whose behalf httptop runs."""

    uid: int
    gid: int
    home: Path
    #: Whether this process runs as another user (root, under sudo).
    elevated: bool = False


@dataclass(frozen=True, slots=True)
class FileText:
    """The text of a file, and who could have written it."""

    text: str
    #: Empty if only root can change the file, or where its path leads; else who or what can.
    offence: str = ""


def invoking_user(environ: Mapping[str, str]) -> InvokingUser:
    """Return the invoking user: under sudo, doas or pkexec who called it, else this process's."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        with contextlib.suppress(KeyError, ValueError, OverflowError):
            uid, gid = _called_by(environ)
    elevated = uid != os.geteuid()
    home = None if elevated else environ.get("HOME")
    if not home:
        try:
            home = pwd.getpwuid(uid).pw_dir
        except (KeyError, OverflowError):
            home = "/"
    return InvokingUser(uid, gid, Path(home), elevated)


def _called_by(environ: Mapping[str, str]) -> tuple[int, int]:
    # doas keeps SUDO_UID if it is told to keep the environment; sudo does not keep DOAS_USER.
    if name := environ.get("DOAS_USER"):
        entry = pwd.getpwnam(name)
        return entry.pw_uid, entry.pw_gid
    if number := environ.get("PKEXEC_UID"):
        return int(number), pwd.getpwuid(int(number)).pw_gid
    uid = int(environ["SUDO_UID"])
    gid = environ.get("SUDO_GID")
    return uid, pwd.getpwuid(uid).pw_gid if gid is None else int(gid)


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
    error.
    """
    with access(path, invoker, "read"), Way(path) as way:
        return _opened(path, way)


def read_text(path: Path, limit: int, invoker: InvokingUser) -> FileText:
    """Return the UTF-8 text of a regular file of at most ``limit`` bytes: a configuration.

    If it is to be read with root's permissions, the file must be root's, and nobody else may be
    able to change it or where its path leads. Raises as :func:`open_regular` does.
    """
    with access(path, invoker, "read") as uid, Way(path, links_of={0, uid}) as way:
        file = _opened(path, way)
        with file:
            way.judge_file(os.fstat(file.fileno()))
            if uid == 0 and way.offence:
                raise FileError(
                    f"{path}: {way.offence}; as root, httptop obeys only what nobody else can "
                    "change"
                )
            raw = file.read(limit + 1)
    if len(raw) > limit:
        raise FileError(f"{path}: larger than {limit >> 10} KiB")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not a text file: byte {error.start} is not UTF-8") from None
    if "\0" in text:
        raise FileError(f"{path}: not a text file: it contains NUL bytes")
    return FileText(text, way.offence)


def write_text(path: Path, text: str, invoker: InvokingUser) -> Path:
    """Replace a file's contents by ``text`` atomically; return its path, links resolved.

    The file has mode 0600. Missing directories are made. Links that belong to root or the invoking
    user are followed, others refused. Raises :class:`FileError`.
    """
    with access(path, invoker, "write") as uid, way_to(path, uid, make=True) as way:
        if way.found is not None:
            _require_own(path, way.found, uid)
        _replace(way, text)
        return way.path


def write_new(path: Path, data: bytes, invoker: InvokingUser) -> Path:
    """Write a file that does not exist yet, all of it or none; return its path, links resolved.

    The file has mode 0600, and a link of its name is not followed. Raises :class:`FileExistsError`
    if the name is taken, :class:`FileError` for every other reason.
    """
    with access(path, invoker, "write") as uid, way_to(path, uid, new=True) as way:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(way.name, flags, 0o600, dir_fd=way.at)
        try:
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)  # whatever the umask
                file.write(data)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(way.name, dir_fd=way.at)
            raise
        return way.path


def create(
    path: Path,
    invoker: InvokingUser,
    *,
    append: bool = False,
    ours: Callable[[bytes], bool] = lambda start: True,  # noqa: ARG005
) -> int:
    """Create or truncate a file and return a descriptor for writing; raises :class:`FileError`.

    The file has mode 0600, and nobody else truncates it so while it is open. ``append``: keep its
    contents and write at its end. ``ours`` decides by the start of a file that exists, and is not
    empty, whether httptop may write to it.
    """
    for _ in range(TRIES):
        with access(path, invoker, "write") as uid, way_to(path, uid) as way:
            opened = opened_for_writing(path, way.at, way.name, way.found, uid, append, ours)
            if opened is not None:
                return opened
    raise FileError(f"{path}: somebody else creates and removes it")


def opened_for_writing(
    path: Path,
    at: int,
    name: str,
    found: os.stat_result | None,
    uid: int,
    append: bool,
    ours: Callable[[bytes], bool],
) -> int | None:
    """Open what was found of a name in a directory, or create it; None: that has changed."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    flags |= os.O_APPEND if append else 0
    if found is None:
        try:
            new = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=at)
        except FileExistsError:
            return None
        with _closed_if_refused(new):
            os.fchmod(new, 0o600)  # whatever the umask
            if not append:
                _have_alone(path, new)
        return new
    _require_own(path, found, uid)
    try:
        descriptor = os.open(name, flags, dir_fd=at)
    except FileNotFoundError:
        return None
    with _closed_if_refused(descriptor):
        _take_over(path, descriptor, uid, append=append, ours=ours)
    return descriptor


@contextlib.contextmanager
def _closed_if_refused(descriptor: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(descriptor)
        raise


def _take_over(
    path: Path, descriptor: int, uid: int, *, append: bool, ours: Callable[[bytes], bool]
) -> None:
    """Make an open file ready to be written, if that may be."""
    found = os.fstat(descriptor)
    _require_own(path, found, uid)
    start = os.pread(descriptor, _START, 0)
    if start and not ours(start):
        raise FileError(f"{path}: exists, and httptop has not written it: name another file")
    if stat.S_IMODE(found.st_mode) != 0o600:
        os.fchmod(descriptor, 0o600)
    if not append:
        _have_alone(path, descriptor)
        os.ftruncate(descriptor, 0)


def _have_alone(path: Path, descriptor: int) -> None:
    """Have no other httptop write to a file until it is closed, as far as its file system can."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FileError(f"{path}: another httptop is writing to it") from None
    except OSError:  # there are no locks there
        return


def _require_own(path: Path, found: os.stat_result, uid: int) -> None:
    """Raise :class:`FileError` unless this is a regular file of the user, under one name only."""
    if not stat.S_ISREG(found.st_mode):
        raise FileError(f"{path}: is {_kind(found)}")
    if found.st_uid != uid:
        raise FileError(f"{path}: belongs to another user ({name_of(found.st_uid)})")
    if found.st_nlink > 1:
        raise FileError(f"{path}: has other names (hard links)")


@contextlib.contextmanager
def access(path: Path, invoker: InvokingUser, what: str) -> Iterator[int]:
    """Access a file with the invoking user's permissions; raise :class:`FileError` with a reason.

    :class:`FileNotFoundError` stays what it is when reading, :class:`FileExistsError` always.
    """
    try:
        with rights_of(invoker) as uid:
            yield uid
    except (FileError, FileExistsError):
        raise
    except FileNotFoundError as error:
        if what == "read":
            raise
        raise FileError(f"{path}: {_reason(error)}") from None
    except PermissionError:
        whose = f" for {name_of(invoker.uid)}, who called httptop" if invoker.elevated else ""
        raise FileError(f"{path}: no permission to {what} it{whose}") from None
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: {_reason(error)}") from None


def way_to(path: Path, uid: int, *, make: bool = False, new: bool = False) -> Way:
    """Return the way to a file that is written with a user's permissions."""
    return Way(path, links_of={0, uid}, only_roots=uid == 0, groups=True, make=make, new=new)


def _opened(path: Path, way: Way) -> BinaryIO:
    """Open what a way leads to for reading; a device or a FIFO is not even opened."""
    if way.found is None:
        raise FileNotFoundError(path)
    if not stat.S_ISREG(way.found.st_mode):
        raise FileError(f"{path}: is {_kind(way.found)}")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(way.name, flags, dir_fd=way.at)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise FileError(f"{path}: is {_kind(found)}")
    return open(descriptor, "rb")


def _replace(way: Way, text: str) -> None:
    """Write a temporary file and rename it, all in the directory that is open."""
    temporary = f".{way.name[:200]}.{os.urandom(6).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=way.at)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, 0o600)
            os.fsync(descriptor)
        os.rename(temporary, way.name, src_dir_fd=way.at, dst_dir_fd=way.at)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=way.at)
        raise
    with contextlib.suppress(OSError):  # EBADF: the directory may not be read, only searched
        os.fsync(way.at)


def _kind(found: os.stat_result) -> str:
    return "a directory" if stat.S_ISDIR(found.st_mode) else "no regular file"


def _reason(error: OSError | ValueError) -> str:
    text = error.strerror if isinstance(error, OSError) else str(error)
    return (text or type(error).__name__).lower()
