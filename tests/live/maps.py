"""BPF maps of the tests' own, made without a compiler."""

from __future__ import annotations

import struct

from httptop.linux import bpf_syscall

HASH, ARRAY = 1, 2
MMAPABLE = 1024
_CREATE = 0


def make_map(kind: int, key_len: int, value_len: int, entries: int, flags: int = 0) -> int:
    """Return the descriptor of a new map."""
    return bpf_syscall.bpf(
        _CREATE, bytearray(struct.pack("<IIIII", kind, key_len, value_len, entries, flags))
    )
