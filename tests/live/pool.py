"""Loaded probes that tests use one after the other.

To load them takes the kernel's verifier a second of CPU, and clang two where the image is new. So
programs and maps stay when a test is done with them, detached. The next test with the same plan
gets them without the connections of the one before, and sees only what is counted from then on.
"""

from __future__ import annotations

import atexit
import ctypes
import dataclasses
import functools
import operator
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from httptop.bpf import abi
from httptop.bpf.abi import CELL_USE, PAGE, USE_UNKNOWN
from httptop.bpf.build.child import Loading, Plan, Probes
from httptop.bpf.build.variants import PREEMPTIBLE_KERNEL, kernel_release
from httptop.bpf.give_back import GiveBack, blank
from httptop.bpf.log_numbers import LogNumbers
from httptop.bpf.row_sums import KernelSums
from httptop.bpf.source import LiveSource
from httptop.bpf.summed_sides import SummedSides
from httptop.collect.histogram import BUCKETS_PER_OCTAVE, OCTAVES, Histogram, subtract
from httptop.collect.source import Controls, Losses, Names, Reading
from httptop.collect.sums import (
    CELL,
    NOT_ANSWERED,
    Answered,
    CellReturns,
    CellUse,
    Rest,
    RowSums,
    Slots,
    Sums,
)
from httptop.config.settings import DEFAULTS
from httptop.linux import bpf_syscall

#: Where struct cell_use says what a cell is for.
_KIND_AT: Final = 38
_MAP_FD_BY_ID, _OBJECT_INFO = 14, 15
_MOST_MAPS: Final = 64
#: What is loaded where a plan insists on nothing and the kernel has it.
BEST_FRONT: Final = "records" if kernel_release() >= PREEMPTIBLE_KERNEL else "sockets"
#: Sets of probes that nobody uses; each holds 25 MB of maps.
_MOST_IDLE: Final = 10
_MOST_CELLS: Final = 2000
#: To load these takes the verifier seconds.
_MOST_CELLS_OF_SLOW: Final = 8000
_SLOW: Final = ("records", "triples")
#: What a connection leaves in the kernel while nobody looks, with the lengths of the keys.
_OF_CONNECTIONS: Final = {"conns": 8, "swept_conns": 8, "queue": 16, "left_out": 8}
#: What is set to zeros: what CPUs know of a bucket of tokens, and what tenants have.
_BLANKED: Final = ("scratches", "shares")


