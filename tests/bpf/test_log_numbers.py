"""The numbers of rows in the log of the window."""

from __future__ import annotations

import mmap
import random
from collections.abc import Iterator

import pytest

from httptop.bpf.log_numbers import LogNumbers
from httptop.collect.window import SLOTS

NUMBERS, ROWS = 64, 20


@pytest.fixture
def rows() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, 8 * NUMBERS) as memory:
        yield memory


def row_of(rows: mmap.mmap, number: int) -> int:
    return int.from_bytes(rows[8 * number : 8 * number + 8], "little")


def test_numbers_follow_the_rows_and_are_free_after_the_window(rows: mmap.mmap) -> None:
    """Against what was logged: each entry is that of the row that stands for its row now."""
    chance = random.Random(7)
    numbers = LogNumbers(rows, ROWS)
    own: dict[int, int] = {}
    logged: list[tuple[int, int, int]] = []  # (slot, number, row that stands for it)
    for slot in range(400):
        numbers.expire(slot - SLOTS + 1)
        logged = [entry for entry in logged if entry[0] > slot - SLOTS]
        for row in chance.sample(range(ROWS), 3):
            if row not in own:
                number = numbers.take(row)
                assert number
                assert number not in {used for _, used, _ in logged}
                own[row] = number
            assert numbers.take(row) is None
            logged.append((slot, own[row], row))
        if slot % 2:
            into, *gone = chance.sample(sorted(own), chance.randint(1, min(3, len(own))))
            for row in gone:
                numbers.merge(row, into, slot)
                del own[row]
                logged = [(at, n, into if of == row else of) for at, n, of in logged]
        assert all(row_of(rows, number) == row for _, number, row in logged)
    numbers.expire(400)
    assert numbers.free == NUMBERS - 1 - len(own)
    numbers.close()


def test_there_may_be_none_left(rows: mmap.mmap) -> None:
    numbers = LogNumbers(rows, NUMBERS)
    assert sorted(numbers.take(row) or 0 for row in range(NUMBERS - 1)) == [*range(1, NUMBERS)]
    assert (numbers.free, numbers.take(NUMBERS - 1)) == (0, None)
    numbers.merge(3, 5, slot=0)
    assert numbers.free == 0
    numbers.expire(1)
    assert numbers.free == 1
    assert numbers.take(3)
    numbers.close()
