"""The memory that interpreted programs see: regions, each far from the next.

An address is a region's number in its upper half and an offset in its lower. So an access past the
end of a map's value, of the stack or of a struct is found; it never reaches something else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

#: Bytes that a CPU's cache holds together.
LINE_LEN: Final = 64

_OFFSET_BITS: Final = 32
_OFFSETS: Final = (1 << _OFFSET_BITS) - 1


class Fault(Exception):
    """A program did what the kernel would refuse or not survive, or what is not simulated."""


class Kind(Enum):
    """What a region belongs to."""

    STACK = "stack"
    CONTEXT = "context"
    VALUE = "map value"
    KERNEL = "kernel"
    USER = "user"
    HANDLE = "handle"  # a map or a function: it has an address and no bytes


#: Regions whose cache lines are not counted: they are in the cache whatever a program does.
_HOT: Final = (Kind.STACK, Kind.CONTEXT)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Some bytes at an address of their own."""

    name: str
    kind: Kind
    number: int
    data: bytearray

    @property
    def address(self) -> int:
        """The address of its first byte."""
        return self.number << _OFFSET_BITS


@dataclass(slots=True)
class Memory:
    """All regions, and the cache lines that were touched since :meth:`forget_lines`."""

    _regions: dict[int, Region] = field(default_factory=dict)
    _added: int = 0
    _lines: set[tuple[int, int]] = field(default_factory=set)

    def add(self, name: str, kind: Kind, data: int | bytes = 0) -> Region:
        """Return a new region of these bytes, or of so many zeros."""
        self._added += 1
        region = Region(name, kind, self._added, bytearray(data))
        self._regions[region.number] = region
        return region

    def remove(self, region: Region) -> None:
        """Remove a region: to touch it is a fault from now on."""
        del self._regions[region.number]

    def region_at(self, address: int) -> Region | None:
        """Return the region that an address points into; None if there is none."""
        return self._regions.get(address >> _OFFSET_BITS)

    def _place(self, address: int, length: int) -> tuple[Region, int]:
        region = self._regions.get(address >> _OFFSET_BITS)
        if region is None:
            raise Fault(f"nothing is at {address:#x}")
        offset = address & _OFFSETS
        if offset + length > len(region.data):
            raise Fault(f"{length} bytes at {offset} of the {len(region.data)} of {region.name}")
        if region.kind not in _HOT:
            for line in range(offset // LINE_LEN, (offset + max(length, 1) - 1) // LINE_LEN + 1):
                self._lines.add((region.number, line))
        return region, offset

    def load(self, address: int, length: int, *, signed: bool = False) -> int:
        """Return the number that a program loads; by a null pointer, zero.

        The kernel has programs follow pointers of its own that may be null, and reads zero then.
        """
        if not address >> _OFFSET_BITS:
            return 0
        region, offset = self._place(address, length)
        if region.kind is Kind.USER:
            raise Fault(f"a plain load from {region.name}, which is user memory")
        return int.from_bytes(region.data[offset : offset + length], "little", signed=signed)

    def store(self, address: int, length: int, value: int) -> None:
        """Store the lower bytes of a number, as a program does."""
        region, offset = self._place(address, length)
        if region.kind in (Kind.USER, Kind.KERNEL, Kind.CONTEXT):
            raise Fault(f"a store to {region.name}, which is {region.kind.value} memory")
        value &= (1 << 8 * length) - 1
        region.data[offset : offset + length] = value.to_bytes(length, "little")

    def read(self, address: int, length: int) -> bytes:
        """Return bytes that a helper takes from a program."""
        region, offset = self._place(address, length)
        return bytes(region.data[offset : offset + length])

    def write(self, address: int, data: bytes) -> None:
        """Write bytes that a helper gives to a program."""
        region, offset = self._place(address, len(data))
        region.data[offset : offset + len(data)] = data

    def copy(self, address: int, length: int, kinds: tuple[Kind, ...]) -> bytes | None:
        """Return bytes that may not be there, of regions of these kinds; None: a bad address."""
        region = self.region_at(address)
        if region is None or region.kind not in kinds:
            return None
        offset = address & _OFFSETS
        if offset + length > len(region.data):
            return None
        return self.read(address, length)

    def forget_lines(self) -> None:
        """Count cache lines from here on."""
        self._lines.clear()

    @property
    def lines(self) -> Counter[str]:
        """How many cache lines were touched, by the names of the regions."""
        return Counter(self._regions[number].name for number, _ in self._lines)
