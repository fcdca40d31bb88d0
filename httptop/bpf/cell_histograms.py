"""Read the histograms of single cells from the kernel; only of rows that somebody asks for.

What the sums have read of each cell stands in a map (read_octaves in bpf/c/sums.h), all shards
together, as it is in the sums of its row. It changes with these alone.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from httptop.bpf import abi
from httptop.collect.histogram import BUCKETS_PER_OCTAVE, OCTAVES, Histogram
from httptop.linux import bpf_syscall
from httptop.linux.stretches import give_way

#: Pages that are read at once. Of so many cells each octave is asked for, which takes 0.1 ms a
#: cell; of more, all of the map is read: some 20 ms where it is full.
_AT_ONCE: Final = 256
_FEW: Final = 64


def histograms_of(read_octaves: int, groups: int, cells: Iterable[int]) -> list[Histogram]:
    """Return the histograms of cells of a row; raise :class:`OSError`.

    ``read_octaves``: the map's descriptor; ``groups``: of the row's buckets (``RowFigures.groups``)
    those that any of its cells has. A bucket has what was counted modulo 2^32.
    """
    octaves = [at for at in range(OCTAVES) if groups >> 2 * at & 3]  # of two groups each
    found: list[Histogram] = []
    for cell in cells:
        give_way()
        histogram: Histogram = {}
        for octave in octaves:
            key = struct.pack("<I", cell * OCTAVES + octave)
            page = bpf_syscall.map_lookup(read_octaves, key, abi.PAGE.size)
            if page is not None:
                counts = enumerate(abi.PAGE.unpack(page), octave * BUCKETS_PER_OCTAVE)
                histogram.update((bucket, count) for bucket, count in counts if count)
        found.append(histogram)
    return found


def octaves_of_each(read_octaves: int) -> Counter[int]:
    """Return of how many octaves each cell has a histogram, by cell; raise :class:`OSError`."""
    found: Counter[int] = Counter()
    reader = bpf_syscall.BatchReader(read_octaves, 4, abi.PAGE.size, _AT_ONCE)
    for keys, _ in reader.batches():
        give_way()
        found.update(key // OCTAVES for (key,) in struct.iter_unpack("<I", keys))
    return found


def pages_of(
    read_octaves: int, cells: Collection[int] | None
) -> Iterator[tuple[Sequence[int], memoryview]]:
    """Yield histograms as they are in the map; see collect.sums.RowSums.pages.

    Raises :class:`OSError`.
    """
    if cells is not None and len(cells) <= _FEW:
        for cell in cells:
            give_way()
            for octave in range(OCTAVES):
                key = cell * OCTAVES + octave
                page = bpf_syscall.map_lookup(read_octaves, struct.pack("<I", key), abi.PAGE.size)
                if page is not None:
                    yield (key,), memoryview(page)
        return
    reader = bpf_syscall.BatchReader(read_octaves, 4, abi.PAGE.size, _AT_ONCE)
    wanted = None if cells is None else set(cells)
    for some_keys, pages in reader.batches():
        keys = array("I", bytes(some_keys))
        if wanted is None:
            yield keys, pages
            continue
        for at, key in enumerate(keys):
            if key // OCTAVES in wanted:
                yield (key,), pages[at * abi.PAGE.size : (at + 1) * abi.PAGE.size]
