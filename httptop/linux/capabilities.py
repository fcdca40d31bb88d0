"""Change a thread's Linux capabilities and related attributes: prctl(2), capget(2), capset(2).

They belong to a thread; new threads and processes inherit those of the thread that starts them.
Every function raises OSError. The module imports very little, so that the helper, which uses it,
stays small.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# No Final here: importing typing would double what the helper imports.
CAP_DAC_READ_SEARCH = 2
CAP_SETGID = 6
CAP_SETUID = 7
CAP_SETPCAP = 8
CAP_SYS_PTRACE = 19
CAP_SYS_ADMIN = 21
CAP_PERFMON = 38
CAP_BPF = 39

NAMES = {CAP_PERFMON: "CAP_PERFMON", CAP_BPF: "CAP_BPF", CAP_SYS_ADMIN: "CAP_SYS_ADMIN"}

_SET_PDEATHSIG = 1
_SIGKILL = 9  # importing signal would bring in enum
_SET_DUMPABLE = 4
_SET_KEEPCAPS = 8
_CAPBSET_DROP = 24
_SET_NO_NEW_PRIVS = 38
_CAP_AMBIENT = 47
_AMBIENT_RAISE = 2
_AMBIENT_CLEAR_ALL = 4

_VERSION_3 = 0x20080522
#: Effective, permitted and inheritable set: the lower 32 capabilities, then the upper ones.
_SETS = struct.Struct("=6I")

_libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends.

    Not if that is of another user by then.
    """
    _prctl(_SET_PDEATHSIG, _SIGKILL)


def make_undumpable() -> None:
    """Allow only root to trace this process, read its memory or copy its descriptors."""
    _prctl(_SET_DUMPABLE, 0)


def keep_over_change_of_user(keep: bool) -> None:
    """Set whether this thread keeps its permitted set when it changes from root to another user."""
    _prctl(_SET_KEEPCAPS, int(keep))


def forbid_new_privileges() -> None:
    """Prevent programs started from now on from gaining privileges, setuid ones included.

    It cannot be undone.
    """
    _prctl(_SET_NO_NEW_PRIVS, 1)


def empty_inherited_sets() -> None:
    """Empty the sets from which programs started later gain: ambient, inheritable, bounding.

    The bounding set remains if this thread may not change it, as in some containers.
    """
    _prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    effective, permitted, _ = _get()
    _set(effective, permitted, 0)
    number = 0
    while _libc.prctl(_CAPBSET_DROP, number, 0, 0, 0) == 0:  # refused beyond the last one
        number += 1


def keep_only(kept: Iterable[int]) -> None:
    """Reduce this thread's capabilities permanently to those of ``kept`` that it has."""
    mask = _get()[1] & sum(1 << number for number in kept)
    _set(mask, mask, 0)


def become_with(uid: int, gid: int, kept: Iterable[int]) -> None:
    """Become a user for good, with these capabilities alone; what is started later has them, too.

    So does a service manager with AmbientCapabilities. No program gains others. Call it as root, in
    a process with one thread, before exec.
    """
    numbers = frozenset(kept)
    mask = sum(1 << number for number in numbers)
    number = 0
    while number in numbers or _libc.prctl(_CAPBSET_DROP, number, 0, 0, 0) == 0:
        number += 1
    keep_over_change_of_user(True)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _set(mask, mask, mask)
    for one in sorted(numbers):
        _checked(_libc.prctl(_CAP_AMBIENT, _AMBIENT_RAISE, one, 0, 0))
    forbid_new_privileges()


def without_capabilities(action: Callable[[], None]) -> None:
    """Call ``action`` in this thread without any effective capability."""
    effective, permitted, inheritable = _get()
    _set(0, permitted, inheritable)
    try:
        action()
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
