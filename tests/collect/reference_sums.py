"""The sums of rows as plain Python adds them up: a reference for the kernel, and what fakes use."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from httptop.collect.histogram import BUCKETS_PER_OCTAVE, OCTAVES, Histogram
from httptop.collect.measure import Measure
from httptop.collect.party_figures import NO_FIGURES, AllFigures, Party, PartyColumns, PartyFigures
from httptop.collect.sums import (
    CELL,
    CLASSES,
    ROW,
    ROW_TIME,
    SIDE_ROWS,
    TIMES,
    Answered,
    CellUse,
    Rest,
    RoomTaken,
    RowFigures,
    SideFigures,
    Slots,
    Sums,
    TimeFigures,
)
from httptop.collect.window import SLOTS
from httptop.model import class_of

_SHARES: Final = (500, 900, 950, 990, 999, 1000)
_NO_BUCKETS: Final = (0,) * len(_SHARES)


def ending(slot: int) -> Slots:
    """Return SLOTS slots up to one; nothing before these is kept."""
    first = slot - SLOTS + 1
    return Slots(first, (first, slot))


class CellDelta(NamedTuple):
    """What a cell has counted since the last time."""

    cell: int
    counted: int  # requests begun, or responses, or times of responses
    bytes: int  # of requests, or of responses
    sum_ns: int  # of the times in the histogram
    max_ns: int  # since start, not since the last time
    unanswered: int  # requests; of responses: those that the connection's end cut off
    unmeasured: int  # times that no histogram was left for
    moved: int  # of requests only: those that ended elsewhere: under ~other, or discarded
    histogram: dict[int, int]  # bucket -> times
    rest: tuple[int, ...] = ()  # of requests: responses without a cell of their own, by class
    rest_bytes: int = 0


@dataclass
class _Span:
    """What a stretch of time has of requests that are over."""

    requests: int = 0
    errors: int = 0
    sum_ns: int = 0
    histogram: Counter[int] = field(default_factory=Counter)

    def add(self, requests: int, errors: int, sum_ns: int, histogram: dict[int, int]) -> None:
        self.requests += requests
        self.errors += errors
        self.sum_ns += sum_ns
        self.histogram.update(histogram)


@dataclass
class _Row:
    total: _Span = field(default_factory=_Span)
    slots: dict[int, _Span] = field(default_factory=dict)
    first: int = 0  # of the slots in the window
    tick: _Span = field(default_factory=_Span)
    tick_number: int = 0
    unmeasured_in_tick: int = 0
    open: int = 0
    unanswered: int = 0
    truncated: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    max_ns: int = 0
    times: dict[Measure, _Span] = field(default_factory=dict)
    max_times_ns: dict[Measure, int] = field(default_factory=dict)

    def finish(
        self, tick: int, slot: int, requests: int, errors: int, delta: CellDelta | None = None
    ) -> None:
        if tick != self.tick_number:
            self.tick, self.tick_number, self.unmeasured_in_tick = _Span(), tick, 0
        sum_ns, histogram = (delta.sum_ns, delta.histogram) if delta is not None else (0, {})
        for span in (self.total, self.slots.setdefault(slot, _Span()), self.tick):
            span.add(requests, errors, sum_ns, histogram)
        if delta is None:  # the tick's mean is of responses
            self.tick.requests -= requests
        else:
            self.unmeasured_in_tick += delta.unmeasured

    def window(self) -> _Span:
        found = _Span()
        for span in (span for slot, span in self.slots.items() if slot >= self.first):
            found.add(span.requests, span.errors, span.sum_ns, span.histogram)
        return found


class ReferenceSums:
    """Adds up what :meth:`feed` gets; a :class:`httptop.collect.sums.RowSums`."""

    def __init__(self, most_rows: int = 1000) -> None:
        self.most_rows = most_rows
        self.window_bytes = 0  # nothing is logged here; a test may have it be something
        self.window_is_crowded = False  # likewise
        self._slots = Slots(0, (0,))
        self._uses: dict[int, CellUse | None] = {}
        self._waiting: list[CellDelta] = []
        self._rows: dict[int, _Row] = {}
        self._counted: Counter[int] = Counter()  # by cell
        #: By cell: bytes, and the last three of CELL.
        self._figures_of: defaultdict[int, tuple[int, ...]] = defaultdict(lambda: (0, 0, 0, 0))
        self._rests: dict[int, Rest] = {}
        self._histograms: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self._open: dict[int, int] = {}  # of a cell of requests: begun, less unanswered and moved
        self._over: dict[int, int] = {}  # of a cell of responses
        self._status: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        self._side_ticks = (_Span(), _Span())
        self._kept: set[int] = set()
        self.keep_anew()
        self._unmeasured = 0
        self._rest: list[tuple[int, int, int]] = []

    def feed(self, deltas: Iterable[CellDelta]) -> None:
        """Have cells count."""
        self._waiting += (delta for delta in deltas if any(delta[1:4]) or any(delta[5:]))

    def has_room(self) -> bool:
        return True

    def use(self, cell: int, use: CellUse | None) -> None:
        assert cell not in self._uses
        assert use is None or use.row < self.most_rows
        self._uses[cell] = use

    def keep(self, cells: Iterable[int], *, kept: bool) -> None:
        for cell in cells:
            assert not kept or self._uses[cell] is not None
            (self._kept.add if kept else self._kept.discard)(cell)

    def keep_anew(self) -> None:
        self._kept_rows = (_Row(), _Row())
        self._kept_status: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        self._kept_ticks = (_Span(), _Span())

    def log_bytes(self, slot: int, end: int) -> int:
        del slot, end
        return 0

    def add(self, tick: int, slots: Slots) -> Collection[int]:
        self._slots, slot = slots, slots.last
        for row in (*self._rows.values(), *self._kept_rows):
            row.first = slots.first
            for old in [known for known in row.slots if known < slots.kept]:
                del row.slots[old]
        waiting, self._waiting = self._waiting, []
        for delta in waiting:
            if delta.cell not in self._uses:
                self._waiting.append(delta)
                continue
            self._counted[delta.cell] += delta.counted
            more = (
                delta.bytes, delta.sum_ns + sum(delta.rest), delta.unanswered,
                delta.unmeasured + delta.moved,
            )  # fmt: skip
            before = self._figures_of[delta.cell]
            self._figures_of[delta.cell] = tuple(map(sum, zip(before, more, strict=True)))
            if delta.rest:
                rest = self._rests.get(delta.cell, Rest((0,) * CLASSES, 0))
                by_class = (*delta.rest, *[0] * (CLASSES - len(delta.rest)))
                self._rests[delta.cell] = Rest(
                    tuple(map(sum, zip(rest.by_class, by_class, strict=True))),
                    rest.bytes + delta.rest_bytes,
                )
            self._histograms[delta.cell].update(delta.histogram)
            if (use := self._uses[delta.cell]) is not None:
                self._add(delta, use, tick, slot)
        return sorted({delta.cell for delta in self._waiting})

    def _add(self, delta: CellDelta, use: CellUse, tick: int, slot: int) -> None:
        rows = [self._row(use.row), self._row(SIDE_ROWS[use.side])]
        for row in rows:
            self._add_to(row, delta, use, tick, slot)
        if delta.cell in self._kept and use.in_scope:
            self._add_kept(delta, use, tick, slot)
        in_tick = self._side_ticks[use.side]
        if use.measure is None:
            opened = delta.counted - delta.unanswered - delta.moved - sum(delta.rest)
            self._open[delta.cell] = self._open.get(delta.cell, 0) + opened
            if use.in_scope:
                in_tick.add(delta.unanswered, delta.unanswered, 0, {})
            for status, count in enumerate(delta.rest):
                if count:
                    self._rest.append((delta.cell, status, count))
                    self._status[use.side][status] += count
                    self._unmeasured += count
                    in_tick.add(count, count if status >= 4 else 0, 0, {})
        elif use.measure is Measure.LATENCY:
            self._over[delta.cell] = self._over.get(delta.cell, 0) + delta.counted
            if use.in_scope:
                errors = delta.counted if class_of(use.status) >= 4 else 0
                in_tick.add(delta.counted, errors, 0, delta.histogram)
                self._status[use.side][use.status] += delta.counted
                self._unmeasured += delta.unmeasured

    def _add_kept(self, delta: CellDelta, use: CellUse, tick: int, slot: int) -> None:
        row, in_tick = self._kept_rows[use.side], self._kept_ticks[use.side]
        if use.measure is None:
            in_tick.add(delta.unanswered, delta.unanswered, 0, {})
        elif use.measure is Measure.LATENCY:
            errors = delta.counted if class_of(use.status) >= 4 else 0
            in_tick.add(delta.counted, errors, 0, delta.histogram)
            self._kept_status[use.side][use.status] += delta.counted
            row.finish(tick, slot, delta.counted, errors, delta)

    def _add_to(self, row: _Row, delta: CellDelta, use: CellUse, tick: int, slot: int) -> None:
        if use.measure is None:
            row.open += delta.counted - delta.unanswered - delta.moved - sum(delta.rest)
            row.request_bytes += delta.bytes
            row.response_bytes += delta.rest_bytes
            for status, count in enumerate(delta.rest):
                row.finish(tick, slot, count, count if status >= 4 else 0)
            if use.in_scope:
                row.unanswered += delta.unanswered
                row.finish(tick, slot, delta.unanswered, delta.unanswered)
        elif use.measure is Measure.LATENCY:
            row.open -= delta.counted
            if use.in_scope:
                row.truncated += delta.unanswered
                row.response_bytes += delta.bytes
                row.max_ns = max(row.max_ns, delta.max_ns)
                errors = delta.counted if class_of(use.status) >= 4 else 0
                row.finish(tick, slot, delta.counted, errors, delta)
        elif use.in_scope:
            spent = row.times.setdefault(use.measure, _Span())
            spent.add(delta.counted, 0, delta.sum_ns, delta.histogram)
            row.max_times_ns[use.measure] = max(row.max_times_ns.get(use.measure, 0), delta.max_ns)

    def _row(self, row: int) -> _Row:
        found = self._rows.setdefault(row, _Row())
        found.first = self._slots.first
        return found

    def read(self, tick: int, rows: int) -> Sums:
        numbered = [self._rows.get(number) for number in range(rows)]
        cells = max(self._counted, default=0) + 1
        return Sums(
            b"".join(
                ROW.pack(*figures_of(row, tick)) if row is not None else _NO_ROW for row in numbered
            ),
            b"".join(
                times_of(row) if row is not None and row.times else _NO_TIMES for row in numbered
            ),
            b"".join(self._cell(at) for at in range(cells)),
            (self._side(0), self._side(1)),
            self._unmeasured,
            (self._kept_side(0), self._kept_side(1)),
        )

    def _cell(self, cell: int) -> bytes:
        size, sum_ns, *wrapping = self._figures_of[cell]
        return CELL.pack(self._counted[cell], size, sum_ns, *(one % (1 << 32) for one in wrapping))

    def _side(self, side: int) -> SideFigures:
        row = self._row(SIDE_ROWS[side])
        return self._figures(self._side_ticks[side], row, self._status[side])

    def _kept_side(self, side: int) -> SideFigures:
        return self._figures(self._kept_ticks[side], self._kept_rows[side], self._kept_status[side])

    def _figures(self, tick: _Span, row: _Row, statuses: Counter[int]) -> SideFigures:
        status = {code: count for code, count in statuses.items() if count}
        return SideFigures(
            tick.requests, tick.errors, status, dict(+row.window().histogram),
            dict(+tick.histogram), dict(+row.total.histogram),
        )  # fmt: skip

    def take_rest(self) -> list[tuple[int, int, int]]:
        found, self._rest = self._rest, []
        return sorted(found)

    def end_tick(self) -> None:
        self._side_ticks, self._kept_ticks = (_Span(), _Span()), (_Span(), _Span())

    def merge(self, row: int, into: int, cells: Iterable[int]) -> None:
        less, more = self._rows.pop(row, _Row()), self._row(into)
        for name in ("open", "unanswered", "truncated", "request_bytes", "response_bytes"):
            setattr(more, name, getattr(less, name) + getattr(more, name))
        more.max_ns = max(less.max_ns, more.max_ns)
        _join(more.total, less.total)
        for slot, span in less.slots.items():
            _join(more.slots.setdefault(slot, _Span()), span)
        if less.tick_number >= more.tick_number:
            if less.tick_number > more.tick_number:
                more.tick, more.tick_number, more.unmeasured_in_tick = _Span(), less.tick_number, 0
            _join(more.tick, less.tick)
            more.unmeasured_in_tick += less.unmeasured_in_tick
        for measure, span in less.times.items():
            _join(more.times.setdefault(measure, _Span()), span)
            longest = max(more.max_times_ns.get(measure, 0), less.max_times_ns[measure])
            more.max_times_ns[measure] = longest
        for cell in cells:
            use = self._uses[cell]
            assert use is not None
            assert use.row == row
            self._uses[cell] = use._replace(row=into)

    def part(self, cell: int, responses: Collection[int], row: int) -> list[Answered]:
        in_flight = self._open.get(cell, 0)
        for at in (cell, *responses):
            use = self._uses[at]
            assert use is not None
            before = use.row
            self._uses[at] = use._replace(row=row)
            if at != cell:
                in_flight -= self._over.get(at, 0)
        self._row(before).open -= in_flight
        self._row(row).open += in_flight
        return self.answered(responses)

    def counted(self, cells: Collection[int]) -> list[int]:
        return [self._counted[cell] for cell in cells]

    def answered(self, cells: Collection[int]) -> list[Answered]:
        return [Answered.of(self._cell(cell), 0) for cell in cells]

    def histograms(self, row: int, cells: Iterable[int]) -> list[Histogram]:
        del row
        return [dict(+self._histograms[cell]) for cell in cells]

    def rest(self, cell: int) -> Rest:
        return self._rests.get(cell, Rest((0,) * CLASSES, 0))

    def pages(
        self, cells: Collection[int] | None = None
    ) -> Iterator[tuple[Sequence[int], memoryview]]:
        keys = array("I")
        pages = bytearray()
        for cell, histogram in self._histograms.items():
            octaves = {bucket // BUCKETS_PER_OCTAVE for bucket in histogram}
            for octave in octaves if cells is None or cell in cells else ():
                first = octave * BUCKETS_PER_OCTAVE
                counts = [histogram[first + n] % (1 << 32) for n in range(BUCKETS_PER_OCTAVE)]
                keys.append(cell * OCTAVES + octave)
                pages += array("I", counts).tobytes()
        half = len(keys) // 2
        for some in (slice(0, half), slice(half, None)):
            size = 4 * BUCKETS_PER_OCTAVE
            stop = None if some.stop is None else some.stop * size
            yield keys[some], memoryview(bytes(pages))[some.start * size : stop]

    def octaves(self) -> dict[int, int]:
        return {
            cell: len({bucket // BUCKETS_PER_OCTAVE for bucket in +histogram})
            for cell, histogram in self._histograms.items()
        }

    def in_flight(self, cell: int, responses: Iterable[int]) -> int:
        """Return the requests of a cell that are not over."""
        return self._open.get(cell, 0) - sum(self._over.get(at, 0) for at in responses)

    def blank(self, cell: int) -> None:
        """Have a cell be as if it had never counted."""
        for known in (
            self._uses, self._counted, self._open, self._over, self._figures_of,
            self._histograms, self._rests,
        ):  # fmt: skip
            known.pop(cell, None)
        self._kept.discard(cell)


class ReferenceReturns:
    """Gives cells back two ticks later; a :class:`httptop.collect.sums.CellReturns`."""

    def __init__(self, sums: ReferenceSums, forget: Callable[[int], None]) -> None:
        self.part_taken = 0.0
        self._sums, self._forget = sums, forget
        self._retired: dict[int, tuple[set[int], int]] = {}  # cell -> its responses, ticks

    def retire(self, endpoints: Mapping[int, Collection[int]]) -> None:
        assert not endpoints.keys() & self._retired.keys()
        self._retired |= {cell: (set(responses), 0) for cell, responses in endpoints.items()}

    def unused(self, used: Collection[int]) -> tuple[set[int], int]:
        del used
        return set(), 0

    def add(self, cell: int, response: int) -> None:
        self._retired[cell][0].add(response)

    def taken(self) -> RoomTaken:
        return RoomTaken(self.part_taken, 0.0, 0.0)

    def tables(self) -> dict[str, float]:
        return {"endpoints": self.part_taken}

    def step(self, leaving: Callable[[Collection[int]], None]) -> list[int]:
        returned: list[int] = []
        gone: list[int] = []
        for cell, (responses, ticks) in list(self._retired.items()):
            self._retired[cell] = (responses, ticks + 1)
            if ticks and not self._sums.in_flight(cell, responses):
                del self._retired[cell]
                returned += [cell, *responses]
                gone.append(cell)
        if gone:
            leaving(gone)
        for cell in returned:
            self._sums.blank(cell)
            self._forget(cell)
        return returned


class ReferenceFigures(dict[int, PartyFigures]):
    """What parties have had; see ``collect.parties.AllFigures``."""

    def of(self, number: int) -> PartyFigures:
        return self.get(number, NO_FIGURES)

    def columns(self, end: int) -> PartyColumns:
        found = [self.of(number) for number in range(end)]
        return PartyColumns(*([one[at] for one in found] for at in range(5)))

    def packed(self) -> ReferenceFigures:
        return self

    def whole(self) -> ReferenceFigures:
        return self

    def changed(self, before: AllFigures, numbers: Iterable[int]) -> list[int]:
        return [number for number in numbers if self.of(number) != before.of(number)]


class ReferenceParties:
    """Parties with the numbers that tests give them; a ``collect.parties.PartySource``."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.known: dict[int, Party] = {}
        self.counts = ReferenceFigures()
        self.given_back: list[int] = []
        self._new: dict[int, Party] = {}

    def add(self, number: int, party: Party, figures: PartyFigures) -> None:
        """Have a party have had this so far."""
        if number not in self.known:
            self.known[number] = self._new[number] = party
        self.counts[number] = figures

    def new(self) -> dict[int, Party]:
        found, self._new = self._new, {}
        return found

    def figures(self) -> ReferenceFigures:
        return ReferenceFigures(self.counts)

    def give_back(self, numbers: Collection[int]) -> None:
        for number in numbers:
            del self.known[number]
            del self.counts[number]
            self._new.pop(number, None)
        self.given_back += numbers


