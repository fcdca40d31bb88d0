"""Requests that the probes' maps count although nobody made them, as the programs would.

So a reading and a tick can be measured with thousands of active endpoints: the maps are those of
loaded probes that are not attached.
"""

from __future__ import annotations

import ctypes
import random
import struct
from collections.abc import Mapping
from typing import Final

from httptop.bpf import abi
from httptop.collect.histogram import BUCKETS_PER_OCTAVE, OCTAVES, bucket_of
from httptop.linux import bpf_syscall

_LOOKUP_AND_DELETE, _UPDATE_BATCH = 21, 26
_LATENCY: Final = abi.MEASURES.index("latency")
_GET: Final = abi.METHODS.index("GET")
#: Endpoints of a process.
_EACH: Final = 500


class CountedRequests:
    """Endpoints with one status each, and what the maps count of them."""

    def __init__(self, maps: Mapping[str, int], shards: int, endpoints: int) -> None:
        """Register the endpoints in the maps of probes; raises OSError."""
        self._maps, self._shards = maps, shards
        self._random = random.Random(1)
        self._cells = bytearray()
        self._pages = bytearray(abi.PAGE.size)
        #: (cell of requests, cell of responses) of each endpoint.
        self._numbers = [
            (self._endpoint(number), self._take("free_cells")) for number in range(endpoints)
        ]
        for requests, responses in self._numbers:
            key = abi.RESPONSE_KEY.pack(requests, 200, _LATENCY)
            bpf_syscall.map_update(maps["responses"], key, struct.pack("<I", responses))
        used = self._numbers[-1][1] + 1
        self._cells.extend(bytes(used * shards * abi.CELL.size))

    def _endpoint(self, number: int) -> int:
        cell = self._take("free_cells")
        process, path = b"worker-%d" % (number // _EACH), b"/service/resource-%d" % number
        key = abi.ENDPOINT_KEY.pack(process, 0, _GET, 1, 0, 0, 80, path)
        bpf_syscall.map_update(self._maps["endpoints"], key, struct.pack("<I", cell))
        return cell

    def _take(self, pool: str) -> int:
        """Take the next number out of a pool, as a program does."""
        value = ctypes.create_string_buffer(4)
        attr = struct.pack("<IIQQQ", self._maps[pool], 0, 0, ctypes.addressof(value), 0)
        bpf_syscall.bpf(_LOOKUP_AND_DELETE, bytearray(attr))
        return int.from_bytes(value.raw, "little")

    def grow(self, requests: int) -> None:
        """Count so many more requests of each endpoint; raises OSError.

        Latencies are log-normal around a median of each endpoint: most within 1.4 times.
        """
        dice = self._random
        for number, (request_cell, response_cell) in enumerate(self._numbers):
            median_ns = 100_000 * (1 + number % 64)
            for _ in range(requests):
                shard = dice.randrange(self._shards)
                latency_ns = int(median_ns * dice.lognormvariate(0, 0.2))
                self._count(request_cell, shard, 80, None)
                self._count(response_cell, shard, 1000, latency_ns)
        self._write("cells", self._cells, abi.CELL.size)
        self._write("pages", self._pages, abi.PAGE.size)

    def _count(self, cell: int, shard: int, size: int, latency_ns: int | None) -> None:
        at = (cell * self._shards + shard) * abi.CELL.size
        count, total, spent_ns, max_ns = struct.unpack_from("<4Q", self._cells, at)
        if latency_ns is not None:
            spent_ns, max_ns = spent_ns + latency_ns, max(max_ns, latency_ns)
            octave, bucket = divmod(bucket_of(latency_ns), BUCKETS_PER_OCTAVE)
            page_at = at + abi.CELL.size - 2 * OCTAVES + 2 * octave
            (page,) = struct.unpack_from("<H", self._cells, page_at)
            if not page:
                page = self._take("free_pages")
                struct.pack_into("<H", self._cells, page_at, page)
                self._pages.extend(bytes((page + 1) * abi.PAGE.size - len(self._pages)))
            bucket_at = page * abi.PAGE.size + 4 * bucket
            (times,) = struct.unpack_from("<I", self._pages, bucket_at)
            struct.pack_into("<I", self._pages, bucket_at, times + 1)
        struct.pack_into("<4Q", self._cells, at, count + 1, total + size, spent_ns, max_ns)

    def _write(self, name: str, values: bytearray, length: int) -> None:
        count = len(values) // length
        keys = (ctypes.c_uint32 * count)(*range(count))
        held = (ctypes.c_char * len(values)).from_buffer(values)
        attr = struct.pack(
            "<QQQQIIQQ",
            0, 0, ctypes.addressof(keys), ctypes.addressof(held), count, self._maps[name], 0, 0,
        )  # fmt: skip
        bpf_syscall.bpf(_UPDATE_BATCH, bytearray(attr))
