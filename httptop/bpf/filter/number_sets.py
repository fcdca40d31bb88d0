"""Sets of numbers as the kernel searches them: sorted ranges, a power of two of them.

Whatever a filter compares a number with comes to the question whether it is in a set: ``= 7,9``,
``= 400-499``, ``>= 100``. So the programs hold one search (``in_set`` in bpf/c/filter_terms.h),
and operators and values are data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from httptop.bpf.abi import FILTER_RANGE, FILTER_SET

#: The kernel compares without branches, which holds below this number; none is above it: 146 years
#: in nanoseconds, 4 EiB.
_MOST: Final = 2**62 - 1
#: Ranges that every program has room for: 32 KiB. More make it a program of its own.
_ROOM: Final = 2048

#: Ranges, each from its first number to its last.
Ranges = tuple[tuple[int, int], ...]


def normalised(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the same numbers as sorted ranges with gaps between them."""
    found: list[tuple[int, int]] = []
    for low, high in sorted((low, min(high, _MOST)) for low, high in ranges if low <= _MOST):
        if low > high:
            continue
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def room_for(sets: Sequence[Ranges]) -> int:
    """Return for how many ranges, a power of two, the programs need room."""
    return max(_ROOM, _power_of_two(sum(map(_padded, sets))))


def packed(sets: Sequence[Ranges]) -> bytes:
    """Return ``struct filter_sets``: where each set is and how it is searched, then all ranges."""
    heads, ranges = bytearray(), bytearray()
    for one in sets:
        length = _padded(one)
        heads += FILTER_SET.pack(len(ranges) // FILTER_RANGE.size, length // 2)
        for low, high in one:
            ranges += FILTER_RANGE.pack(low, high - low)
        ranges += FILTER_RANGE.pack(_MOST, 0) * (length - len(one))
    return bytes(heads) + bytes(ranges).ljust(room_for(sets) * FILTER_RANGE.size, b"\0")


def _padded(one: Ranges) -> int:
    return _power_of_two(max(1, len(one)))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