def _join(more: _Span, less: _Span) -> None:
    more.add(less.requests, less.errors, less.sum_ns, less.histogram)


def buckets_of(histogram: Counter[int]) -> tuple[int, ...]:
    """Return the buckets of the percentiles that rows have."""
    count = sum(histogram.values())
    if not count:
        return _NO_BUCKETS
    expanded = sorted(histogram.elements())
    return tuple(expanded[max(0, math.ceil(share * count / 1000) - 1)] for share in _SHARES)


def figures_of(row: _Row, tick: int) -> RowFigures:
    """Return the figures of a row; those of the kernel alone are 0."""
    window = row.window()
    in_tick = row.tick if row.tick_number == tick else _Span()
    unmeasured = row.unmeasured_in_tick if row.tick_number == tick else 0
    total = +row.total.histogram
    measures = sum(1 << TIMES.index(measure) + 1 for measure in row.times)
    figures = (
        row.total.requests, row.open, row.unanswered, row.truncated, row.request_bytes,
        row.response_bytes, row.total.sum_ns, row.max_ns, window.requests, window.errors,
        window.sum_ns, in_tick.sum_ns, sum(total.values()), sum((+window.histogram).values()), 0,
        *buckets_of(total), *buckets_of(+window.histogram),
        in_tick.requests - unmeasured, row.tick_number, 0, 0, measures,
    )  # fmt: skip
    return RowFigures._make(figures)


def times_of(row: _Row) -> bytes:
    """Return all times of a row's responses."""
    return b"".join(ROW_TIME.pack(*time_of(row, measure)) for measure in TIMES)


def time_of(row: _Row, measure: Measure) -> TimeFigures:
    """Return a time of a row's responses."""
    span = row.times.get(measure, _Span())
    histogram = Counter(span.histogram)
    if measure is Measure.DURATION and measure in row.times:
        whole = Counter(row.total.histogram)
        whole.subtract(row.times.get(Measure.HANDLING, _Span()).histogram)
        histogram += +whole
    count = sum(histogram.values())
    longest = row.max_times_ns.get(measure, 0)
    return TimeFigures._make((span.sum_ns, longest, count, 0, *buckets_of(histogram)))


_NO_ROW: Final = ROW.pack(*figures_of(_Row(), 0))
_NO_TIMES: Final = times_of(_Row())
