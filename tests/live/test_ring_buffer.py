"""The reader of ring buffers, on one that the kernel fills."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from collections.abc import Iterator

import pytest

from httptop.linux import bpf_syscall
from httptop.linux.ring_buffer import PAGE, RingBuffer

pytestmark = pytest.mark.ebpf

_SOCKET_FILTER, _RINGBUF = 1, 27
#: A record of the program below: twice the time, and its head.
_RECORD = 24


def program(ring: int) -> int:
    """Load a program that puts twice the time into a ring and returns whether it had no room."""

    def code(operation: int, registers: int, offset: int = 0, number: int = 0) -> bytes:
        return struct.pack("<BBhi", operation, registers, offset, number)

    text = b"".join(
        (
            code(0x85, 0, 0, 5),  # r0 = bpf_ktime_get_ns()
            code(0x7B, 0x0A, -16),  # *(r10 - 16) = r0
            code(0x7B, 0x0A, -8),
            code(0x18, 0x11, 0, ring),  # r1 = the map
            code(0, 0),
            code(0xBF, 0xA2),  # r2 = r10 - 16
            code(0x07, 0x02, 0, -16),
            code(0xB7, 0x03, 0, 16),  # r3 = 16
            code(0xB7, 0x04),  # r4 = 0
            code(0x85, 0, 0, 130),  # r0 = bpf_ringbuf_output(r1, r2, r3, r4)
            code(0x95, 0),
        )
    )
    held = ctypes.create_string_buffer(text, len(text))
    return bpf_syscall.prog_load(
        _SOCKET_FILTER, ctypes.addressof(held), len(text) // 8, "test_ring"
    )


@pytest.fixture
def ring() -> Iterator[int]:
    descriptor = bpf_syscall.map_create("test_ring", _RINGBUF, 0, 0, PAGE, 0)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def run(ring: int) -> Iterator[int]:
    descriptor = program(ring)
    yield descriptor
    os.close(descriptor)


def puts(run: int, times: int) -> int:
    """Run the program so many times; return how often it had room."""
    return sum(bpf_syscall.run_program(run, bytes(64)) == 0 for _ in range(times))


def test_every_record_that_found_room_comes_out_in_order(ring: int, run: int) -> None:
    reader = RingBuffer.of_map(ring)
    room = PAGE // _RECORD
    taken: list[tuple[int, int]] = []

    def take(record: memoryview) -> None:
        taken.append(struct.unpack("QQ", record))

    assert puts(run, 200) == room
    assert reader.consume(take, 100) == 100
    assert puts(run, 200) == 100
    assert reader.consume(take) == room
    stored = room + 100
    for _ in range(50):  # around the ring's end many times
        stored += puts(run, 61)
        reader.consume(take)
    assert stored == room + 100 + 50 * 61 == len(taken)
    assert all(first == second for first, second in taken)
    assert taken == sorted(taken)
    reader.close()


def test_the_descriptor_is_readable_while_there_are_records(ring: int, run: int) -> None:
    reader = RingBuffer.of_map(ring)
    waiting = select.poll()
    waiting.register(ring, select.POLLIN)
    for _ in range(3):
        assert not waiting.poll(0)
        assert puts(run, 2) == 2
        assert waiting.poll(0)
        reader.consume(lambda _: None, 1)
        assert waiting.poll(0)
        reader.consume(lambda _: None)
    reader.close()
