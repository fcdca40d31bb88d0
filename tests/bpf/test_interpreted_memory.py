"""Memory and maps as the interpreter of BPF programs has them."""

from __future__ import annotations

import errno
import struct

import pytest

from httptop.bpf.build.object_file import MapShape
from tests.bpf.interpreter import maps
from tests.bpf.interpreter.assembler import (
    MAP,
    R0,
    R1,
    R2,
    R3,
    R10,
    VALUE,
    add,
    copy,
    helper,
    instruction,
    leave,
    load,
    machine,
    move,
    result,
    store,
    wide,
)
from tests.bpf.interpreter.maps import RingMap, StackMap, make_map
from tests.bpf.interpreter.memory import Fault, Kind, Memory

M64 = (1 << 64) - 1
ARRAY = MapShape("array", maps.ARRAY, 4, 8, 4, 0)
HASH = MapShape("hash", maps.HASH, 8, 8, 2, 0)
RING = MapShape("ring", maps.RING, 0, 0, 4096, 0)


def _read_user(length: int) -> tuple[bytes, ...]:
    """Return: copy from the address in the context to the end of the stack."""
    return (load(R3, R1, 0), copy(R1, R10), add(R1, -length), move(R2, length), helper(112))


def test_copies_of_user_memory_are_counted() -> None:
    found = machine(*_read_user(8), load(R0, R10, -8), leave())
    user = found.memory.add("user", Kind.USER, b"abcdefgh" * 20)
    counts = found.run("main", user.address + 60)
    assert found.result == int.from_bytes(b"efghabcd", "little")
    assert (counts.user_copies, counts.user_bytes, counts.lines) == (1, 8, {"user": 2})
    found.run("main", user.address + 155)  # three bytes are beyond its end
    assert found.result == 0


@pytest.mark.parametrize("kind", [Kind.KERNEL, Kind.VALUE])
def test_memory_of_the_kernel_is_no_user_memory(kind: Kind) -> None:
    found = machine(*_read_user(8), leave())
    region = found.memory.add("other", kind, 64)
    found.run("main", region.address)
    assert found.result == -errno.EFAULT & M64


@pytest.mark.parametrize(
    ("kind", "part", "said"),
    [
        (Kind.USER, load(R0, R1, 0), "a plain load from struct, which is user memory"),
        (Kind.KERNEL, store(R1, 0, R1), "a store to struct, which is kernel memory"),
        (Kind.KERNEL, load(R0, R1, 60), "8 bytes at 60 of the 64 of struct"),
    ],
)
def test_what_programs_must_not_touch(kind: Kind, part: bytes, said: str) -> None:
    found = machine(load(R1, R1, 0), part, leave())
    region = found.memory.add("struct", kind, 64)
    with pytest.raises(Fault, match=said):
        found.run("main", region.address)


def test_a_null_pointer_reads_as_zero() -> None:
    assert result(move(R1, 0), load(R0, R1, 16), leave()) == 0


def _lookup(key: int) -> tuple[bytes, ...]:
    begin = (instruction(0x62, R10, 0, -8, key), instruction(0x62, R10, 0, -4, 0))
    return (*begin, copy(R2, R10), add(R2, -8), wide(R1, 0, MAP, 0), helper(1))


def test_a_value_of_an_array() -> None:
    stored = (move(R1, 9), instruction(0xDB, R0, R1, 0), load(R0, R0, 0))
    found = machine(*_lookup(3), *stored, leave(), shapes=(ARRAY,))
    found.maps["array"].update(struct.pack("<I", 3), struct.pack("<Q", 5))
    counts = found.run("main")
    assert found.result == 14
    assert (counts.calls, counts.inlined) == ({}, {"map_lookup_elem array": 1})
    assert counts.lines == {"array": 1}
    assert result(*_lookup(4), leave(), shapes=(ARRAY,)) == 0
    direct = machine(wide(R1, 0, VALUE, 24), load(R0, R1, 0), leave(), shapes=(ARRAY,))
    direct.maps["array"].update(struct.pack("<I", 3), struct.pack("<Q", 8))
    direct.run("main")
    assert direct.result == 8


def test_a_look_up_in_a_hash_table_is_a_call() -> None:
    found = machine(*_lookup(3), leave(), shapes=(HASH,))
    found.maps["hash"].update(struct.pack("<Q", 3), struct.pack("<Q", 5))
    counts = found.run("main")
    assert found.memory.load(found.result, 8) == 5
    assert counts.calls == {"map_lookup_elem hash": 1}


def test_hash_tables() -> None:
    made = make_map(HASH, Memory())
    keys = [struct.pack("<Q", n) for n in range(4)]
    assert made.update(keys[0], keys[1], maps.EXIST) == -errno.ENOENT
    assert made.update(keys[0], keys[1], maps.NOEXIST) == 0
    assert made.update(keys[0], keys[1], maps.NOEXIST) == -errno.EEXIST
    assert made.update(keys[1], keys[1]) == 0
    assert made.update(keys[2], keys[1]) == -errno.E2BIG
    assert made.delete(keys[0]) == 0
    assert made.delete(keys[0]) == -errno.ENOENT
    assert made.update(keys[2], keys[1]) == 0
    recent = make_map(HASH._replace(kind=maps.LRU_HASH), Memory())
    assert [recent.update(key, key) for key in keys] == [0] * 4
    assert [bool(recent.lookup(key)) for key in keys] == [False, False, True, True]


def test_a_trie_finds_the_longest_prefix() -> None:
    memory = Memory()
    made = make_map(MapShape("trie", maps.TRIE, 8, 8, 8, 0), memory)
    for bits, value in ((8, 1), (20, 2)):
        made.update(struct.pack("<I4B", bits, 10, 1, 0x20, 0), struct.pack("<Q", value))
    found = {last: made.lookup(struct.pack("<I4B", 32, 10, 1, last, 9)) for last in (0x2F, 0x30)}
    assert {last: memory.load(at, 8) for last, at in found.items()} == {0x2F: 2, 0x30: 1}
    assert made.lookup(struct.pack("<I4B", 32, 11, 0, 0, 0)) == 0


@pytest.mark.parametrize(("kind", "order"), [(maps.STACK, [2, 1]), (maps.QUEUE, [1, 2])])
def test_stacks_and_queues(kind: int, order: list[int]) -> None:
    made = make_map(MapShape("numbers", kind, 0, 4, 2, 0), Memory())
    assert isinstance(made, StackMap)
    pushed = [made.push(struct.pack("<I", n)) for n in (1, 2, 3)]
    assert pushed == [0, 0, -errno.E2BIG]
    assert made.peek() == struct.pack("<I", order[0])
    assert [made.pop() for _ in range(3)] == [*(struct.pack("<I", n) for n in order), None]


def test_records_of_a_ring() -> None:
    reserve = (wide(R1, 0, MAP, 0), move(R2, 8), move(R3, 0), helper(131))
    fill = (move(R1, 77), store(R0, 0, R1), copy(R1, R0), move(R2, 0))
    found = machine(*reserve, *fill, helper(132), leave(), shapes=(RING,))
    found.run("main")
    ring = found.maps["ring"]
    assert isinstance(ring, RingMap)
    assert ring.records == [struct.pack("<Q", 77)]
    with pytest.raises(Fault, match="a record that is reserved"):
        machine(*reserve, leave(), shapes=(RING,)).run("main")


def test_a_kind_of_map_that_is_not_simulated() -> None:
    with pytest.raises(Fault, match="the map odd is of kind 99"):
        make_map(MapShape("odd", 99, 4, 4, 1, 0), Memory())
