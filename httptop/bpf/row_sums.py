"""Have the kernel add up what cells count, by row (bpf/c/sums.h); see collect.sums.RowSums.

The programs are run through their descriptors, each as often as it takes: a run is short, so that
whoever waits for the CPU gets it in between. This process sees the maps as memory, but for the
histograms; what it asks of a run stands in one of them.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from httptop.bpf import abi
from httptop.bpf.abi import BUCKET_GROUP, CELL_USE, SUMS_RUN
from httptop.bpf.cell_histograms import histograms_of, octaves_of_each, pages_of
from httptop.bpf.log_numbers import LogNumbers
from httptop.bpf.mapped import MappedMap
from httptop.bpf.summed_sides import SummedSides
from httptop.collect.histogram import OCTAVES, Histogram
from httptop.collect.sums import (
    FIRST_ROW,
    ROW,
    ROW_TIME,
    TIMES,
    Answered,
    CellUse,
    Rest,
    RowFigures,
    Slots,
    Sums,
    TimeFigures,
)
from httptop.linux import bpf_syscall
from httptop.linux.stretches import give_way

#: What user space writes of struct cell_use, and where.
_USE: Final = struct.Struct("<IHBB")
_USE_AT: Final = 32
#: What a merged row adds to that which it is merged into.
_ADDED: Final = (
    "requests", "open", "unanswered", "truncated", "request_bytes", "response_bytes",
    "latency_sum_ns", "window_requests", "window_errors", "window_sum_ns", "tick_sum_ns",
    "total_count", "window_count", "tick_count",
)  # fmt: skip
#: The members of struct sums_run up to ``back``: where to begin and end, tick, turns; counts.
_RUN: Final = struct.Struct("<10I")
#: Where the other members begin: unmeasured, unplaced; unknown cells; the rest.
_UNMEASURED: Final = 10
_UNKNOWN: Final = _UNMEASURED + 2
_UNKNOWN_AT: Final = _RUN.size + 16
#: Turns of a run, half a millisecond or so; a cell that is in hand then takes as many more.
_TURNS: Final = 1024
_MORE_TURNS: Final = OCTAVES + 1
#: Rows so near each other are summarized together, right after the cells that they belong to.
_NEAR: Final = 2048
#: Numbers in the log that are kept for the rows that count where there is no room.
_LAST_NUMBERS: Final = 64
#: Where only so small a part of them is left, a long window is to give some back.
_FEW_NUMBERS: Final = 4
#: What programs that are no tracepoint's run on; they do not look at it.
_NO_PACKET: Final = bytes(64)
_BLANK: Final = RowFigures(*[0] * len(RowFigures._fields))


def group_key(row: int, measure: int, number: int) -> int:
    """Return the key of a group of a row's buckets."""
    return row << 9 | measure << 6 | number


