"""What parties have had, as the kernel's counters say it."""

from __future__ import annotations

from httptop.bpf import abi
from httptop.bpf.parties import KernelFigures
from httptop.collect.parties import PartyFigures

SHARDS = 2
SIZE = SHARDS * abi.PARTY_COUNTS.size


def counts(answered: int) -> bytes:
    one = abi.PARTY_COUNTS.pack(answered, 1000 * answered, 1, 2, 0, 3, 0)
    return one * SHARDS


def test_those_of_few_are_those_of_all() -> None:
    whole = KernelFigures(b"".join(map(counts, range(10))), SIZE)
    few = KernelFigures(counts(7) + counts(3), SIZE, {7: 0, 3: 1})
    assert few.of(7) == whole.of(7) == PartyFigures(20, 8, 14, 14_000, 3071)
    assert few.of(3) == whole.of(3)
    assert few.of(4) == few.of(10) == whole.of(10) == PartyFigures(0, 0, 0, 0, 0)


def test_what_has_changed() -> None:
    before = KernelFigures(b"".join(map(counts, range(10))), SIZE)
    for now in (
        KernelFigures(b"".join(map(counts, (0, 1, 2, 9, 4))), SIZE),
        KernelFigures(counts(9) + counts(4), SIZE, {3: 0, 4: 1}),
    ):
        assert now.changed(before, [3, 4]) == [3]
        assert before.changed(now, [4, 3]) == [3]
        assert now.changed(now, [3, 4]) == []
    few = KernelFigures(counts(9), SIZE, {3: 0})
    assert few.changed(KernelFigures(b"", SIZE, {}), [3, 4]) == [3]
