"""Array maps of the kernel as memory of this process."""

from __future__ import annotations

import mmap
from typing import Final

from httptop.linux import bpf_syscall

_LEAST: Final = 16_384
_MUCH_MORE: Final = 4


class MappedMap:
    """An array map as memory, as far as it has been used: all that is mapped counts as resident.

    The descriptor is the caller's and must stay open. Methods raise :class:`OSError` if the kernel
    refuses.
    """

    def __init__(self, descriptor: int) -> None:
        """Map the beginning."""
        self._descriptor = descriptor
        _, _, _, length, entries, _ = bpf_syscall.map_info(descriptor)
        self._whole = -(-length // 8) * 8 * entries
        self._memory = mmap.mmap(descriptor, min(_LEAST, self._whole))

    def up_to(self, end: int) -> mmap.mmap:
        """Return memory that holds at least the first ``end`` bytes, until the next call."""
        mapped = len(self._memory)
        if end > mapped:
            self._memory.close()
            self._memory = mmap.mmap(self._descriptor, min(self._whole, max(end, mapped * 5 // 4)))
        return self._memory

    def column(self, end: int, code: str, size: int) -> bytes:
        """Return the first number of each entry, as in module array, up to ``end`` bytes.

        ``size``: bytes of an entry.
        """
        numbers = memoryview(self.up_to(end))[:end].cast(code)  # type: ignore[call-overload]
        return bytes(numbers[:: size // numbers.itemsize])

    def shrink(self, end: int) -> None:
        """Map no more than is needed for ``end`` bytes if it is much less than what is mapped."""
        if len(self._memory) > _MUCH_MORE * max(end, _LEAST):
            self._memory.close()
            self._memory = mmap.mmap(self._descriptor, min(self._whole, max(end, _LEAST)))

    def whole(self) -> mmap.mmap:
        """Return all of it as memory, until the next call of :meth:`up_to`."""
        return self.up_to(self._whole)

    def close(self) -> None:
        """Unmap it; idempotent."""
        self._memory.close()
