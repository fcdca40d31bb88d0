"""bpf(2) by its number, and the reader of the counting maps, on real maps of the test's own."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest

from httptop.bpf import abi
from httptop.bpf.counters import CounterReader
from httptop.collect import histogram
from httptop.collect.measure import Measure
from httptop.linux import bpf_syscall
from tests.live.maps import ARRAY, HASH, QUEUE, make_map, pop, push

pytestmark = pytest.mark.ebpf

SHARDS, CELLS, PAGES = 2, 40, 8
NO_MAP = 99_999


def test_look_up_and_update() -> None:
    made = make_map(HASH, 4, 8, 16)
    assert bpf_syscall.map_lookup(made, b"abcd", 8) is None
    bpf_syscall.map_update(made, b"abcd", b"12345678")
    assert bpf_syscall.map_lookup(made, b"abcd", 8) == b"12345678"
    os.close(made)


def test_a_bad_descriptor() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        bpf_syscall.map_update(NO_MAP, b"abcd", b"x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        bpf_syscall.map_lookup(NO_MAP, b"abcd", 8)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 100, 1000])
def test_read_a_hash_in_batches(count: int) -> None:
    made = make_map(HASH, 4, 8, 1000)
    for number in range(count):
        bpf_syscall.map_update(made, struct.pack("<I", number), struct.pack("<Q", number * 7))
    reader = bpf_syscall.BatchReader(made, 4, 8, batch=4)
    for _ in range(2):
        keys, values = reader.read()
        pairs = zip(struct.iter_unpack("<I", keys), struct.iter_unpack("<Q", values), strict=True)
        assert {key: value for (key,), (value,) in pairs} == {n: n * 7 for n in range(count)}
    os.close(made)


@pytest.mark.parametrize("limit", [1, 9, 10, 11, 99, 100, 500])
def test_read_the_first_of_an_array(limit: int) -> None:
    made = make_map(ARRAY, 4, 8, 100)
    for number in range(100):
        bpf_syscall.map_update(made, struct.pack("<I", number), struct.pack("<Q", number))
    _, values = bpf_syscall.BatchReader(made, 4, 8, batch=10).read(limit)
    assert [value for (value,) in struct.iter_unpack("<Q", values)] == list(range(min(limit, 100)))
    os.close(made)


class Counted:
    """The counting maps, written as the kernel would."""

    def __init__(self) -> None:
        self.maps = {
            "cells": make_map(ARRAY, 4, abi.CELL.size, CELLS * SHARDS),
            "pages": make_map(ARRAY, 4, abi.PAGE.size, PAGES + 1),
            "endpoints": make_map(HASH, abi.ENDPOINT_KEY.size, 4, 64),
            "responses": make_map(HASH, abi.RESPONSE_KEY.size, 4, 64),
            "processes": make_map(HASH, abi.PROCESS_KEY.size, 8, 64),
            "other_protocols": make_map(HASH, abi.OTHER_PROTOCOL_KEY.size, 8, 64),
            "losses": make_map(ARRAY, 4, abi.LOSSES.size, SHARDS),
            "free_cells": make_map(QUEUE, 0, 4, CELLS),
            "free_pages": make_map(QUEUE, 0, 4, PAGES),
        }
        for name, first, end in (("free_cells", 5, CELLS), ("free_pages", 1, PAGES + 1)):
            for number in range(first, end):
                push(self.maps[name], number)
        self.reader = CounterReader(self.maps, SHARDS, CELLS, PAGES)

    def take(self, name: str) -> int:
        """Take the next number out of a pool, as the kernel does."""
        return pop(self.maps[name])

    def cell(
        self, number: int, shard: int, *counters: int, pages: dict[int, int] | None = None
    ) -> None:
        page = [(pages or {}).get(octave, 0) for octave in range(histogram.OCTAVES)]
        value = abi.CELL.pack(*counters, *(0,) * (8 - len(counters)), *page)
        bpf_syscall.map_update(
            self.maps["cells"], struct.pack("<I", number * SHARDS + shard), value
        )

    def page(self, number: int, buckets: dict[int, int]) -> None:
        value = abi.PAGE.pack(*(buckets.get(at, 0) for at in range(32)))
        bpf_syscall.map_update(self.maps["pages"], struct.pack("<I", number), value)

    def close(self) -> None:
        for made in self.maps.values():
            os.close(made)


@pytest.fixture
def counted() -> Iterator[Counted]:
    counted = Counted()
    yield counted
    counted.close()


def test_nothing_has_grown(counted: Counted) -> None:
    assert list(counted.reader.deltas()) == []
    assert list(counted.reader.deltas()) == []


def test_shards_add_up(counted: Counted) -> None:
    assert counted.take("free_cells") == 5
    counted.cell(5, 0, 10, 100, 1000, 400, 1)
    counted.cell(5, 1, 5, 50, 500, 700, 2, 3, 4)
    (delta,) = counted.reader.deltas()
    assert delta[:8] == (5, 15, 150, 1500, 700, 3, 3, 4)
    assert delta.histogram == {}
    assert list(counted.reader.deltas()) == []
    counted.cell(5, 1, 6, 60, 600, 700, 2, 3, 4)
    (delta,) = counted.reader.deltas()
    assert delta[:8] == (5, 1, 10, 100, 700, 0, 0, 0)


def test_the_overflow_cells_are_read(counted: Counted) -> None:
    counted.cell(2, 0, 9)
    (delta,) = counted.reader.deltas()
    assert delta[:2] == (2, 9)


def test_pages_grow_with_their_cell(counted: Counted) -> None:
    cell, page, other = (counted.take(name) for name in ("free_cells", "free_pages", "free_pages"))
    counted.cell(cell, 0, 3, pages={4: page})
    counted.page(page, {0: 1, 31: 2})
    (delta,) = counted.reader.deltas()
    assert delta.histogram == {4 * 32: 1, 4 * 32 + 31: 2}
    counted.cell(cell, 0, 4, pages={4: page})
    counted.cell(cell, 1, 1, pages={4: other})
    counted.page(page, {0: 1, 31: 3})
    counted.page(other, {31: 1})
    (delta,) = counted.reader.deltas()
    assert delta.counted == 2
    assert delta.histogram == {4 * 32 + 31: 2}


def test_a_page_may_be_ahead_of_its_cell(counted: Counted) -> None:
    """A response that comes between the two readings is in the page only."""
    cell, page = counted.take("free_cells"), counted.take("free_pages")
    other = counted.take("free_cells")
    counted.cell(cell, 0, 1, pages={4: page})
    counted.page(page, {0: 1})
    (delta,) = counted.reader.deltas()
    assert (delta.counted, delta.histogram) == (1, {4 * 32: 1})
    counted.page(page, {0: 2})
    counted.cell(other, 0, 1)
    assert [delta.cell for delta in counted.reader.deltas()] == [other]
    counted.cell(cell, 0, 2, pages={4: page})
    (delta,) = counted.reader.deltas()
    assert (delta.counted, delta.histogram) == (1, {4 * 32: 1})


def test_a_bucket_that_goes_round(counted: Counted) -> None:
    cell, page = counted.take("free_cells"), counted.take("free_pages")
    counted.cell(cell, 0, 1, pages={0: page})
    counted.page(page, {7: 0xFFFFFFFF})
    list(counted.reader.deltas())
    counted.cell(cell, 0, 3, pages={0: page})
    counted.page(page, {7: 1})
    (delta,) = counted.reader.deltas()
    assert delta.histogram == {7: 2}


def test_every_cell_in_use(counted: Counted) -> None:
    for number in range(5, CELLS):
        assert counted.take("free_cells") == number
        counted.cell(number, number % SHARDS, number)
    assert {delta.cell: delta.counted for delta in counted.reader.deltas()} == {
        number: number for number in range(5, CELLS)
    }


def test_names(counted: Counted) -> None:
    key = abi.ENDPOINT_KEY.pack(b"nginx", 1, 1, 1, 1, 0, b"/a\xff")
    bpf_syscall.map_update(counted.maps["endpoints"], key, struct.pack("<I", 5))
    odd = abi.ENDPOINT_KEY.pack(b"a" * 16, 0, 200, 0, 0, 0, b"b" * 96)
    bpf_syscall.map_update(counted.maps["endpoints"], odd, struct.pack("<I", 7))
    for cell, measure in ((6, "latency"), (8, "sending")):
        pair = abi.RESPONSE_KEY.pack(5, 404, abi.MEASURES.index(measure))
        bpf_syscall.map_update(counted.maps["responses"], pair, struct.pack("<I", cell))
    endpoints, responses = counted.reader.names()
    assert endpoints == {
        5: (1, b"nginx", 1, "GET", b"/a\xff", True),
        7: (0, b"a" * 16, 0, "OTHER", b"b" * 96, False),
    }
    assert responses == {6: (5, 404, Measure.LATENCY), 8: (5, 404, Measure.SENDING)}


def test_other_protocols(counted: Counted) -> None:
    assert counted.reader.other_protocols() == []
    key = abi.OTHER_PROTOCOL_KEY.pack(42, abi.OTHER_PROTOCOLS.index("http2"))
    bpf_syscall.map_update(counted.maps["other_protocols"], key, struct.pack("<Q", 7))
    assert counted.reader.other_protocols() == [(42, "http2", 7)]


def test_users(counted: Counted) -> None:
    assert counted.reader.processes() is None
    bpf_syscall.map_update(counted.maps["processes"], struct.pack("<II", 5, 42), bytes(8))
    assert counted.reader.processes() == [(5, 42)]
    assert counted.reader.processes() is None


def test_losses(counted: Counted) -> None:
    for shard, values in enumerate(((1, 2, 3, 4, 0, 0, 0, 0), (10, 20, 30, 40, 0, 0, 0, 0))):
        at = struct.pack("<I", shard)
        bpf_syscall.map_update(counted.maps["losses"], at, abi.LOSSES.pack(*values))
    losses, gaps = counted.reader.losses()
    assert (losses[:2], gaps) == ((11, 22), 0)
