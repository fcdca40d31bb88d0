"""Read BPF ring buffers (BPF_MAP_TYPE_RINGBUF) by mapping their memory.

The descriptor of a ring maps as these pages::

    0        position of the consumer, which the reader writes
    1        position of the producer, which the kernel writes
    2 ...    the data, then the same data again: so each record lies in one piece

Positions count bytes since the ring was created; the data of a position lies at its remainder by
the ring's size. A record is a head of eight bytes, whose first four hold its length and two flags,
then its bytes, padded to a multiple of eight.

Pages of records are mapped only while they are read. So a ring of any size takes two pages of this
process's memory. Machines that are supported (x86-64) keep loads, and stores, in order, so plain
ones suffice.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Final, Self

from httptop.linux import bpf_syscall

PAGE: Final = mmap.PAGESIZE
#: Flags in the length of a record: it is still being written; it was given up.
BUSY: Final = 1 << 31
DISCARDED: Final = 1 << 30
HEAD: Final = 8

_DATA_AT: Final = 2 * PAGE


class RingBuffer:
    """Consumes a ring; used by one thread."""

    def __init__(self, descriptor: int, size: int) -> None:
        """Map the positions of a ring with ``size`` bytes of data; raises :class:`OSError`.

        ``descriptor`` must stay open as long as records are read.
        """
        self._descriptor, self._size = descriptor, size
        self._pages = (
            mmap.mmap(descriptor, PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
            mmap.mmap(descriptor, PAGE, mmap.MAP_SHARED, mmap.PROT_READ, offset=PAGE),
        )
        # Elements of eight bytes, since a position must be read and written in one go.
        self._consumed, self._produced = (memoryview(page).cast("Q") for page in self._pages)

    @classmethod
    def of_map(cls, descriptor: int) -> Self:
        """Map the positions of a map of this kind; raises :class:`OSError`."""
        *_, entries, _ = bpf_syscall.map_info(descriptor)
        return cls(descriptor, entries)

    def consume(self, take: Callable[[memoryview], object], most: int | None = None) -> int:
        """Pass the present records, oldest first, to ``take``; return how many there were.

        ``most``: stop after so many (None: no limit). A record that is still being written stops
        it, too. The memory is valid during the call of ``take`` only, and is free for the kernel
        afterwards, even if ``take`` raises. Raises :class:`RuntimeError` on positions or lengths
        that cannot be.
        """
        at, end = self._consumed[0], self._produced[0]
        if at % HEAD or not 0 <= end - at <= self._size:
            raise RuntimeError(f"a ring of {self._size} bytes claims to hold {at} to {end}")
        if at == end:
            return 0
        base = at - at % self._size % PAGE  # the position at which the first page begins
        length = -(-(end - base) // PAGE) * PAGE
        offset = _DATA_AT + base % self._size
        taken = 0
        with (
            mmap.mmap(
                self._descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset
            ) as pages,
            memoryview(pages) as data,
            data.cast("I") as words,
        ):
            while at < end and taken != most:
                head = words[(at - base) // 4]
                if head & BUSY:
                    break
                begin = at - base + HEAD
                held = head & ~DISCARDED
                following = at + HEAD + -(-held // 8) * 8
                if following > end:
                    raise RuntimeError(f"a record of {held} bytes does not fit into the ring")
                try:
                    if not head & DISCARDED:
                        taken += 1
                        with data[begin : begin + held] as record:
                            take(record)
                finally:
                    at = self._consumed[0] = following
        return taken

    def close(self) -> None:
        """Unmap the ring; idempotent."""
        self._consumed.release()
        self._produced.release()
        for page in self._pages:
            page.close()
