"""Have memory that is free given back to the kernel: once many objects lived, and few do now.

Python has small objects in arenas of 1 MiB, and keeps an arena as long as any object in it lives.
Thousands that come at once, and go, leave some behind that do not: a sample, a counter, a string
that somebody has seen. These few hold every arena. The C library gives back by pages.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sysconfig
from collections.abc import Iterator
from typing import Final


class _Allocator(ctypes.Structure):
    """The PyMemAllocatorEx of Python's C interface."""

    _fields_ = [
        (name, ctypes.c_void_p) for name in ("context", "malloc", "calloc", "realloc", "free")
    ]


#: The domains of Python's allocators: the C library's, that of memory, that of objects.
_RAW, _SMALL = 0, (1, 2)
#: Python without a global lock keeps books on what it has allocated.
_LOCKED: Final = not sysconfig.get_config_var("Py_GIL_DISABLED")


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Have the C library allocate Python's small objects meanwhile, those of all threads.

    It takes a third longer. Python frees them, then or later, as it does objects that are too large
    for its arenas: it returns what is in none to the C library. Where it has another allocator than
    usual, as for debugging or tracing, nothing changes.
    """
    usual = _small_allocator()
    if usual is None:
        yield
        return
    raw = _allocator(_RAW)
    other = _Allocator(raw.context, raw.malloc, raw.calloc, usual.realloc, usual.free)
    _use(other)
    try:
        yield
    finally:
        now = _small_allocator()
        if now is not None and now.malloc == other.malloc:
            _use(usual)


def _small_allocator() -> _Allocator | None:
    """Return the allocator of small objects, if it is Python's own or what :func:`apart` sets."""
    if not _LOCKED:
        return None
    try:
        memory, objects = map(_allocator, _SMALL)
    except AttributeError:  # not CPython
        return None
    # Those that wrap others have a context. All come from the same functions.
    alike = bytes(memory) == bytes(objects)
    return objects if alike and not objects.context and objects.malloc else None


def _allocator(domain: int) -> _Allocator:
    found = _Allocator()
    ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(found))
    return found


def _use(allocator: _Allocator) -> None:
    for domain in _SMALL:
        ctypes.pythonapi.PyMem_SetAllocator(domain, ctypes.byref(allocator))


def give_back(*, spare: bool = False, end: bool = False) -> None:
    """Have the C library give freed memory back to the kernel, where it can (glibc).

    ``spare``: what Python keeps of objects of common types, to make others soon, first. ``end``:
    also what is free at the end of the calling thread's own heap, which malloc_trim() leaves there.
    """
    if spare:
        gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        if end:
            _give_end_back(library)


#: Numbers of the C library's: what mallopt() sets, and from which length on a piece that is freed
#: has it look at the end of the heap.
_TRIM_THRESHOLD: Final = -1
_LOOKED_AT_BYTES: Final = 65 << 10
#: How long the end of a heap may be that is kept: now, and otherwise. The C library begins with the
#: former, and keeps twice the longest piece that was ever freed.
_NOW_BYTES, _USUALLY_BYTES = 128 << 10, 32 << 20


def _give_end_back(library: ctypes.CDLL) -> None:
    library.malloc.restype = ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    library.mallopt(_TRIM_THRESHOLD, _NOW_BYTES)
    library.free(library.malloc(_LOOKED_AT_BYTES))
    library.mallopt(_TRIM_THRESHOLD, _USUALLY_BYTES)
