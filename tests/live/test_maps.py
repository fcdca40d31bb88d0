"""bpf(2) by its number, and what reads maps whole, on real maps of the test's own."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest

from httptop.bpf import abi
from httptop.bpf.map_reader import MapReader
from httptop.bpf.mapped import MappedMap
from httptop.bpf.own_pids import OwnPids
from httptop.collect.measure import Measure
from httptop.linux import bpf_syscall
from tests.live.maps import ARRAY, HASH, MMAPABLE, make_map

pytestmark = pytest.mark.ebpf

SHARDS = 2
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


def test_an_array_is_mapped_as_far_as_it_is_used() -> None:
    array = make_map(ARRAY, 4, 100, 10_000, flags=MMAPABLE)  # each takes 104 bytes
    mapped = MappedMap(array)
    assert len(mapped.up_to(0)) == 16_384
    mapped.up_to(8)[:8] = bytes(range(8))
    assert len(mapped.up_to(16_384)) == 16_384
    assert len(mapped.up_to(16_385)) == 20_480  # a quarter more
    end = 104 * 9_999 + 100
    mapped.up_to(end)[end - 4 : end] = b"last"
    assert mapped.up_to(8)[:8] == bytes(range(8))
    assert bpf_syscall.map_lookup(array, struct.pack("<I", 9_999), 100) == bytes(96) + b"last"
    assert len(mapped.whole()) == 104 * 10_000
    mapped.close()
    mapped.close()
    os.close(array)


@pytest.fixture
def maps() -> Iterator[dict[str, int]]:
    """The maps that are read whole."""
    made = {
        "endpoints": make_map(HASH, abi.ENDPOINT_KEY.size, 4, 64),
        "responses": make_map(HASH, abi.RESPONSE_KEY.size, 4, 64),
        "other_protocols": make_map(HASH, abi.OTHER_PROTOCOL_KEY.size, 8, 64),
        "losses": make_map(ARRAY, 4, abi.LOSSES.size, SHARDS),
    }
    yield made
    for descriptor in made.values():
        os.close(descriptor)


@pytest.fixture
def reader(maps: dict[str, int]) -> MapReader:
    return MapReader(maps, SHARDS, OwnPids({}))


def test_names(maps: dict[str, int], reader: MapReader) -> None:
    key = abi.ENDPOINT_KEY.pack(b"nginx", 1, 1, 1, abi.KEY_TRUNCATED, 33, 8080, b"/a\xff")
    bpf_syscall.map_update(maps["endpoints"], key, struct.pack("<I", 5))
    odd = abi.ENDPOINT_KEY.pack(b"a" * 16, 0, 200, 0, abi.KEY_OWN, 0, 0, b"b" * 96)
    bpf_syscall.map_update(maps["endpoints"], odd, struct.pack("<I", 7))
    for cell, measure in ((6, "latency"), (8, "sending")):
        pair = abi.RESPONSE_KEY.pack(5, 404, abi.MEASURES.index(measure))
        bpf_syscall.map_update(maps["responses"], pair, struct.pack("<I", cell))
    nginx = (1, b"nginx", 1, "GET", b"/a\xff", True, 33, False, 8080)
    own = (0, b"a" * 16, 0, "OTHER", b"b" * 96, False, 0, True, 0)
    assert reader.names([7, 99]) == ({7: own}, {})
    assert reader.names([5]) == ({5: nginx}, {})
    # With the cell of their requests.
    assert reader.names([6]) == ({5: nginx}, {6: (5, 404, Measure.LATENCY)})
    _, responses = reader.names(range(5, 9))
    assert responses == {6: (5, 404, Measure.LATENCY), 8: (5, 404, Measure.SENDING)}


def test_other_protocols(maps: dict[str, int], reader: MapReader) -> None:
    assert reader.other_protocols() == []
    key = abi.OTHER_PROTOCOL_KEY.pack(42, abi.OTHER_PROTOCOLS.index("http2"))
    bpf_syscall.map_update(maps["other_protocols"], key, struct.pack("<Q", 7))
    assert reader.other_protocols() == [(42, "http2", 7)]


def test_losses(maps: dict[str, int], reader: MapReader) -> None:
    for shard in range(SHARDS):
        values = (10**shard * number for number in range(1, 10))
        packed = abi.LOSSES.pack(*values)
        bpf_syscall.map_update(maps["losses"], struct.pack("<I", shard), packed)
    losses, stood_in = reader.losses()
    assert losses == (11, 22, 33, 44, 55, 66, 77, 88)
    assert (losses.missed_calls, stood_in) == (88, 99)
