"""Linux's capabilities and a thread's other promises, by prctl(2), capget(2) and capset(2).

All of it belongs to a thread. New threads and processes take over what the one that starts them
has. Imports next to nothing: the helper of httptop, which stays small, uses it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator

# Plain assignments, no Final: typing alone would double what the helper imports.
CAP_CHOWN = 0
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_SETGID = 6
CAP_SETUID = 7
CAP_SYS_PTRACE = 19
CAP_SYS_ADMIN = 21
CAP_PERFMON = 38
CAP_BPF = 39

NAMES = {CAP_PERFMON: "CAP_PERFMON", CAP_BPF: "CAP_BPF", CAP_SYS_ADMIN: "CAP_SYS_ADMIN"}

_SET_DUMPABLE = 4
_SET_KEEPCAPS = 8
_CAPBSET_DROP = 24
_SET_NO_NEW_PRIVS = 38
_CAP_AMBIENT = 47
_AMBIENT_CLEAR_ALL = 4

_VERSION_3 = 0x20080522
#: Effective, permitted and inheritable set: the lower 32 capabilities, then the upper ones.
_SETS = struct.Struct("=6I")

_libc = ctypes.CDLL(None, use_errno=True)


def make_undumpable() -> None:
    """Let nobody but root trace this process, read its memory or take its descriptors."""
    _prctl(_SET_DUMPABLE, 0)


def keep_over_change_of_user(keep: bool) -> None:
    """Have this thread keep its permitted set when it changes from root to another user."""
    _prctl(_SET_KEEPCAPS, int(keep))


def forbid_new_privileges() -> None:
    """Have programs that are started from here on gain nothing, setuid or not; for good."""
    _prctl(_SET_NO_NEW_PRIVS, 1)


def empty_inherited_sets() -> None:
    """Empty the sets that programs started later would gain from: ambient, inheritable, bounding.

    The bounding set stays where this thread may not change it, as in some containers.
    """
    _prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    effective, permitted, _ = _get()
    _set(effective, permitted, 0)
    number = 0
    while _libc.prctl(_CAPBSET_DROP, number, 0, 0, 0) == 0:  # refused beyond the last one
        number += 1


def keep_only(kept: Iterable[int]) -> None:
    """Reduce this thread's capabilities to those of ``kept`` that it has, for good."""
    mask = _get()[1] & sum(1 << number for number in kept)
    _set(mask, mask, 0)


@contextlib.contextmanager
def without_capabilities() -> Iterator[None]:
    """Let this thread act without any capability for a while."""
    effective, permitted, inheritable = _get()
    _set(0, permitted, inheritable)
    try:
        yield
    finally:
        _set(effective, permitted, inheritable)


def _get() -> tuple[int, int, int]:
    buffer = ctypes.create_string_buffer(_SETS.size)
    _checked(_libc.capget(struct.pack("=Ii", _VERSION_3, 0), buffer))
    low = _SETS.unpack(buffer.raw)
    return low[0] | low[3] << 32, low[1] | low[4] << 32, low[2] | low[5] << 32


def _set(*sets: int) -> None:
    data = _SETS.pack(*(mask & 0xFFFFFFFF for mask in sets), *(mask >> 32 for mask in sets))
    _checked(_libc.capset(struct.pack("=Ii", _VERSION_3, 0), data))


def _prctl(option: int, value: int) -> None:
    _checked(_libc.prctl(option, value, 0, 0, 0))


def _checked(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno() or errno.EPERM
        raise OSError(code, os.strerror(code))
