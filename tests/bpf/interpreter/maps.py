"""BPF maps as interpreted programs see them, of every kind that httptop uses.

A look-up returns the address of a value, 0 if there is none; changes return 0 or a negative errno,
as the kernel's helpers do. What a map does inside itself touches no cache line here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import struct
from abc import ABC, abstractmethod
from typing import Final

from httptop.bpf.build.object_file import MapShape
from httptop.linux import bpf_syscall
from tests.bpf.interpreter.memory import Fault, Kind, Memory, Region

NOEXIST, EXIST = 1, 2
_LOOKUP_AND_DELETE: Final = 21


class Map(ABC):
    """A map; :attr:`handle` is what programs hold of it."""

    #: Whether the verifier replaces a look-up by a few instructions.
    inlined = False

    def __init__(self, shape: MapShape, memory: Memory) -> None:
        self.shape = shape
        self._memory = memory
        self.handle: Region = memory.add(shape.name, Kind.HANDLE)

    @abstractmethod
    def copy_from(self, map_fd: int) -> None:
        """Take over the contents of a map that the kernel has; it may be emptied."""

    def lookup(self, key: bytes) -> int:  # noqa: ARG002
        """Return the address of a key's value; 0: it has none."""
        raise Fault(f"a look-up in {self.shape.name}, of kind {self.shape.kind}")

    def update(self, key: bytes, value: bytes, flags: int = 0) -> int:  # noqa: ARG002
        """Set the value of a key; return 0 or a negative errno."""
        raise Fault(f"an update of {self.shape.name}, of kind {self.shape.kind}")

    def delete(self, key: bytes) -> int:  # noqa: ARG002
        """Delete a key; return 0 or a negative errno."""
        raise Fault(f"a deletion from {self.shape.name}, of kind {self.shape.kind}")


class ArrayMap(Map):
    """An array, or one per CPU, of which there is one."""

    inlined = True

    def __init__(self, shape: MapShape, memory: Memory) -> None:
        super().__init__(shape, memory)
        self._stride = (shape.value_len + 7) // 8 * 8
        self.values = memory.add(shape.name, Kind.VALUE, self._stride * shape.entries)

    def copy_from(self, map_fd: int) -> None:
        if self.shape.kind == PERCPU_ARRAY:
            return  # only programs write to these
        length = self.shape.value_len
        _, found = bpf_syscall.BatchReader(map_fd, 4, length).read(self.shape.entries)
        if length == self._stride:
            self.values.data[:] = found
            return
        for at in range(self.shape.entries):
            value = found[at * length : (at + 1) * length]
            self.values.data[at * self._stride : at * self._stride + length] = value

    def lookup(self, key: bytes) -> int:
        (at,) = struct.unpack("<I", key)
        return self.values.address + at * self._stride if at < self.shape.entries else 0

    def update(self, key: bytes, value: bytes, flags: int = 0) -> int:
        address = self.lookup(key)
        if not address:
            return -errno.E2BIG
        if flags == NOEXIST:
            return -errno.EEXIST
        self._memory.write(address, value)
        return 0


class HashMap(Map):
    """A hash table; one of the least recently used kind forgets its oldest key when it is full."""

    def __init__(self, shape: MapShape, memory: Memory) -> None:
        super().__init__(shape, memory)
        self.values: dict[bytes, Region] = {}

    def copy_from(self, map_fd: int) -> None:
        for key in bpf_syscall.map_keys(map_fd, self.shape.key_len):
            value = bpf_syscall.map_lookup(map_fd, key, self.shape.value_len)
            if value is not None:
                self.update(key, value)

    def lookup(self, key: bytes) -> int:
        found = self.values.get(key)
        return 0 if found is None else found.address

    def update(self, key: bytes, value: bytes, flags: int = 0) -> int:
        found = self.values.get(key)
        if found is not None and flags == NOEXIST:
            return -errno.EEXIST
        if found is None and flags == EXIST:
            return -errno.ENOENT
        if found is None:
            if len(self.values) >= self.shape.entries:
                if self.shape.kind != LRU_HASH:
                    return -errno.E2BIG
                del self.values[next(iter(self.values))]
            found = self._memory.add(self.shape.name, Kind.VALUE, self.shape.value_len)
            self.values[key] = found
        self._memory.write(found.address, value)
        return 0

    def delete(self, key: bytes) -> int:
        # The value stays in memory: programs may hold its address until they end.
        return 0 if self.values.pop(key, None) else -errno.ENOENT


