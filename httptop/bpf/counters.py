"""Read the maps that count, and compare them with the last reading."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from httptop.bpf import abi
from httptop.bpf.abi import CELL, PAGE
from httptop.collect.histogram import BUCKETS_PER_OCTAVE
from httptop.collect.measure import Measure
from httptop.collect.source import CellDelta, Losses, RawEndpoint, RawResponse
from httptop.linux import bpf_syscall

_COUNTERS: Final = struct.Struct("<8Q")


class CounterReader:
    """Keeps the last reading of cells and pages; :meth:`deltas` compares it with a new one.

    Cells and pages are allocated in ascending order, so their pools tell how far to read. For the
    collector's thread alone; every method raises :class:`OSError` if the kernel refuses.
    """

    def __init__(self, maps: dict[str, int], shards: int, max_cells: int, max_pages: int) -> None:
        self._maps, self._shards = maps, shards
        self._max_cells, self._max_pages = max_cells, max_pages
        self._cell_reader = bpf_syscall.BatchReader(maps["cells"], 4, CELL.size)
        self._page_reader = bpf_syscall.BatchReader(maps["pages"], 4, PAGE.size)
        self._endpoint_reader = bpf_syscall.BatchReader(
            maps["endpoints"], abi.ENDPOINT_KEY.size, 4, 1024
        )
        self._response_reader = bpf_syscall.BatchReader(
            maps["responses"], abi.RESPONSE_KEY.size, 4, 1024
        )
        self._process_reader = bpf_syscall.BatchReader(
            maps["processes"], abi.PROCESS_KEY.size, 8, 1024
        )
        self._other_reader = bpf_syscall.BatchReader(
            maps["other_protocols"], abi.OTHER_PROTOCOL_KEY.size, 8, 256
        )
        self._cells = b""
        self._pages = bytearray()
        self._processes = b""
        self._used_cells = abi.FIRST_FREE_CELL
        self._used_pages = 1

    def deltas(self) -> list[CellDelta]:
        """Return what has been added to cells since the last call; cells unchanged are left out."""
        # Cells first: a page number seen in a cell is then surely among the pages read after it.
        self._used_cells = self._used("free_cells", self._used_cells, self._max_cells)
        _, cells = self._cell_reader.read(self._used_cells * self._shards)
        if cells == self._cells:
            return []
        self._used_pages = self._used("free_pages", self._used_pages, self._max_pages + 1)
        _, pages = self._page_reader.read(self._used_pages)
        self._pages.extend(bytes(len(pages) - len(self._pages)))
        found = list(self._compare(cells, pages))
        self._cells = cells
        return found

    def _used(self, pool: str, known: int, most: int) -> int:
        """Return how many entries may be in use: the pool's next number, all if it is empty."""
        value = bpf_syscall.map_lookup(self._maps[pool], b"", 4)
        return most if value is None else max(known, int.from_bytes(value, "little"))

    def _compare(self, cells: bytes, pages: bytes) -> Iterator[CellDelta]:
        width = CELL.size * self._shards
        new, old = memoryview(cells), memoryview(self._cells)
        known = len(old)
        block = width * 64
        blank = bytes(width)
        for start in range(0, len(new), block):
            if new[start : start + block] == old[start : start + block]:
                continue
            for at in range(start, min(start + block, len(new)), width):
                if at < known:
                    if new[at : at + width] == old[at : at + width]:
                        continue
                elif new[at : at + width] == blank:
                    continue
                yield self._delta(at // width, new, old, at, pages)

    def _delta(
        self, cell: int, new: memoryview, old: memoryview, at: int, pages: bytes
    ) -> CellDelta:
        totals = [0] * 8
        histogram: dict[int, int] = {}
        largest = 0
        for shard_at in range(at, at + CELL.size * self._shards, CELL.size):
            now = CELL.unpack_from(new, shard_at)
            if shard_at < len(old):
                if new[shard_at : shard_at + CELL.size] == old[shard_at : shard_at + CELL.size]:
                    largest = max(largest, now[3])
                    continue
                before = _COUNTERS.unpack_from(old, shard_at)
                for field in (0, 1, 2, 4, 5, 6):
                    totals[field] += now[field] - before[field]
            else:
                for field in (0, 1, 2, 4, 5, 6):
                    totals[field] += now[field]
            largest = max(largest, now[3])
            for octave, page in enumerate(now[abi.CELL_PAGES :]):
                if page:
                    first = octave * BUCKETS_PER_OCTAVE
                    self._add_page_delta(page * PAGE.size, first, pages, histogram)
        count, size, sum_ns, _, unanswered, unmeasured, moved, _ = totals
        return CellDelta(
            cell, count, size, sum_ns, largest, unanswered, unmeasured, moved, histogram
        )

    def _add_page_delta(self, at: int, first: int, pages: bytes, into: dict[int, int]) -> None:
        """Add what has been added to a page of a cell that has changed; remember the page.

        Other pages stay as they were read: one may be ahead of its cell, which was read before.
        """
        end = at + PAGE.size
        if end > len(pages):  # allocated after the pages were read; it shows in the next reading
            return
        if pages[at:end] == self._pages[at:end]:
            return
        now, before = PAGE.unpack_from(pages, at), PAGE.unpack_from(self._pages, at)
        self._pages[at:end] = pages[at:end]
        for bucket in range(BUCKETS_PER_OCTAVE):
            if now[bucket] != before[bucket]:
                # A bucket has 32 bits and may have wrapped around.
                more = now[bucket] - before[bucket] & 0xFFFFFFFF
                into[first + bucket] = into.get(first + bucket, 0) + more

    def names(self) -> tuple[dict[int, RawEndpoint], dict[int, RawResponse]]:
        """Return what every cell counts: those of endpoints, those of responses."""
        keys, values = self._endpoint_reader.read()
        endpoints = {}
        cells = struct.iter_unpack("<I", values)
        for (cell,), key in zip(cells, abi.ENDPOINT_KEY.iter_unpack(keys), strict=True):
            comm, side, method, minor, truncated, _, path = key
            name = abi.METHODS[method] if method < len(abi.METHODS) else "OTHER"
            endpoints[cell] = RawEndpoint(
                side & 1, comm.split(b"\0")[0], minor, name, path.rstrip(b"\0"), bool(truncated)
            )
        keys, values = self._response_reader.read()
        cells = struct.iter_unpack("<I", values)
        responses = {}
        for (cell,), key in zip(cells, abi.RESPONSE_KEY.iter_unpack(keys), strict=True):
            endpoint, status, measure = key
            responses[cell] = RawResponse(endpoint, status, Measure(abi.MEASURES[measure]))
        return endpoints, responses

    def processes(self) -> list[tuple[int, int]] | None:
        """Return all (endpoint's cell, pid) pairs; None if they have not changed."""
        keys, _ = self._process_reader.read()
        if keys == self._processes:
            return None
        self._processes = keys
        return list(abi.PROCESS_KEY.iter_unpack(keys))

    def other_protocols(self) -> list[tuple[int, str, int]]:
        """Return (pid, protocol, connections since start whose first bytes were of it)."""
        keys, values = self._other_reader.read()
        counts = struct.iter_unpack("<Q", values)
        return [
            (pid, abi.OTHER_PROTOCOLS[kind], count)
            for (pid, kind), (count,) in zip(
                abi.OTHER_PROTOCOL_KEY.iter_unpack(keys), counts, strict=True
            )
        ]

    def losses(self) -> tuple[Losses, int]:
        """Return what was missed since start, except for missed calls, and how often a
        program stood in for another (hooks.h).
        """
        _, values = bpf_syscall.BatchReader(
            self._maps["losses"], 4, abi.LOSSES.size, self._shards
        ).read(self._shards)
        sums = [sum(column) for column in zip(*abi.LOSSES.iter_unpack(values), strict=True)]
        return Losses(*sums[:7]), sums[7]