@functools.cache
def cache_directory() -> str:
    """Return where the images of this session are kept, those of started commands included."""
    named = os.environ.get("HTTPTOP_TEST_CACHE")
    if named:
        return named
    made = tempfile.mkdtemp(prefix="httptop-test-cache-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def cached(plan: Plan) -> Plan:
    """Return a plan whose image is kept with the others of this session, not with the user's."""
    users = plan.cache == DEFAULTS.performance.cache
    return dataclasses.replace(plan, cache=cache_directory()) if users else plan


def maps_of(program_fd: int) -> dict[str, int]:
    """Return descriptors of the maps that a program uses, by name; the caller closes them."""
    ids = (ctypes.c_uint32 * _MOST_MAPS)()
    info = ctypes.create_string_buffer(232)
    struct.pack_into("<I", info, 52, _MOST_MAPS)
    struct.pack_into("<Q", info, 56, ctypes.addressof(ids))
    attr = struct.pack("<IIQ", program_fd, len(info), ctypes.addressof(info))
    bpf_syscall.bpf(_OBJECT_INFO, bytearray(attr))
    (count,) = struct.unpack_from("<I", info, 52)
    found = {}
    for number in ids[:count]:
        fd = bpf_syscall.bpf(_MAP_FD_BY_ID, bytearray(struct.pack("<III", number, 0, 0)))
        found[bpf_syscall.map_info(fd)[0]] = fd
    return found


def _forget_held(shares: int) -> None:
    """Have no tenant have connections or places in pipelines."""
    value = bpf_syscall.map_lookup(shares, bytes(4), abi.SHARES.size)
    assert value is not None
    blanked = b"".join(
        abi.SHARE.pack(*share[:3], 0, 0, *share[5:]) for share in abi.SHARE.iter_unpack(value)
    )
    bpf_syscall.map_update(shares, bytes(4), blanked)


class LentProbes(Probes):
    """Probes that go back to the pool when they are closed."""

    plan: Plan
    #: Descriptors of the maps that have something to be forgotten, found when that is done first.
    _soiled: dict[str, int] | None = None

    @classmethod
    def of(cls, plan: Plan, loaded: Probes) -> LentProbes:
        """Return what was just loaded."""
        lent = cls(**{one.name: getattr(loaded, one.name) for one in dataclasses.fields(loaded)})
        lent.plan = plan
        return lent

    def matches(self, plan: Plan) -> bool:
        """Return whether this is what would be loaded for a plan."""
        if dataclasses.replace(plan, front=self.plan.front) != self.plan:
            return False
        return plan.front in (self.plan.front, self.front) or (
            plan.front is None and self.front == BEST_FRONT
        )

    @property
    def is_worn(self) -> bool:
        """Whether so many cells have been given out that the next test had better have others.

        They are never taken back, and each costs a little whenever the maps are read.
        """
        next_cell = bpf_syscall.map_lookup(self.maps["free_cells"], b"", 4)
        most = _MOST_CELLS_OF_SLOW if self.front in _SLOW else _MOST_CELLS
        most = min(most, self.plan.sizes["MAX_ENDPOINTS"])
        return next_cell is None or int.from_bytes(next_cell, "little") > most

    def close(self) -> None:
        """Detach every program and give the rest back."""
        self.detach()
        POOL.give_back(self)

    def discard(self) -> None:
        """Let the programs and maps go."""
        for fd in (self._soiled or {}).values():
            os.close(fd)
        self._soiled = None
        super().close()

    def forget_connections(self) -> None:
        """Take out of the maps what connections have left there, and CPUs know of them."""
        if self._soiled is None:
            self._soiled = self._find_soiled()
        _forget_held(self._soiled["shares"])
        blank(self._soiled["scratches"])
        for name, size in _OF_CONNECTIONS.items():
            if (fd := self._soiled.get(name)) is not None:
                for key in list(bpf_syscall.map_keys(fd, size)):
                    bpf_syscall.map_delete(fd, key)

    def _find_soiled(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for program in self.programs.values():
            for name, fd in maps_of(program).items():
                if name in (*_OF_CONNECTIONS, *_BLANKED) and name not in found:
                    found[name] = fd
                else:
                    os.close(fd)
        return found


class _Lending(Loading):
    """Takes the place of a load: the probes come out of the pool, if they are there."""

    def __init__(self) -> None:
        self._load: Loading | None = None
        self._plan = Plan({})

    def give(self, plan: Plan) -> None:
        self._plan = plan
        self._lent = POOL.take(plan)
        if self._lent is None:
            self._load = Loading()
            self._load.give(plan)

    def wait(self, **how: Any) -> Probes:
        if self._lent is None:
            assert self._load is not None
            self._lent = LentProbes.of(self._plan, self._load.wait(**how))
        return self._lent

    def cancel(self) -> None:
        if self._load is not None:
            self._load.cancel()


class Pool:
    """The sets of probes that nobody uses, by their plan."""

    def __init__(self) -> None:
        self._idle: list[LentProbes] = []  # the longest unused first

    def take(self, plan: Plan) -> LentProbes | None:
        """Return probes of this plan; None where there are none."""
        for probes in reversed(self._idle):
            if probes.matches(plan):
                self._idle.remove(probes)
                probes.forget_connections()
                return probes
        return None

    def give_back(self, probes: LentProbes) -> None:
        """Keep probes for the next test."""
        if probes.is_worn:
            probes.discard()
            return
        self._idle.append(probes)
        while len(self._idle) > _MOST_IDLE:
            self._idle.pop(0).discard()


POOL: Final = Pool()


class AfreshSource(LiveSource):
    """A live source that leaves out what its probes counted before it was opened."""

    def __init__(self, plan: Plan, controls: Controls) -> None:
        super().__init__(plan, controls, loading=_Lending())
        self._before = Reading()

    def open(self) -> None:
        """Open it, and read what there is to be left out."""
        super().open()
        self._before = super().read()
        self._parties._end = (
            self._parties.most + abi.FIRST_PARTY
        )  # others have been given back before
        self._parties.give_back(self._parties.new())
        self._parties.new()
        self._afresh = AfreshSums(self._sums, self.names)
        self._afresh_returns = AfreshReturns(self._returns, self._afresh)

    @property
    def returns(self) -> CellReturns:
        """The way back of its cells, which count from nothing afterwards."""
        return self._afresh_returns

    @property
    def sums(self) -> RowSums:
        """What its cells have counted since it was opened, added up."""
        return self._afresh

    def read(self) -> Reading:
        """Return what came since it was opened."""
        reading, before = super().read(), self._before
        reading.losses = Losses(
            *(now - then for now, then in zip(reading.losses, before.losses, strict=True))
        )
        counted = {(pid, kind): count for pid, kind, count in before.other_protocols}
        reading.other_protocols = [
            (pid, kind, count - counted.get((pid, kind), 0))
            for pid, kind, count in reading.other_protocols
            if count > counted.get((pid, kind), 0)
        ]
        return reading


class AfreshReturns:
    """The way back of cells, some of which had counted before."""

    def __init__(self, returns: GiveBack, sums: AfreshSums) -> None:
        self._returns, self._sums = returns, sums
        self.retire, self.add, self.taken = returns.retire, returns.add, returns.taken
        self.tables = returns.tables
        self.unused = returns.unused

    def step(self, leaving: Callable[[Collection[int]], None]) -> list[int]:
        """Do a tick's work; see CellReturns."""
        cells = self._returns.step(leaving)
        self._sums.forget(cells)
        return cells


def _parts(joined: bytes, length: int) -> list[bytes]:
    """Return what stands one behind the other, each of so many bytes."""
    return [joined[at : at + length] for at in range(0, len(joined), length)]


class AfreshSums:
    """The sums of cells that have counted before, as if they had not."""

    def __init__(self, sums: KernelSums, names: Names) -> None:
        """Have what all cells have counted so far be read, and in no row."""
        self._sums, self.octaves = sums, sums.octaves
        self.most_rows = sums.most_rows
        self.use, self.add, self.end_tick = sums.use, sums.add, sums.end_tick
        self.keep, self.keep_anew = sums.keep, sums.keep_anew
        self.merge, self.has_room, self.take_rest = sums.merge, sums.has_room, sums.take_rest
        self._rests: dict[int, Rest] = {}
        known: set[int] = set()
        unknown: Collection[int] = range(sums._most_cells)
        while unknown:  # other processes of this host may begin to count meanwhile
            endpoints, responses = names(unknown)
            for cell in endpoints:
                sums.use(cell, CellUse(0, 0))
            for cell, response in responses.items():
                sums.use(cell, CellUse(0, 0, response.measure, 200))
            known |= {*endpoints, *responses}
            self._rests |= {cell: sums.rest(cell) for cell in endpoints}
            unknown = sums.add(0, sums._slots)
        sums.add(0, sums._slots)  # a cell that has changed is read again
        self._before = bytearray(sums.read(0, 0).cells)
        octaves = bpf_syscall.BatchReader(sums._octaves, 4, PAGE.size)
        self._octaves = dict(zip(*map(_parts, octaves.read(), (4, PAGE.size)), strict=True))
        for cell in known:
            sums._uses.whole()[cell * CELL_USE.size + _KIND_AT] = USE_UNKNOWN
        for mapped in (sums._rows.whole(), sums._times.whole(), sums._sides._sums):
            mapped[:] = bytes(len(mapped))
        for key in list(bpf_syscall.map_keys(sums._groups, 4)):
            bpf_syscall.map_delete(sums._groups, key)
        sums._logs.clear()
        sums._slots, sums.window_bytes = Slots(0, (0,)), 0
        sums._log_numbers.close()
        sums._log_numbers = LogNumbers(sums._mapped[-1].whole(), sums.most_rows)
        sums._sides = SummedSides(sums._sides._sums)

    @property
    def window_bytes(self) -> int:
        """The memory that the log of the window takes."""
        return self._sums.window_bytes

    def log_bytes(self, slot: int, end: int) -> int:
        """Return what slots have of that memory."""
        return self._sums.log_bytes(slot, end)

    @property
    def window_is_crowded(self) -> bool:
        """Whether rows that are gone leave little room in the window."""
        return self._sums.window_is_crowded

    def forget(self, cells: Iterable[int]) -> None:
        """Note that cells have begun anew."""
        for cell in cells:
            self._rests.pop(cell, None)
            at = cell * CELL.size
            if at < len(self._before):
                self._before[at : at + CELL.size] = bytes(CELL.size)
            for octave in range(OCTAVES):
                self._octaves.pop(struct.pack("<I", cell * OCTAVES + octave), None)

    def counted(self, cells: Collection[int]) -> list[int]:
        """Return how many responses cells have counted; see RowSums."""
        cells = list(cells)
        counts = zip(cells, self._sums.counted(cells), strict=True)
        return [count - self._so_far(cell).responses for cell, count in counts]

    def _so_far(self, cell: int) -> Answered:
        """Return what a cell of responses had counted before."""
        known = (cell + 1) * CELL.size <= len(self._before)
        return Answered.of(self._before, cell) if known else NOT_ANSWERED

    def answered(self, cells: Collection[int]) -> list[Answered]:
        """Return what cells of responses have counted; see RowSums."""
        found = zip(cells, self._sums.answered(cells), strict=True)
        return [answered.plus(self._so_far(cell), -1) for cell, answered in found]

    def histograms(self, row: int, cells: Iterable[int]) -> list[Histogram]:
        """Return the latencies that cells have counted; see RowSums."""
        cells = list(cells)
        found = self._sums.histograms(row, cells)
        for cell, histogram in zip(cells, found, strict=True):
            for octave in range(OCTAVES):
                page = self._octaves.get(struct.pack("<I", cell * OCTAVES + octave))
                if page is not None:
                    counts = enumerate(PAGE.unpack(page), octave * BUCKETS_PER_OCTAVE)
                    subtract(histogram, dict(counts))
        return found

    def rest(self, cell: int) -> Rest:
        """Return the responses in no cell of their own; see RowSums."""
        now = self._sums.rest(cell)
        before = self._rests.get(cell, Rest((0,) * len(now.by_class), 0))
        by_class = map(operator.sub, now.by_class, before.by_class)
        return Rest(tuple(by_class), now.bytes - before.bytes)

    def pages(
        self, cells: Collection[int] | None = None
    ) -> Iterator[tuple[Sequence[int], memoryview]]:
        """Yield what the histograms of cells have counted; see RowSums."""
        for keys, pages in self._sums.pages(cells):
            since = bytearray(pages)
            for at, key in enumerate(keys):
                before = self._octaves.get(struct.pack("<I", key))
                if before is not None:
                    counts = PAGE.unpack_from(since, at * PAGE.size)
                    less = map(operator.sub, counts, PAGE.unpack(before))
                    PAGE.pack_into(since, at * PAGE.size, *less)
            yield keys, memoryview(since)

    def read(self, tick: int, rows: int) -> Sums:
        """Return the sums, less the responses of before."""
        found = self._sums.read(tick, rows)
        cells = bytearray(found.cells)
        for at in range(0, len(self._before), CELL.size):
            then, now = CELL.unpack_from(self._before, at), CELL.unpack_from(cells, at)
            # Of cells of requests some of these may have wrapped around.
            CELL.pack_into(cells, at, *(max(0, b - a) for a, b in zip(then, now, strict=True)))
        return dataclasses.replace(found, cells=bytes(cells))

    def part(self, cell: int, responses: Collection[int], row: int) -> list[Answered]:
        """Have cells count in another row."""
        found = zip(responses, self._sums.part(cell, responses, row), strict=True)
        return [answered.plus(self._so_far(at), -1) for at, answered in found]
