"""Attach programs to tracepoints as perf does, by perf_event_open(2).

The kernel runs such a program with preemption off, on every kernel, and gives it the record that it
makes of the tracepoint. Tracepoints have numbers, which tracefs tells; where it is not mounted, a
mount that nobody else sees will do.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Final

_TRACEFS: Final = Path("/sys/kernel/tracing")

#: System calls by number, which is the same on all machines, but for the first.
_PERF_EVENT_OPEN: Final = {"x86_64": 298}
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOEXEC: Final = 1  # of fsopen and fsmount
_CREATE: Final = 6  # a command of fsconfig

_TRACEPOINT: Final = 2
_DISABLED: Final = 1
_CLOSE_ON_EXEC: Final = 8
_SET_BPF: Final = 0x40042408
_ATTR: Final = struct.Struct("<IIQQQQQIIQ")

_libc = ctypes.CDLL(None, use_errno=True)


def number_of(name: str, mounted: Path = _TRACEFS) -> int | None:
    """Return the number of a tracepoint of sockets; None if the kernel does not tell it."""
    file = f"events/sock/{name}/id"
    with contextlib.suppress(OSError, ValueError):
        return int((mounted / file).read_text())
    with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as closing:
        root = closing.enter_context(_detached("tracefs"))
        opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
        return int(closing.enter_context(open(opened)).read())
    return None


@contextlib.contextmanager
def _detached(kind: str) -> Iterator[int]:
    """Mount a file system at no place in the tree for a while; yield the descriptor of its root."""
    with contextlib.ExitStack() as closing:
        context = _call(_FSOPEN, kind.encode(), _CLOEXEC)
        closing.callback(os.close, context)
        _call(_FSCONFIG, context, _CREATE, None, None, 0)
        root = _call(_FSMOUNT, context, _CLOEXEC, 0)
        closing.callback(os.close, root)
        yield root


def _call(number: int, *arguments: bytes | int | None) -> int:
    result = _libc.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


def usable_number_of(name: str) -> int | None:
    """Return the number of a tracepoint of sockets if a program can be attached to it as perf's."""
    number = number_of(name)
    if number is None:
        return None
    try:
        os.close(_opened(number))
    except OSError:  # forbidden here, as in a container
        return None
    return number


def attach(program_fd: int, number: int) -> int:
    """Attach a program to the tracepoint of this number; return a descriptor that keeps it there.

    The program runs on all CPUs. Raises OSError.
    """
    event = _opened(number)
    try:
        ioctl(event, _SET_BPF, program_fd)
    except OSError:
        os.close(event)
        raise
    return event


def _opened(number: int) -> int:
    call = _PERF_EVENT_OPEN.get(os.uname().machine)
    if call is None:
        raise OSError(38, "httptop does not know the number of perf_event_open(2) here")
    # The event itself stays off and counts nothing; the program runs all the same.
    attr = _ATTR.pack(_TRACEPOINT, _ATTR.size, number, 0, 0, 0, _DISABLED, 0, 0, 0)
    any_process, cpu, no_group = -1, 0, -1
    return _call(call, attr, any_process, cpu, no_group, _CLOSE_ON_EXEC)
