"""The reader of ring buffers, on a file that is laid out as the kernel lays out a ring."""

from __future__ import annotations

import itertools
import os
import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.linux.ring_buffer import BUSY, DISCARDED, HEAD, PAGE, RingBuffer

SIZE = 2 * PAGE


class Producer:
    """A ring of SIZE bytes, written as the kernel does; ``position`` is the producer's."""

    def __init__(self, position: int = 0) -> None:
        self.descriptor = os.memfd_create("ring")
        os.truncate(self.descriptor, 2 * PAGE + 2 * SIZE)
        os.pwrite(self.descriptor, struct.pack("Q", position), 0)
        self.position = position
        self._publish()

    @property
    def consumed(self) -> int:
        """The consumer's position."""
        return int(struct.unpack("Q", os.pread(self.descriptor, 8, 0))[0])

    def put(self, data: bytes, flags: int = 0, *, claims: int | None = None) -> int | None:
        """Append a record and return its position; None if there is no room.

        ``claims``: a length that is not that of the data.
        """
        size = HEAD + -(-len(data) // 8) * 8
        if self.position + size - self.consumed > SIZE:
            return None
        at = self.position
        length = len(data) if claims is None else claims
        for step, value in enumerate(struct.pack("<II", length | flags, 0) + data):
            self.poke((at + step) % SIZE, value)
        self.position += size
        self._publish()
        return at

    def flag(self, at: int, data: bytes, flags: int) -> None:
        """Replace the flags of a record at a position."""
        for step, value in enumerate(struct.pack("<I", len(data) | flags)):
            self.poke((at + step) % SIZE, value)

    def poke(self, offset: int, value: int) -> None:
        """Write a byte of the data; it appears twice."""
        for copy in range(2):
            os.pwrite(self.descriptor, bytes([value]), 2 * PAGE + copy * SIZE + offset)

    def claim(self, consumer: int, producer: int) -> None:
        """Set the positions."""
        os.pwrite(self.descriptor, struct.pack("Q", consumer), 0)
        os.pwrite(self.descriptor, struct.pack("Q", producer), PAGE)

    def _publish(self) -> None:
        os.pwrite(self.descriptor, struct.pack("Q", self.position), PAGE)


def mappings(descriptor: int) -> int:
    """Return how many pages of the file this process has mapped."""
    inode = str(os.fstat(descriptor).st_ino)
    with open("/proc/self/maps") as file:
        spans = [line.split()[0].split("-") for line in file if line.split()[4] == inode]
    return sum(int(end, 16) - int(begin, 16) for begin, end in spans) // PAGE


@pytest.fixture
def producer() -> Iterator[Producer]:
    made = Producer()
    yield made
    os.close(made.descriptor)


@pytest.fixture
def ring(producer: Producer) -> Iterator[RingBuffer]:
    made = RingBuffer(producer.descriptor, SIZE)
    yield made
    made.close()


def read(ring: RingBuffer, most: int | None = None) -> list[bytes]:
    taken: list[bytes] = []
    assert ring.consume(lambda record: taken.append(bytes(record)), most) == len(taken)
    return taken


def test_records_come_once_and_in_order(producer: Producer, ring: RingBuffer) -> None:
    assert read(ring) == []
    sent = [b"", b"a", b"eight888", b"x" * 700]
    for data in sent:
        producer.put(data)
    assert read(ring) == sent
    assert read(ring) == []
    assert producer.consumed == producer.position


def test_at_most_so_many(producer: Producer, ring: RingBuffer) -> None:
    for number in range(5):
        producer.put(bytes([number]))
    assert [len(read(ring, most)) for most in (0, 2, 2, 2)] == [0, 2, 2, 1]


def test_what_was_given_up_is_skipped_and_what_is_being_written_is_awaited(
    producer: Producer, ring: RingBuffer
) -> None:
    producer.put(b"one")
    producer.put(b"given up", DISCARDED)
    at = producer.put(b"two", BUSY)
    producer.put(b"three")
    assert at is not None
    assert read(ring) == [b"one"]
    assert read(ring) == []
    assert producer.consumed == at
    producer.flag(at, b"two", 0)
    assert read(ring) == [b"two", b"three"]


def test_the_ring_is_full_until_records_are_taken(producer: Producer, ring: RingBuffer) -> None:
    data = b"x" * 1000
    assert len(list(iter(lambda: producer.put(data), None))) == SIZE // 1008
    assert len(read(ring, 1)) == 1
    assert producer.put(data) is not None
    assert producer.put(data) is None


def test_pages_of_records_are_mapped_only_while_they_are_read(
    producer: Producer, ring: RingBuffer
) -> None:
    assert mappings(producer.descriptor) == 2
    producer.put(b"x" * 5000)
    seen: list[int] = []
    ring.consume(lambda _: seen.append(mappings(producer.descriptor)))
    assert seen == [4]
    assert mappings(producer.descriptor) == 2
    ring.close()
    ring.close()
    assert mappings(producer.descriptor) == 0


def test_a_record_is_consumed_although_it_is_refused(producer: Producer, ring: RingBuffer) -> None:
    producer.put(b"one")
    producer.put(b"two")

    def refuse(_: memoryview) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ring.consume(refuse)
    assert read(ring) == [b"two"]


records = st.lists(
    st.tuples(st.binary(max_size=900), st.sampled_from((0, 0, 0, DISCARDED))), max_size=40
)


@given(records, st.integers(0, 2**20), st.randoms())
def test_all_that_found_room_comes_out(
    sent: list[tuple[bytes, int]], position: int, chance: random.Random
) -> None:
    producer = Producer(8 * position)
    ring = RingBuffer(producer.descriptor, SIZE)
    stored, taken = [], []
    for data, flags in sent:
        if producer.put(data, flags) is not None and not flags:
            stored.append(data)
        if chance.random() < 0.2:
            taken += read(ring, chance.choice((None, 1, 3)))
    assert taken + read(ring) == stored
    ring.close()
    os.close(producer.descriptor)


@pytest.mark.parametrize(
    ("consumer", "producer_at"),
    [(8, 0), (0, SIZE + 8), (0, 2**64 - 8), (2**64 - 8, 0), (4, 16), (2**63, 2**63 + 2**40)],
)
def test_positions_that_cannot_be(
    producer: Producer, ring: RingBuffer, consumer: int, producer_at: int
) -> None:
    producer.claim(consumer, producer_at)
    with pytest.raises(RuntimeError, match="claims to hold"):
        read(ring)


@pytest.mark.parametrize("claims", [9, 16, SIZE, DISCARDED - 1])
@pytest.mark.parametrize("flags", [0, DISCARDED])
def test_lengths_that_cannot_be(
    producer: Producer, ring: RingBuffer, claims: int, flags: int
) -> None:
    producer.put(b"first")
    producer.put(b"12345678", flags, claims=claims)
    with pytest.raises(RuntimeError, match="does not fit"):
        read(ring)


@given(st.binary(min_size=64, max_size=64), st.integers(0, 2**64 - 1), st.integers(0, SIZE + 16))
def test_no_contents_lead_out_of_the_ring(noise: bytes, consumer: int, held: int) -> None:
    producer = Producer()
    for offset, value in zip(range(SIZE), itertools.cycle(noise), strict=False):
        if offset % 512 < 64:
            producer.poke(offset, value)
    producer.claim(consumer, (consumer + held) % 2**64)
    ring = RingBuffer(producer.descriptor, SIZE)
    try:
        taken = read(ring)
    except RuntimeError:
        taken = []
    assert sum(HEAD + len(record) for record in taken) <= SIZE
    ring.close()
    os.close(producer.descriptor)
