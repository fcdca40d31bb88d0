"""BPF maps of the tests' own, made without a compiler."""

from __future__ import annotations

import ctypes
import struct

from httptop.linux import bpf_syscall

HASH, ARRAY, QUEUE = 1, 2, 22
_CREATE, _UPDATE, _LOOKUP_AND_DELETE = 0, 2, 21


def make_map(kind: int, key_len: int, value_len: int, entries: int) -> int:
    """Return the descriptor of a new map."""
    return bpf_syscall.bpf(
        _CREATE, bytearray(struct.pack("<IIIII", kind, key_len, value_len, entries, 0))
    )


def push(queue: int, number: int) -> None:
    """Put a number into a queue."""
    _ask(_UPDATE, queue, ctypes.create_string_buffer(struct.pack("<I", number), 4))


def pop(queue: int) -> int:
    """Take the next number out of a queue."""
    value = ctypes.create_string_buffer(4)
    _ask(_LOOKUP_AND_DELETE, queue, value)
    return int.from_bytes(value.raw, "little")


def _ask(command: int, queue: int, value: ctypes.Array[ctypes.c_char]) -> None:
    bpf_syscall.bpf(
        command, bytearray(struct.pack("<IIQQQ", queue, 0, 0, ctypes.addressof(value), 0))
    )
