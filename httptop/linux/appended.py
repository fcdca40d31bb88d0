"""Files at whose end is written, and that are opened again by their name once they were rotated."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from httptop.linux.files import (
    TRIES,
    FileError,
    InvokingUser,
    access,
    opened_for_writing,
    way_to,
)


class Appending(NamedTuple):
    """A descriptor that writes at the end of a file, and can do nothing else."""

    descriptor: int
    #: Whether the file ended within a line when it was opened.
    torn: bool


#: Opens a file for another process than its own; None: there is nobody who could.
Reopen = Callable[[Path], Appending | None]


def open_for_appending(
    path: Path, invoker: InvokingUser, *, ours: Callable[[bytes], bool]
) -> Appending:
    """Open or create a file as :func:`create` does with ``append``; raises :class:`FileError`."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    for _ in range(TRIES):
        with access(path, invoker, "write") as uid, way_to(path, uid) as way:
            judged = opened_for_writing(path, way.at, way.name, way.found, uid, True, ours)
            if judged is None:
                continue
            with open(judged, "rb", buffering=0), contextlib.suppress(FileNotFoundError):
                appends = os.open(way.name, flags, dir_fd=way.at)
                if os.path.samestat(os.fstat(appends), os.fstat(judged)):
                    return Appending(appends, ends_in_half_a_line(judged))
                os.close(appends)
    raise FileError(f"{path}: somebody else creates and removes it")


def ends_in_half_a_line(descriptor: int) -> bool:
    """Return whether a run before this one was ended within a line, or its host was."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


class AppendedFile:
    """A file at whose end is written, and which may be another one later, of the same name.

    The directory is held by a descriptor with which nothing can be done but to go on from there. So
    a file that was moved away is made anew, or one that has the name now is opened, also when root
    is given up: if only the directory itself lets the user, whatever is above it. Where it does
    not, a process that is still root may help.
    """

    def __init__(
        self,
        path: Path,
        invoker: InvokingUser,
        *,
        ours: Callable[[bytes], bool],
        helped: Reopen | None = None,
    ) -> None:
        """Open or create it as :func:`create` does; raises :class:`FileError`.

        ``helped`` opens it later where this process may not; it raises :class:`OSError`.
        """
        self._path, self._invoker, self._ours, self._helped = path, invoker, ours, helped
        for _ in range(TRIES):
            with access(path, invoker, "write") as uid, way_to(path, uid) as way:
                opened = opened_for_writing(path, way.at, way.name, way.found, uid, True, ours)
                if opened is None:
                    continue
                self._name = way.name
                flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
                self._directory = os.open(".", flags, dir_fd=way.at)
                #: Where to write; the same number for all files.
                self.descriptor = opened
                #: Whether the file ended within a line when it was opened.
                self.torn = ends_in_half_a_line(opened)
                return
        raise FileError(f"{path}: somebody else creates and removes it")

    def reopen(self) -> bool:
        """Go on in the file that has the name now; return whether it is another one.

        Raises :class:`FileError`; then the file stays open that was.
        """
        try:
            new = self._opened_again()
        except FileError:
            new = self._opened_with_help()
            if new is None:
                raise
        if new is None:
            return False
        try:
            if os.path.samestat(os.fstat(new.descriptor), os.fstat(self.descriptor)):
                return False
            os.dup2(new.descriptor, self.descriptor, inheritable=False)
            self.torn = new.torn
        finally:
            os.close(new.descriptor)
        return True

    def _opened_with_help(self) -> Appending | None:
        try:
            return None if self._helped is None else self._helped(self._path)
        except OSError as error:
            raise FileError(str(error)) from None

    def _opened_again(self) -> Appending | None:
        """Return the file that has the name now, open; None: it is the same."""
        for _ in range(TRIES):
            with access(self._path, self._invoker, "write") as uid:
                at, name, found = self._directory, self._name, None
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(name, dir_fd=at, follow_symlinks=False)
                    if os.path.samestat(found, os.fstat(self.descriptor)):
                        return None
                new = opened_for_writing(self._path, at, name, found, uid, True, self._ours)
                if new is not None:
                    return Appending(new, ends_in_half_a_line(new))
        raise FileError(f"{self._path}: somebody else creates and removes it")

    def close(self) -> None:
        """Close file and directory."""
        os.close(self.descriptor)
        os.close(self._directory)
