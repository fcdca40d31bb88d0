"""Memory that was freed, and that the C library still has."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """Have the C library give freed memory back to the kernel, where it can (glibc)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
