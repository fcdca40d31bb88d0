"""Restrict the system calls that a process may make: seccomp(2), through libseccomp.

A filter cannot be taken back, and whatever the process starts inherits it. A call that it does not
allow fails with EPERM. The library knows numbers and calling conventions of every architecture.
A filter made in one process can be applied in another, which then does not need the library's
memory. The module imports very little, so that the helper, which uses it, stays small.
"""

from __future__ import annotations

import ctypes
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    #: Number of an argument, mask, value: the argument's bits in the mask must be those of value.
    Condition = tuple[int, int, int]
    #: The name of a system call, and what must all be true of its arguments.
    Call = tuple[str, tuple[Condition, ...]]

_LIBRARY = "libseccomp.so.2"  # by its name: to search for it would start processes
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000  # and the error's number in the lower bits
_MASKED_EQUAL = 7
_ALL_THREADS, _OPTIMIZE = 4, 8
_AS_TREE = 2
_SET_SECCOMP, _BY_FILTER = 22, 2
_INSTRUCTION = 8  # bytes


class _Compared(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class Filter:
    """A filter that allows some system calls; a context manager that frees it."""

    def __init__(self, allowed: Iterable[Call], unknown: Iterable[str]) -> None:
        """Make a filter; raises :class:`OSError`, also where the library is missing.

        Names that do not exist on this architecture are skipped. ``unknown``: those that fail as if
        the kernel did not know them, so that the C library uses another.
        """
        self._library = _library()
        self._filter = self._library.seccomp_init(_REFUSE | errno.EPERM)
        if not self._filter:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        # The tree, as from libseccomp 2.5 on, is quicker; without it nothing else changes.
        self._library.seccomp_attr_set(self._filter, _OPTIMIZE, _AS_TREE)
        try:
            for name, conditions in _distinct(allowed):
                self._add(_ALLOW, name, conditions)
            for name in unknown:
                self._add(_REFUSE | errno.ENOSYS, name, ())
        except BaseException:
            self.close()
            raise

    def apply(self) -> None:
        """Restrict all threads of this process from now on; raises :class:`OSError`.

        Nothing that they start can gain privileges any more.
        """
        _checked(self._library.seccomp_attr_set(self._filter, _ALL_THREADS, 1))
        _checked(self._library.seccomp_load(self._filter))

    def program(self) -> bytes:
        """Return the filter as a program for :func:`apply`; raises :class:`OSError`."""
        with open(os.memfd_create("filter"), "r+b", buffering=0) as file:
            _checked(self._library.seccomp_export_bpf(self._filter, file.fileno()))
            file.seek(0)
            return file.readall()

    def close(self) -> None:
        """Free it; idempotent."""
        if self._filter:
            self._library.seccomp_release(self._filter)
        self._filter = None

    def __enter__(self) -> Filter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, action: int, name: str, conditions: tuple[Condition, ...]) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # this architecture has no such call, or the library is older than it
            return
        compared = (_Compared * len(conditions))(
            *(
                _Compared(argument, _MASKED_EQUAL, mask, value)
                for argument, mask, value in conditions
            )
        )
        _checked(
            self._library.seccomp_rule_add_array(
                self._filter, action, number, len(conditions), compared
            )
        )


def apply(program: bytes) -> None:
    """Restrict this thread by the program of a :class:`Filter`; raises :class:`OSError`.

    It must have given up gaining privileges, or have CAP_SYS_ADMIN.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(program, len(program))
    head = _Program(len(program) // _INSTRUCTION, ctypes.addressof(instructions))
    if libc.prctl(_SET_SECCOMP, _BY_FILTER, ctypes.byref(head), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def unrestricted_tasks() -> Iterator[str]:
    """Yield the numbers of this process's threads that have no filter; raises OSError."""
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/status", "rb") as file:
                lines = file.read().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread has ended
        if b"Seccomp:\t2" not in lines:
            yield task


def _distinct(calls: Iterable[Call]) -> Iterator[Call]:
    """Yield each call once; without the conditions of one that is allowed without them, too."""
    once = dict.fromkeys(calls)
    for name, conditions in once:
        if not conditions or (name, ()) not in once:
            yield name, conditions


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        raise OSError(errno.ENOENT, f"{_LIBRARY} is missing") from None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_void_p,
    )
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.seccomp_load.argtypes = library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_release.restype = None
    return library


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
