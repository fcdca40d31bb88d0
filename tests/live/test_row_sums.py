"""The kernel adds up what cells count as plain Python does, whatever they count and when."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import struct
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from httptop.bpf import abi
from httptop.bpf.build import loader, variants
from httptop.bpf.build.program import load
from httptop.bpf.plan import plan_of
from httptop.bpf.row_sums import KernelSums
from httptop.collect.histogram import BUCKETS_PER_OCTAVE, OCTAVES
from httptop.collect.measure import Measure
from httptop.collect.source import LEFT_OUT
from httptop.collect.sums import (
    CELL,
    FIRST_ROW,
    ROW,
    ROW_TIME,
    SIDE_ROWS,
    TIMES,
    Answered,
    CellUse,
    RowFigures,
    RowSums,
    Slots,
    Sums,
    TimeFigures,
)
from httptop.collect.window import SLOTS
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from httptop.linux import bpf_syscall, stretches
from httptop.linux.cpus import possible_cpus
from tests.collect.reference_sums import CellDelta, ReferenceSums, ending
from tests.live.pool import cached

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("row sums")]

_LOOKUP_AND_DELETE, _UPDATE_BATCH = 21, 26
#: Figures that are the kernel's own.
_OWN = {"groups": 0, "tick": 0, "changed": 0, "log_number": 0}


class Loaded:
    """The maps and the programs that add up, of probes whose other programs are not loaded."""

    def __init__(self, *, loops: bool) -> None:
        plan = cached(plan_of(DEFAULTS, Scope(), possible_cpus()))
        self.shards = plan.sizes["SHARDS"]
        planned = json.loads(plan.to_json())
        kernel = loader.layout(planned)
        variant = next(
            found
            for found in variants.variants(kernel, front="syscalls", loops=loops)
            if found.loops == loops
        )
        self._probes = loader.with_maps(loader.compiled(planned, kernel, variant), planned)
        self.maps = self._probes.maps
        self.programs = {
            name: load(
                loader.program_of(name, self._probes.instructions, planned), name,
                variants.kind_of(name, variant), variants.calls_of(kernel),
            )
            for name in variants.SUMS
        }  # fmt: skip
        self.sums = KernelSums(self.maps, self.programs, loops=loops)

    def close(self) -> None:
        self.sums.close()
        self._probes.close()
        for program in self.programs.values():
            os.close(program)


class Cells:
    """Cells that count in the maps of probes, which are not attached; and their deltas."""

    def __init__(self, loaded: Loaded, seed: int = 1) -> None:
        self.maps, self.shards, self.dice = loaded.maps, loaded.shards, random.Random(seed)
        self._cells: dict[tuple[int, int], list[int]] = {}
        self._pages: dict[int, list[int]] = {}
        self._maxima: dict[int, int] = {}

    def take(self, pool: str) -> int | None:
        """Take the next number out of a pool, as a program does."""
        value = ctypes.create_string_buffer(4)
        attr = struct.pack("<IIQQQ", self.maps[pool], 0, 0, ctypes.addressof(value), 0)
        try:
            bpf_syscall.bpf(_LOOKUP_AND_DELETE, bytearray(attr))
        except FileNotFoundError:
            return None
        return int.from_bytes(value.raw, "little")

    def count(
        self, cell: int, *, times: Sequence[int] = (), rest: Sequence[int] = (), **counters: int
    ) -> CellDelta:
        """Have a cell count on some shard: times (ns) in its histogram, and counters by name.

        ``rest``: responses without a cell of their own, by class.
        """
        dice = self.dice
        found = dict.fromkeys(("count", "bytes", "unanswered", "unmeasured", "moved"), 0) | counters
        histogram: dict[int, int] = {}
        sum_ns = 0
        for time_ns in times:
            values = self._of(cell, dice.randrange(self.shards))
            values[2] += time_ns
            sum_ns += time_ns
            values[3] = max(values[3], time_ns)
            self._maxima[cell] = max(self._maxima.get(cell, 0), time_ns)
            bucket = self._place(values, time_ns)
            histogram[bucket] = histogram.get(bucket, 0) + 1
        values = self._of(cell, dice.randrange(self.shards))
        for name, at in (
            ("count", 0), ("bytes", 1), ("unanswered", 4), ("unmeasured", 5), ("moved", 7),
        ):  # fmt: skip
            values[at] += found[name]
        for hundreds, count in enumerate((*rest, 30 * len(rest))):  # numbers of 64 bits; then bytes
            values[5] += count if hundreds < len(rest) else 0
            values[abi.CELL_PAGES + 4 * hundreds] += count
        return CellDelta(
            cell, found["count"], found["bytes"], sum_ns, self._maxima.get(cell, 0),
            found["unanswered"], found["unmeasured"], found["moved"], histogram, tuple(rest),
            30 * len(rest),
        )  # fmt: skip

    def _of(self, cell: int, shard: int) -> list[int]:
        return self._cells.setdefault((cell, shard), [0] * (abi.CELL_PAGES + OCTAVES))

    def _place(self, values: list[int], time_ns: int) -> int:
        octave = max(0, min(time_ns.bit_length() - 10, OCTAVES - 1))
        step = time_ns >> octave + 4 & BUCKETS_PER_OCTAVE - 1
        page = values[abi.CELL_PAGES + octave]
        if not page:
            page = self.take("free_pages") or 0
            assert page
            values[abi.CELL_PAGES + octave] = page
            self._pages[page] = [0] * BUCKETS_PER_OCTAVE
        self._pages[page][step] = self._pages[page][step] + 1 & 0xFFFFFFFF
        return octave * BUCKETS_PER_OCTAVE + step

    def fill(self, page: int, times: int) -> None:
        """Have each bucket of a page have so many times, which belong to nobody."""
        self._pages[page] = [times] * BUCKETS_PER_OCTAVE

    def write(self) -> None:
        """Write all to the maps."""
        _write(self.maps["pages"], self._pages, abi.PAGE)
        by_number = {
            cell * self.shards + shard: value for (cell, shard), value in self._cells.items()
        }
        _write(self.maps["cells"], by_number, abi.CELL)


def _write(map_fd: int, values: dict[int, list[int]], layout: struct.Struct) -> None:
    if not values:
        return
    keys = (ctypes.c_uint32 * len(values))(*values)
    packed = b"".join(layout.pack(*value) for value in values.values())
    held = ctypes.create_string_buffer(packed, len(packed))
    attr = struct.pack(
        "<QQQQIIQQ",
        0, 0, ctypes.addressof(keys), ctypes.addressof(held), len(values), map_fd, 0, 0,
    )  # fmt: skip
    bpf_syscall.bpf(_UPDATE_BATCH, bytearray(attr))


@pytest.fixture
def loaded() -> Iterator[Loaded]:
    made = Loaded(loops=True)
    yield made
    made.close()


def assert_same(found: Sums, wanted: Sums, rows: int) -> None:
    for number in range(rows):
        one, other = (
            RowFigures(*ROW.unpack_from(sums.rows, number * ROW.size))._replace(**_OWN)
            for sums in (found, wanted)
        )
        if number in SIDE_ROWS:  # these have no histogram
            kept = ("requests", "open", "unanswered", "request_bytes", "response_bytes",
                    "latency_sum_ns", "latency_max_ns", "window_requests", "window_errors",
                    "window_sum_ns")  # fmt: skip
            assert [getattr(one, name) for name in kept] == [
                getattr(other, name) for name in kept
            ], number
            continue
        for name in ("total", "window"):
            if not getattr(other, f"{name}_count"):  # then they mean nothing
                one = one._replace(**{key: 0 for key in one._fields if key.startswith(f"{name}_p")})
        assert one == other, f"row {number}"
        for at, measure in enumerate(TIMES):
            if measure is Measure.HANDLING or not other.measures >> at + 1 & 1:
                continue
            offset = (number * len(TIMES) + at) * ROW_TIME.size
            times = [
                TimeFigures(*ROW_TIME.unpack_from(sums.times, offset))._replace(groups=0)
                for sums in (found, wanted)
            ]
            if times[1].measured:
                assert times[0] == times[1], f"row {number}, {measure}"
            else:
                assert times[0][:3] == times[1][:3], f"row {number}, {measure}"
    counts = [_counts(sums.cells) for sums in (found, wanted)]
    length = min(map(len, counts))
    assert counts[0][:length] == counts[1][:length]
    assert not any(counts[0][length:])
    assert not any(counts[1][length:])
    assert found.sides == wanted.sides
    assert found.kept == wanted.kept
    assert found.unmeasured == wanted.unmeasured


def _counts(cells: bytes) -> list[int]:
    """Return how many requests or responses each cell has counted."""
    return [count for count, *_ in CELL.iter_unpack(cells)]


#: What the cells of an endpoint are for; the last ones are out of scope.
MEASURES = (None, *Measure, Measure.LATENCY, Measure.LATENCY, Measure.WAIT)
STATUSES = (0, 200, 200, 200, 200, 200, 404, LEFT_OUT, 999)


class Twins:
    """The sums that the kernel keeps and those of the reference, which get the same."""

    def __init__(self, loaded: Loaded, seed: int) -> None:
        self.cells, self.dice = Cells(loaded, seed), random.Random(seed)
        self.sums = loaded.sums
        self.both: tuple[RowSums, RowSums] = (loaded.sums, ReferenceSums(loaded.sums.most_rows))
        self.endpoints = [[self.cells.take("free_cells") or 0 for _ in MEASURES] for _ in range(12)]
        self.rows = FIRST_ROW + len(self.endpoints)
        self.uses: dict[int, CellUse | None] = {}
        for number, made in enumerate(self.endpoints):
            for at, cell in enumerate(made):
                in_scope = at < len(MEASURES) - 2
                use = CellUse(FIRST_ROW + number, number % 2, MEASURES[at], STATUSES[at], in_scope)
                nothing = number == 11 or at == len(MEASURES) - 1
                self.uses[cell] = None if nothing else use
        self.told: set[int] = set()
        self.merged: set[int] = set()  # rows, until they are used again
        self.tick = 0
        self.slots = Slots(0, (0,))

    def count(self) -> None:
        """Have some cells count, and add that."""
        kernel, reference = self.both
        deltas = []
        for made in self.dice.sample(self.endpoints, self.dice.randrange(len(self.endpoints))):
            deltas += _some(self.cells, made)
        self.cells.write()
        assert isinstance(reference, ReferenceSums)
        reference.feed(deltas)
        last = self.slots.last + self.dice.choice((0, 0, 1, 3, SLOTS + 1))
        first = max(self.slots.kept, last - self.dice.choice((0, SLOTS, SLOTS, 3 * SLOTS)))
        kept = max(self.slots.kept, min(first, last - 3 * SLOTS))
        self.slots = Slots(first, (kept, first, last))
        unknown = set(kernel.add(self.tick, self.slots))
        assert unknown == set(reference.add(self.tick, self.slots))
        for cell in unknown:
            kernel.use(cell, self.uses[cell])
            reference.use(cell, self.uses[cell])
        self.told |= unknown
        assert not kernel.add(self.tick, self.slots)
        reference.add(self.tick, self.slots)
        assert sorted(kernel.take_rest()) == reference.take_rest()

    def keep(self) -> None:
        """Pick other cells, or others as well; now and then begin anew."""
        cells = [cell for cell in self.told if self.uses[cell] is not None]
        some = self.dice.sample(cells, self.dice.randrange(len(cells) + 1))
        kept, anew = self.dice.random() < 0.7, self.dice.random() < 0.2
        for sums in self.both:
            if anew:
                sums.keep_anew()
            sums.keep(some, kept=kept)

    def merge(self) -> None:
        """Merge a row into another of its side."""
        left = [row for row in range(FIRST_ROW, self.rows - 1) if row not in self.merged]
        row = self.dice.choice(left)
        others = [other for other in left if other != row and (other - row) % 2 == 0]
        if not others:
            return
        into = self.dice.choice(others)
        self.merged.add(row)
        cells = []
        for cell, use in list(self.uses.items()):
            if use is not None and use.row == row:
                self.uses[cell] = use._replace(row=into)
                cells += [cell] * (cell in self.told)
        for sums in self.both:
            sums.merge(row, into, cells)

    def end_tick(self) -> None:
        """Begin another tick."""
        self.tick += 1
        for sums in self.both:
            sums.end_tick()

    def compare(self) -> None:
        """Compare all figures."""
        found, wanted = (sums.read(self.tick, self.rows) for sums in self.both)
        assert_same(found, wanted, self.rows)
        for cell in self.told:
            use = self.uses[cell]
            if use is not None and use.measure is Measure.LATENCY and use.in_scope:
                answered = [sums.answered([cell]) for sums in self.both]
                assert answered[0] == answered[1] == [Answered.of(found.cells, cell)]
                times = [sums.histograms(use.row, [cell]) for sums in self.both]
                assert times[0] == times[1]


@pytest.mark.parametrize(("seed", "loops"), [(1, True), (2, True), (3, True), (4, False)])
def test_random_traffic(seed: int, loops: bool) -> None:
    """Every figure is that of the reference: cells known and new, ticks, slots, merged rows."""
    with contextlib.closing(Loaded(loops=loops)) as loaded:
        twins = Twins(loaded, seed)
        for step in range(60):
            twins.count()
            twins.compare()
            if twins.dice.random() < 0.6:
                twins.end_tick()
            if step % 3 == 2:
                twins.keep()
            if step % 7 == 6:
                twins.merge()
                twins.compare()


def _some(cells: Cells, made: list[int]) -> list[CellDelta]:
    """Have some cells of an endpoint count."""
    dice = cells.dice
    deltas = []
    for cell, measure in zip(made, MEASURES, strict=True):
        if dice.random() < 0.4:
            continue
        number = dice.choice((0, 1, 2, 5, 40))
        times = [int(dice.lognormvariate(13, dice.choice((0.2, 3)))) for _ in range(number)]
        if measure is None:
            deltas.append(
                cells.count(
                    cell, count=number + 9, bytes=70 * number, unanswered=dice.randrange(3),
                    moved=dice.randrange(2), rest=dice.choice(((), (1, 0, 0, 0, 2, 1))),
                )
            )  # fmt: skip
        else:
            lost = dice.randrange(2)
            deltas.append(
                cells.count(
                    cell,
                    times=times,
                    count=number + lost,
                    bytes=9 * number,
                    unmeasured=lost,
                    unanswered=dice.randrange(number + 1),
                )
            )
    return deltas


def test_what_the_log_of_the_window_takes_is_known(loaded: Loaded) -> None:
    sums, cells = loaded.sums, Cells(loaded)
    cell = cells.take("free_cells") or 0
    sums.use(cell, CellUse(FIRST_ROW, 0, Measure.LATENCY, 503))

    def window_of() -> tuple[int, int, int]:
        row = _row(sums.read(0, FIRST_ROW + 1), FIRST_ROW)
        return row.requests, row.window_requests, row.window_errors

    taken = []
    for slot in range(3):
        cells.count(cell, count=2, times=[1000, 1 << 20])
        cells.write()
        assert not sums.add(0, ending(slot))
        taken.append(sums.window_bytes)
    # The row; what follows, two requests, the sum of their times; a word for each of two groups.
    assert taken == [24, 48, 72]
    sums.add(0, ending(SLOTS))
    assert sums.window_bytes == 48
    assert window_of() == (6, 4, 4)
    sums.add(0, Slots(SLOTS, (2, SLOTS, 2 * SLOTS)))
    assert [sums.log_bytes(0, end) for end in (2, 3, 4)] == [0, 24, 24]
    assert sums.window_bytes == 24
    assert window_of() == (6, 0, 0)
    sums.add(0, Slots(2, (2, SLOTS, 2 * SLOTS)))
    assert window_of() == (6, 2, 2)
    sums.add(0, ending(2 * SLOTS))
    assert sums.window_bytes == 0
    assert window_of() == (6, 0, 0)


def test_rows_that_are_gone_crowd_the_window_until_it_is_over(loaded: Loaded) -> None:
    sums = loaded.sums
    numbers = sums._log_numbers
    numbers.take(FIRST_ROW)
    gone = 0
    while not sums.window_is_crowded:
        assert sums.has_room()
        numbers.take(FIRST_ROW + 1)
        numbers.merge(FIRST_ROW + 1, FIRST_ROW, slot=0)
        gone += 1
    assert gone == numbers.most - numbers.most // 4
    sums.add(0, ending(SLOTS))
    assert not sums.window_is_crowded
    assert numbers.free == numbers.most - 1


def test_a_merged_row_is_used_again_at_once(loaded: Loaded) -> None:
    """The window still has what it had before, of the row that has it now."""
    sums, cells = loaded.sums, Cells(loaded)
    first, second = (cells.take("free_cells") or 0 for _ in range(2))
    row, into = FIRST_ROW, FIRST_ROW + 1

    def window_of() -> list[tuple[int, int, int]]:
        rows = sums.read(0, into + 1).rows
        found = [RowFigures(*ROW.unpack_from(rows, at * ROW.size)) for at in (row, into)]
        return [(one.requests, one.window_requests, one.window_count) for one in found]

    for slot, cell, count in ((0, first, 5), (1, second, 2)):
        cells.count(cell, count=count, times=[1000] * count)
        cells.write()
        assert list(sums.add(0, ending(slot))) == [cell]
        sums.use(cell, CellUse(row, 0, Measure.LATENCY, 200))
        assert not sums.add(0, ending(slot))
        if slot == 0:
            assert window_of() == [(5, 5, 5), (0, 0, 0)]
            sums.merge(row, into, [cell])
            assert window_of() == [(0, 0, 0), (5, 5, 5)]
    assert window_of() == [(2, 2, 2), (5, 5, 5)]
    sums.add(0, ending(SLOTS))
    assert window_of() == [(2, 2, 2), (5, 0, 0)]
    sums.add(0, ending(SLOTS + 1))
    assert window_of() == [(2, 0, 0), (5, 0, 0)]


def test_buckets_that_wrap_around(loaded: Loaded) -> None:
    sums = loaded.sums
    cells = Cells(loaded)
    cell = cells.take("free_cells")
    assert cell is not None
    sums.use(cell, CellUse(FIRST_ROW, 0, Measure.LATENCY, 200))
    cells.count(cell, times=[1 << 20] * 40, count=40)  # a page on every shard
    pages = list(cells._pages)
    assert len(pages) == loaded.shards
    for page in pages:
        cells.fill(page, 0xFFFFFFFF)
    cells.write()
    sums.add(1, ending(0))
    before = _row(sums.read(1, FIRST_ROW + 1), FIRST_ROW)
    assert before.total_count == BUCKETS_PER_OCTAVE * (loaded.shards * 0xFFFFFFFF & 0xFFFFFFFF)
    cells.count(cell, times=[1 << 20, (1 << 20) + (1 << 15)] * 20, count=40)
    cells.write()
    sums.add(1, ending(0))
    after = _row(sums.read(1, FIRST_ROW + 1), FIRST_ROW)
    assert after.total_count - before.total_count == 40
    assert (after.requests, after.tick_count) == (80, 80)


def test_counters_that_wrap_around(loaded: Loaded) -> None:
    """Of two of them only the lower half is kept to compare with."""
    sums, cells = loaded.sums, Cells(loaded)
    cell = cells.take("free_cells") or 0
    sums.use(cell, CellUse(FIRST_ROW, 0))
    most = 0xFFFFFFFF
    for unanswered, moved in ((most - 1, most - 2), (1, 1), (3, 5)):
        cells.count(cell, count=unanswered + moved + 1, unanswered=unanswered, moved=moved)
        cells.write()
        sums.add(1, ending(0))
    row = _row(sums.read(1, FIRST_ROW + 1), FIRST_ROW)
    assert (row.unanswered, row.open) == (most + 3, 3)
    assert sums.part(cell, [], FIRST_ROW + 1) == []
    found = sums.read(1, FIRST_ROW + 2)
    assert [_row(found, FIRST_ROW + at).open for at in range(2)] == [0, 3]


def test_a_histogram_may_be_read_after_its_count(loaded: Loaded) -> None:
    """The count comes with one reading and the latency with the next, although nothing counts."""
    sums = loaded.sums
    cells = Cells(loaded)
    cell = cells.take("free_cells")
    assert cell is not None
    sums.use(cell, CellUse(FIRST_ROW, 0, Measure.LATENCY, 200))
    cells.count(cell, times=[1 << 20], count=1)
    late, cells._pages = cells._pages, {}
    cells.write()
    sums.add(1, ending(0))
    assert _row(sums.read(1, FIRST_ROW + 1), FIRST_ROW).total_count == 0
    cells._pages = late
    cells.write()
    sums.add(1, ending(0))
    row = _row(sums.read(1, FIRST_ROW + 1), FIRST_ROW)
    assert (row.requests, row.total_count, row.window_count) == (1, 1, 1)


def test_cells_that_count_while_they_are_read(loaded: Loaded) -> None:
    sums = loaded.sums
    cells, made = Cells(loaded), []
    for number in range(8):
        requests, responses = (cells.take("free_cells") for _ in range(2))
        assert requests is not None
        assert responses is not None
        sums.use(requests, CellUse(FIRST_ROW + number, 0))
        sums.use(responses, CellUse(FIRST_ROW + number, 0, Measure.LATENCY, 200))
        made.append((requests, responses))
    done = threading.Event()
    rounds = 300

    def count() -> None:
        for turn in range(rounds):
            for requests, responses in made:
                cells.count(requests, count=3, unanswered=1)
                cells.count(responses, times=[1000 << turn % 20, 77_777], count=2)
            cells.write()
        done.set()

    counting = threading.Thread(target=count)
    counting.start()
    ticks = 0
    while not done.is_set():
        ticks += 1
        assert not sums.add(ticks, ending(ticks))
        found = sums.read(ticks, FIRST_ROW + len(made))
        for number in range(len(made)):
            row = _row(found, FIRST_ROW + number)
            assert row.window_count <= row.total_count <= 2 * rounds
    counting.join()
    for _ in range(2):
        sums.add(ticks, ending(ticks))
    found = sums.read(ticks, FIRST_ROW + len(made))
    for number in range(len(made)):
        row = _row(found, FIRST_ROW + number)
        assert (row.requests, row.unanswered, row.open) == (3 * rounds, rounds, 0)
        assert row.total_count == 2 * rounds
    assert found.sides[0].status == {200: 2 * rounds * len(made)}
    sums.add(ticks, ending(ticks + SLOTS))
    row = _row(sums.read(ticks, FIRST_ROW + 1), FIRST_ROW)
    assert (row.window_requests, row.window_count, row.window_sum_ns) == (0, 0, 0)


def test_a_cell_parts_with_its_requests_in_flight(loaded: Loaded) -> None:
    sums = loaded.sums
    cells = Cells(loaded)
    requests, good, bad = (cells.take("free_cells") or 0 for _ in range(3))
    sums.use(requests, CellUse(FIRST_ROW, 0))
    sums.use(good, CellUse(FIRST_ROW, 0, Measure.LATENCY, 200))
    sums.use(bad, CellUse(FIRST_ROW, 0, Measure.LATENCY, 500, in_scope=False))
    cells.count(requests, count=10, unanswered=1, moved=1)
    cells.count(good, times=[5_000] * 3, count=3)
    cells.count(bad, times=[5_000], count=1)
    cells.write()
    sums.add(1, ending(0))
    counted = sums.part(requests, [good, bad], FIRST_ROW + 1)
    assert counted == [Answered(3, 3, 15_000), Answered(1, 1, 5_000)]
    cells.count(good, times=[5_000] * 2, count=2)
    cells.write()
    sums.add(1, ending(0))
    found = sums.read(1, FIRST_ROW + 2)
    before, after = (_row(found, FIRST_ROW + at) for at in range(2))
    assert (before.requests, before.open, before.total_count) == (4, 0, 3)
    assert (after.requests, after.open, after.total_count) == (2, 2, 2)
    assert Answered.of(found.cells, good) == (5, 5, 25_000)


def test_no_room_for_histograms_is_told(loaded: Loaded) -> None:
    sums = loaded.sums
    cells = Cells(loaded)
    cell = cells.take("free_cells") or 0
    sums.use(cell, CellUse(FIRST_ROW, 0, Measure.LATENCY, 200))
    _, _, _, _, entries, _ = bpf_syscall.map_info(loaded.maps["bucket_groups"])
    for number in range(entries):
        key = struct.pack("<I", (1 << 31) + number)
        bpf_syscall.map_update(loaded.maps["bucket_groups"], key, bytes(abi.BUCKET_GROUP.size))
    cells.count(cell, times=[5_000] * 3, count=3)
    cells.write()
    sums.add(1, ending(0))
    found = sums.read(1, FIRST_ROW + 1)
    row = _row(found, FIRST_ROW)
    assert (row.requests, row.total_count, found.unmeasured) == (3, 0, 3)


def test_more_unknown_cells_than_a_run_tells(loaded: Loaded) -> None:
    sums = loaded.sums
    cells = Cells(loaded)
    made = []
    while (cell := cells.take("free_cells")) is not None:
        made.append(cell)
        cells.count(cell, count=1)
    cells.write()
    assert sorted(sums.add(1, ending(0))) == made
    for cell in made:
        sums.use(cell, CellUse(FIRST_ROW, 0))
    assert sums.add(1, ending(0)) == []
    assert _row(sums.read(1, FIRST_ROW + 1), FIRST_ROW).open == len(made)


def _row(sums: Sums, number: int) -> RowFigures:
    return RowFigures(*ROW.unpack_from(sums.rows, number * ROW.size))


@pytest.mark.parametrize("pauses", [True, False])
def test_long_work_is_done_in_stretches(
    loaded: Loaded, pauses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each look at the clock takes a millisecond, there is a pause at each place for one."""
    looks: list[None] = []
    slept: list[float] = []

    class Taken:
        @staticmethod
        def are_taken() -> bool:
            return True

    class Clock:
        @staticmethod
        def thread_time() -> float:
            looks.append(None)
            return 1e6 + 0.001 * len(looks) * pauses

        monotonic = staticmethod(time.monotonic)
        sleep = staticmethod(slept.append)

    cells, made = Cells(loaded), [0]
    for _ in range(4096):
        made.append(cells.take("free_cells") or 0)
        cells.count(made[-1], count=1)
    cells.write()
    with contextlib.closing(KernelSums(loaded.maps, loaded.programs, loops=True)) as sums:
        monkeypatch.setattr(stretches, "time", Clock)
        monkeypatch.setattr(stretches, "_stretch", stretches.Stretch())
        monkeypatch.setattr(stretches, "_cpus", Taken)
        stretches.give_way()
        slept.clear()
        assert sums.add(1, ending(0)) == made[1:]
        assert (len(slept) >= 3) == pauses  # eight runs
        slept.clear()
        for cell in made[1:]:
            sums.use(cell, CellUse(FIRST_ROW, 0))
        assert (len(slept) >= 1000) == pauses


def test_no_run_is_long_whatever_is_asked_for(loaded: Loaded) -> None:
    """Whoever took httptop over can ask for as many turns as they like."""
    turns, end = (1 << 22) + 1024, (1 << 32) - 1
    struct.pack_into("<4I", loaded.sums._state, 0, 0, end, 1, turns)
    bpf_syscall.run_raw_tracepoint(loaded.programs["replay_window"], 0)
    (came_to,) = struct.unpack_from("<I", loaded.sums._state)
    assert 1024 <= came_to <= 1024 + OCTAVES + 1


def test_the_maps_are_closed(loaded: Loaded) -> None:
    sums = loaded.sums
    before = len(os.listdir("/proc/self/fd"))
    sums.close()
    sums.close()
    assert len(os.listdir("/proc/self/fd")) <= before
