"""Sets of numbers as the kernel searches them: sorted ranges, a power of two of them.

Whatever a filter compares a number with comes to the question whether it is in a set: ``= 7,9``,
``= 400-499``, ``>= 100``. One range is compared with at once (decisions.py); for several there
is one search (``in_set`` in bpf/c/filter_terms.h), and operators and values are data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from httptop.bpf.abi import FILTER_RANGE

#: The kernel compares without branches, which holds below this number; none is above it: 146 years
#: in nanoseconds, 4 EiB.
_MOST: Final = 2**62 - 1
#: The fewest ranges that there is room for.
_ROOM: Final = 16

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
    """Return for how many ranges, a power of two, there is to be room."""
    return max(_ROOM, _power_of_two(sum(map(_padded, sets))))


class Place(NamedTuple):
    """Where a set stands among the ranges, and how it is searched: ``struct number_search``."""

    first: int  # its first range
    half: int  # of their number, a power of two; 0: there is one
    only: tuple[int, int] | None  # the range, if there is one


def placed(sets: Sequence[Ranges]) -> list[Place]:
    """Return the places of sets that stand one behind the other."""
    places, first = [], 0
    for one in sets:
        length = _padded(one)
        places.append(Place(first, length // 2, one[0] if len(one) == 1 else None))
        first += length
    return places


def packed(sets: Sequence[Ranges]) -> bytes:
    """Return the ranges of all sets, ``struct filter_range`` each."""
    ranges = bytearray()
    for one in sets:
        for low, high in one:
            ranges += FILTER_RANGE.pack(low, high - low)
        ranges += FILTER_RANGE.pack(_MOST, 0) * (_padded(one) - len(one))
    return bytes(ranges).ljust(room_for(sets) * FILTER_RANGE.size, b"\0")


def _padded(one: Ranges) -> int:
    return _power_of_two(max(1, len(one)))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