class TrieMap(HashMap):
    """A trie of prefixes: a look-up finds the longest that a key begins with."""

    def lookup(self, key: bytes) -> int:
        bits = self._bits(key)
        best = max(
            (known for known in self.values if bits.startswith(self._bits(known))),
            key=lambda known: len(self._bits(known)),
            default=None,
        )
        return 0 if best is None else self.values[best].address

    @staticmethod
    def _bits(key: bytes) -> str:
        (length,) = struct.unpack_from("<I", key)
        return "".join(f"{byte:08b}" for byte in key[4:])[:length]


class StackMap(Map):
    """A stack, or a queue, of values."""

    def __init__(self, shape: MapShape, memory: Memory) -> None:
        super().__init__(shape, memory)
        self.values: list[bytes] = []

    def copy_from(self, map_fd: int) -> None:
        value = ctypes.create_string_buffer(self.shape.value_len)
        attr = struct.pack("<IIQQQ", map_fd, 0, 0, ctypes.addressof(value), 0)
        with contextlib.suppress(FileNotFoundError):  # it is empty now
            while True:
                bpf_syscall.bpf(_LOOKUP_AND_DELETE, bytearray(attr))
                self.values.append(value.raw)
        if self.shape.kind == STACK:
            self.values.reverse()

    def push(self, value: bytes) -> int:
        """Add a value; return 0 or a negative errno."""
        if len(self.values) >= self.shape.entries:
            return -errno.E2BIG
        self.values.append(value)
        return 0

    def peek(self) -> bytes | None:
        """Return the next value; None if there is none."""
        if not self.values:
            return None
        return self.values[-1 if self.shape.kind == STACK else 0]

    def pop(self) -> bytes | None:
        """Take the next value; None if there is none."""
        if not self.values:
            return None
        return self.values.pop(-1 if self.shape.kind == STACK else 0)


class RingMap(Map):
    """A ring buffer that user space reads at once, so it is never full."""

    def __init__(self, shape: MapShape, memory: Memory) -> None:
        super().__init__(shape, memory)
        self.records: list[bytes] = []

    def copy_from(self, map_fd: int) -> None:
        """Do nothing: what is in a ring is for user space."""

    def reserve(self, length: int) -> int:
        """Return the address of a new record."""
        return self._memory.add(self.shape.name, Kind.VALUE, length).address

    def submit(self, record: Region) -> None:
        """Give a record to user space."""
        self.records.append(bytes(record.data))


class ProgramMap(Map):
    """An array of programs, by their names."""

    def __init__(self, shape: MapShape, memory: Memory) -> None:
        super().__init__(shape, memory)
        self.programs: dict[int, str] = {}

    def copy_from(self, map_fd: int) -> None:
        """Do nothing: the caller says by name which programs are in it."""


HASH, ARRAY, PROGRAM_ARRAY, PERCPU_ARRAY = 1, 2, 3, 6
LRU_HASH, TRIE, QUEUE, STACK, RING = 9, 11, 22, 23, 27
_CLASSES: Final[dict[int, type[Map]]] = {
    HASH: HashMap,
    ARRAY: ArrayMap,
    PROGRAM_ARRAY: ProgramMap,
    PERCPU_ARRAY: ArrayMap,
    LRU_HASH: HashMap,
    TRIE: TrieMap,
    QUEUE: StackMap,
    STACK: StackMap,
    RING: RingMap,
}


def make_map(shape: MapShape, memory: Memory) -> Map:
    """Return an empty map; raises Fault for a kind that is not simulated."""
    made = _CLASSES.get(shape.kind)
    if made is None:
        raise Fault(f"the map {shape.name} is of kind {shape.kind}, which is not simulated")
    return made(shape, memory)