class KernelSums:
    """The sums that the kernel keeps; a :class:`httptop.collect.sums.RowSums`.

    For the collector's thread alone; every method raises :class:`OSError` if the kernel refuses.
    """

    def __init__(
        self,
        maps: Mapping[str, int],
        programs: Mapping[str, int],
        *,
        loops: bool,
    ) -> None:
        """Map the memory of the maps; the programs are those of variants.SUMS.

        ``loops``: they take their turns by bpf_loop; otherwise each time they run it is one turn.
        """
        self._loops = loops
        self._add = programs["add_to_rows"]
        self._replay_log = programs["replay_window"]
        self._summarize = programs["summarize_rows"]
        self._reclaim = programs["reclaim_cells"]
        self._free_cells, self._groups = maps["free_cells"], maps["bucket_groups"]
        self._octaves, self._rests = maps["read_octaves"], maps["read_rests"]
        self._most_cells = bpf_syscall.map_info(maps["cell_uses"])[4]
        self._used_cells = abi.FIRST_FREE_CELL
        mapped = [
            MappedMap(maps[name])
            for name in (
                "cell_uses", "rows", "row_times", "side_sums", "window_log", "sums_state",
                "log_rows",
            )
        ]  # fmt: skip
        self._uses, self._rows, self._times, *small = self._mapped = mapped
        sides, self._log, self._state, log_rows = (one.whole() for one in small)
        self._sides = SummedSides(sides)
        self.most_rows = bpf_syscall.map_info(maps["rows"])[4]
        self._log_numbers = LogNumbers(log_rows, self.most_rows)
        #: The logs of the slots that are kept, each with the first cell that it is of.
        self._logs: dict[int, list[tuple[int, bytes]]] = {}
        self.window_bytes = 0
        #: What take_rest() returns.
        self._rest: list[tuple[int, int, int]] = []
        self._slots = Slots(0, (0,))
        for cell in abi.LEFT_OUT_ENDPOINTS:
            self.use(cell, None)

    @property
    def uses(self) -> MappedMap:
        """What is known of each cell: the map cell_uses."""
        return self._uses

    def close(self) -> None:
        """Unmap the maps; idempotent."""
        self._log_numbers.close()
        for mapped in self._mapped:
            mapped.close()

    # ---- a tick ------------------------------------------------------------------------------

    @property
    def window_is_crowded(self) -> bool:
        """Whether rows that are gone leave little room in the window; see RowSums."""
        return self._log_numbers.free < self._log_numbers.most // _FEW_NUMBERS

    def has_room(self) -> bool:
        """Return whether another row may be used; see RowSums."""
        return self._log_numbers.free > _LAST_NUMBERS

    def use(self, cell: int, use: CellUse | None) -> None:
        """Say what a cell is for; see RowSums."""
        give_way()  # there may be thousands
        at = cell * CELL_USE.size + _USE_AT
        if use is None:
            _USE.pack_into(self._uses.up_to(at + _USE.size), at, 0, 0, abi.USE_NOTHING, 0)
            return
        kind = abi.USE_REQUESTS
        if use.measure is not None:
            kind = abi.USE_RESPONSES + abi.MEASURES.index(use.measure)
            if use.in_scope:
                self._sides.expect(use.side, use.status)
        flags = abi.CELL_CLIENT * use.side | abi.CELL_IN_SCOPE * use.in_scope
        self._number(use.row)
        _USE.pack_into(self._uses.up_to(at + _USE.size), at, use.row, use.status, kind, flags)

    def log_bytes(self, slot: int, end: int) -> int:
        """Return what some slots have of that memory; see RowSums."""
        return sum(len(log) for _, log in self._logs_of(slot, end))

    def add(self, tick: int, slots: Slots) -> list[int]:
        """Add what cells have counted; see RowSums.

        What leaves the window, and the percentiles of the rows that have changed, are done for some
        cells after the other, since a row is then still in the CPU's cache.
        """
        before, self._slots = self._slots, slots
        unknown: list[int] = []
        old = self._logs_of(before.first, slots.first)
        for _, log in self._logs_of(slots.first, before.first):
            self._replay(log, back=True)
        cell, end = 1, self._end_of_cells()
        while cell < end:
            first = cell
            cell = self._run(self._add, cell, end, tick)
            *_, logged, count, first_row, last_row, rests, _ = _RUN.unpack_from(self._state)
            if logged:
                log = self._log[: 4 * logged]
                self._logs.setdefault(slots.last, []).append((first, log))
                self.window_bytes += len(log)
            if count:
                found = SUMS_RUN.unpack_from(self._state)
                unknown += found[_UNKNOWN : _UNKNOWN + count]
            if rests:
                self._note_rest(SUMS_RUN.unpack_from(self._state)[-abi.REST_WORDS :][:rests])
            while old and old[-1][0] < cell:
                self._replay(old.pop()[1])
            if last_row - first_row < _NEAR:
                self._summarize_rows(first_row, last_row + 1, tick)
        while old:
            self._replay(old.pop()[1])
        self._sides.add(slots)
        self._forget_before(slots.kept)
        return unknown

    def keep(self, cells: Iterable[int], *, kept: bool) -> None:
        """Say whether the screen's filter picks what cells count; see RowSums."""
        for cell in cells:
            at = (cell + 1) * CELL_USE.size - 1
            uses = self._uses.up_to(at + 1)
            uses[at] = uses[at] & ~abi.CELL_KEPT | abi.CELL_KEPT * kept
            self._sides.keeping |= kept

    def keep_anew(self) -> None:
        """Begin the sums of what is picked anew; see RowSums."""
        self._sides.pick_anew()

    def _run(self, program: int, first: int, end: int, tick: int = 0, back: bool = False) -> int:
        """Run a program on what ``first`` to before ``end`` number; return what to go on with."""
        _RUN.pack_into(self._state, 0, first, end, tick, _TURNS, 0, 0, self.most_rows, 0, 0, back)
        while True:
            try:
                if self._loops:
                    bpf_syscall.run_raw_tracepoint(program, 0)
                else:
                    bpf_syscall.run_program(program, _NO_PACKET, _TURNS + _MORE_TURNS)
            except InterruptedError:  # by a signal, between turns
                continue
            give_way()
            return int(_RUN.unpack_from(self._state)[0])

    def reclaim(self, words: Collection[int]) -> None:
        """Blank cells that nothing counts in any more; words as give_back.py makes them."""
        self._state[_UNKNOWN_AT : _UNKNOWN_AT + 4 * len(words)] = array("I", words).tobytes()
        done = 0
        while done < len(words):
            done = self._run(self._reclaim, done, len(words))

    def counted(self, cells: Collection[int]) -> list[int]:
        """Return how many responses cells have counted so far; see RowSums."""
        uses = self._uses.up_to((max(cells, default=0) + 1) * CELL_USE.size)
        return [CELL_USE.unpack_from(uses, cell * CELL_USE.size)[0] for cell in cells]

    def answered(self, cells: Collection[int]) -> list[Answered]:
        """Return what cells of responses have counted so far; see RowSums."""
        uses = self._uses.up_to((max(cells, default=0) + 1) * CELL_USE.size)
        return [Answered.of(uses, cell) for cell in cells]

    def histograms(self, row: int, cells: Iterable[int]) -> list[Histogram]:
        """Return the latencies of cells of a row; see RowSums."""
        return histograms_of(self._octaves, self._row(row).groups, cells)

    def rest(self, cell: int) -> Rest:
        """Return the responses to an endpoint's requests that are in no cell; see RowSums."""
        value = bpf_syscall.map_lookup(self._rests, struct.pack("<I", cell), abi.REST.size)
        *by_class, size, _ = abi.REST.unpack(value or bytes(abi.REST.size))
        return Rest(tuple(by_class), size)

    def pages(
        self, cells: Collection[int] | None = None
    ) -> Iterator[tuple[Sequence[int], memoryview]]:
        """Yield the histograms of cells; see RowSums."""
        return pages_of(self._octaves, cells)

    def octaves(self) -> Mapping[int, int]:
        """Return of how many octaves cells have histograms; see RowSums."""
        return octaves_of_each(self._octaves)

    def _note_rest(self, words: Sequence[int]) -> None:
        """Note responses without a cell for their status, in pairs as struct sums_run has them."""
        for what, count in zip(words[::2], words[1::2], strict=True):
            cell, hundreds = what >> 3, what & 7
            flags = CELL_USE.unpack_from(
                self._uses.up_to((cell + 1) * CELL_USE.size), cell * CELL_USE.size
            )[-1]
            self._sides.expect(flags & abi.CELL_CLIENT, hundreds)
            self._rest.append((cell, hundreds, count))

    def take_rest(self) -> list[tuple[int, int, int]]:
        """Return the responses without a cell for their status; see RowSums."""
        found, self._rest = self._rest, []
        return found

    def _logs_of(self, first: int, end: int) -> list[tuple[int, bytes]]:
        """Return the logs of some slots, those of the highest cells first."""
        wanted = (log for slot, logs in self._logs.items() if first <= slot < end for log in logs)
        return sorted(wanted, reverse=True)

    def _forget_before(self, slot: int) -> None:
        """Forget the slots before one."""
        for known in [known for known in self._logs if known < slot]:
            self.window_bytes -= sum(len(log) for _, log in self._logs.pop(known))
        self._log_numbers.expire(slot)

    def _replay(self, log: bytes, *, back: bool = False) -> None:
        """Take what a log says out of the window, or put it back."""
        self._log[: len(log)] = log
        words, done = len(log) // 4, 0
        while done < words:
            before, done = done, self._run(self._replay_log, done, words, back=back)
            if done == before:
                raise RuntimeError("the log of the window makes no sense to the kernel")

    def _summarize_rows(self, row: int, end: int, tick: int) -> None:
        while row < end:
            row = self._run(self._summarize, row, end, tick)

    def _end_of_cells(self) -> int:
        """Return the number behind those of cells in use: they are given out in ascending order."""
        value = bpf_syscall.map_lookup(self._free_cells, b"", 4)
        if value is None:  # none is left
            self._used_cells = self._most_cells
        else:  # one for which there was no place in a map may be on top again
            self._used_cells = max(self._used_cells, int.from_bytes(value, "little"))
        return self._used_cells

    def read(self, tick: int, rows: int) -> Sums:
        """Return the sums; see RowSums."""
        self._summarize_rows(FIRST_ROW, rows, tick)
        used = self._used_cells * CELL_USE.size
        uses = self._uses.up_to(used)[:used]
        times = rows * len(TIMES) * ROW_TIME.size
        self._rows.shrink(rows * ROW.size)
        self._times.shrink(times)
        unmeasured, unplaced = SUMS_RUN.unpack_from(self._state)[_UNMEASURED:_UNKNOWN]
        return Sums(
            self._rows.up_to(rows * ROW.size)[: rows * ROW.size],
            self._times.up_to(times)[:times],
            uses,
            self._sides.whole(),
            unmeasured + unplaced,
            self._sides.picked(),
        )

    def end_tick(self) -> None:
        """Begin the sums of a tick anew; see RowSums."""
        self._sides.end_tick()

    # ---- other rows --------------------------------------------------------------------------

    def merge(self, row: int, into: int, cells: Iterable[int]) -> None:
        """Add all sums of a row to those of another; see RowSums."""
        less, more = self._row(row), self._row(into)
        if less.tick < more.tick:
            less = less._replace(tick_sum_ns=0, tick_count=0)
        elif less.tick > more.tick:
            more = more._replace(tick_sum_ns=0, tick_count=0, tick=less.tick)
        self._put_row(
            into,
            more._replace(
                **{name: getattr(less, name) + getattr(more, name) for name in _ADDED},
                latency_max_ns=max(less.latency_max_ns, more.latency_max_ns),
                groups=less.groups | more.groups,
                measures=less.measures | more.measures,
                changed=1,
            ),
        )
        self._merge_groups(row, into, 0, less.groups)
        for measure in range(1, len(TIMES) + 1):
            if less.measures >> measure & 1:
                self._merge_times(row, into, measure)
        self._put_row(row, _BLANK)
        self._number(into)
        self._log_numbers.merge(row, into, self._slots.last)
        for cell in cells:
            self._use_row(cell, into)

    def part(self, cell: int, responses: Collection[int], row: int) -> list[Answered]:
        """Have a cell count in another row from now on; see RowSums."""
        known = self._uses.up_to((max(cell, *responses, 0) + 1) * CELL_USE.size)
        uses = [CELL_USE.unpack_from(known, at * CELL_USE.size) for at in (cell, *responses)]
        (count, _, rest, unanswered, moved, before, *_), *others = uses
        over = sum(use[0] for use in others if use[7] == abi.USE_RESPONSES)
        # Some of these counters may have wrapped around.
        in_flight = (count - unanswered - moved - over - rest + (1 << 31)) % (1 << 32) - (1 << 31)
        self._number(row)
        for number, open_ in ((before, -in_flight), (row, in_flight)):
            found = self._row(number)
            self._put_row(number, found._replace(open=found.open + open_, changed=1))
        for at in (cell, *responses):
            self._use_row(at, row)
        return [Answered.of(known, at) for at in responses]

    def _number(self, row: int) -> None:
        """Have a row have a number in the log."""
        number = self._log_numbers.take(row)
        if number is not None:
            self._put_row(row, self._row(row)._replace(log_number=number))

    def _use_row(self, cell: int, row: int) -> None:
        """Have a cell count in another row."""
        at = cell * CELL_USE.size + _USE_AT
        struct.pack_into("<I", self._uses.up_to(at + 4), at, row)

    def _row(self, row: int) -> RowFigures:
        known = self._rows.up_to((row + 1) * ROW.size)
        return RowFigures.of(known, row)

    def _put_row(self, row: int, figures: RowFigures) -> None:
        ROW.pack_into(self._rows.up_to((row + 1) * ROW.size), row * ROW.size, *figures)

    def _merge_times(self, row: int, into: int, measure: int) -> None:
        ats = [(number * len(TIMES) + measure - 1) * ROW_TIME.size for number in (row, into)]
        times = self._times.up_to(max(ats) + ROW_TIME.size)
        less, more = (TimeFigures(*ROW_TIME.unpack_from(times, at)) for at in ats)
        together = more._replace(
            sum_ns=less.sum_ns + more.sum_ns,
            max_ns=max(less.max_ns, more.max_ns),
            measured=less.measured + more.measured,
            groups=less.groups | more.groups,
        )
        times[ats[0] : ats[0] + ROW_TIME.size] = bytes(ROW_TIME.size)
        ROW_TIME.pack_into(times, ats[1], *together)
        self._merge_groups(row, into, measure, less.groups)

    def _merge_groups(self, row: int, into: int, measure: int, groups: int) -> None:
        """Add groups of buckets of a row to those of another, and delete them."""
        for group in range(groups.bit_length()):
            if not groups >> group & 1:
                continue
            give_way()
            keys = [struct.pack("<I", group_key(at, measure, group)) for at in (row, into)]
            found = [bpf_syscall.map_lookup(self._groups, key, BUCKET_GROUP.size) for key in keys]
            counts = [BUCKET_GROUP.unpack(value) for value in found if value is not None]
            added = BUCKET_GROUP.pack(*(sum(column) for column in zip(*counts, strict=True)))
            bpf_syscall.map_delete(self._groups, keys[0])  # first: the map may be full
            bpf_syscall.map_update(self._groups, keys[1], added)
