"""Access files with another user's permissions, in one thread of a process that runs as root.

The C library's ``seteuid`` changes all threads at once, so the collector's thread could not read
the kernel's maps meanwhile. Linux has a separate user id for file access (fsuid), which belongs to
a thread. While it is not root's, the thread also lacks root's capabilities over files.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
from collections.abc import Iterator, Sequence
from typing import Final

_ASK: Final = ctypes.c_uint32(-1)  # an invalid id: the call changes nothing, returns the current
#: The number of the system call setgroups; the C library's function changes all threads.
_SETGROUPS: Final = {"x86_64": 116, "aarch64": 159}


@contextlib.contextmanager
def files_of(uid: int, gid: int) -> Iterator[None]:
    """Give this thread a user's permissions on files; raises :class:`PermissionError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.setfsuid.restype = libc.setfsgid.restype = ctypes.c_uint32
    before = libc.setfsuid(_ASK), libc.setfsgid(_ASK)
    groups = os.getgroups()
    try:
        _set_groups(libc, _groups_of(uid, gid))
        libc.setfsgid(ctypes.c_uint32(gid))
        libc.setfsuid(ctypes.c_uint32(uid))
        now = libc.setfsuid(_ASK), libc.setfsgid(_ASK)
        if now != (uid, gid):
            raise PermissionError(f"cannot use files as user {uid}")
        yield
    finally:
        libc.setfsuid(ctypes.c_uint32(before[0]))
        libc.setfsgid(ctypes.c_uint32(before[1]))
        _set_groups(libc, groups)


def _groups_of(uid: int, gid: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return [gid]


def _set_groups(libc: ctypes.CDLL, groups: Sequence[int]) -> None:
    number = _SETGROUPS.get(os.uname().machine)
    if number is None:
        os.setgroups(groups)
        return
    ids = (ctypes.c_uint32 * len(groups))(*groups)
    if libc.syscall(number, len(groups), ids) != 0:
        raise PermissionError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
