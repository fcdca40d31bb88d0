"""What parties have had, as the kernel's counters say it."""

from __future__ import annotations

from httptop.bpf import abi
from httptop.bpf.parties import KernelFigures
from httptop.collect.party_figures import NO_FIGURES, PartyFigures

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
    assert few.of(4) == few.of(10) == whole.of(10) == NO_FIGURES


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


def test_columns_are_the_figures_of_all() -> None:
    whole = KernelFigures(b"".join(map(counts, range(10))), SIZE)
    few = KernelFigures(counts(7) + counts(3), SIZE, {7: 0, 3: 1})
    for figures in (whole, few, KernelFigures(b"", SIZE)):
        for end in (0, 8, 12):
            columns = figures.columns(end)
            assert all(len(column) == end for column in columns)
            for number in range(end):
                assert PartyFigures(*(column[number] for column in columns)) == figures.of(number)


def test_figures_are_packed_where_they_are_many() -> None:
    many = KernelFigures(b"".join(map(counts, range(2000))), SIZE)
    packed = many.packed()
    assert packed is not None
    assert packed is not many
    assert packed is many.packed()
    assert packed.columns(2000) == many.columns(2000)
    assert packed.of(7) == many.of(7)
    assert packed.changed(many, [1, 2]) == []
    few = KernelFigures(counts(1), SIZE)
    assert few.packed() is few
    assert KernelFigures(bytes(2 << 20), SIZE).packed() is None
