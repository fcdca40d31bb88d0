"""The sums of rows: what the cells of a source count, added up by row.

The collector says what each cell is for; the source adds up what its cells count, keeps the window
and finds percentiles. The live source has the kernel do that (bpf/c/sums.h), so the layouts are its
own. Rows have numbers; the first ones are the sides, which have the sums of all their rows.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from httptop.collect.histogram import Histogram
from httptop.collect.measure import Measure

#: A row: :class:`RowFigures`. A time of a row's responses: :class:`TimeFigures`.
ROW: Final = struct.Struct("<Qq13Q12HiIIBB2x")
ROW_TIME: Final = struct.Struct("<4Q6H4x")
#: A cell of responses: how many, bytes, the sum of their latencies (ns), how many were cut off, and
#: how many have no latency, as no histogram had room. A cell of requests: how many have begun,
#: bytes, their responses that are in no cell, how many are unanswered, and how many count elsewhere
#: after all. The last two may have wrapped around.
CELL: Final = struct.Struct("<3Q2I8x")
#: The classes that statuses have: a digit, 0 for unknown ones.
CLASSES: Final = 6
#: The measures of a row's times, in their order.
TIMES: Final = (Measure.WAIT, Measure.HANDLING, Measure.SENDING, Measure.DURATION)
#: The rows of the sides, in the order of model.SIDES, and the first of an endpoint.
SIDE_ROWS: Final = (1, 2)
FIRST_ROW: Final = 3


class RowFigures(NamedTuple):
    """The sums of a row, since start where nothing else is said."""

    requests: int  # that are over: with their final response, or without one for good
    open: int  # begun, less those that are over; may be below 0 for a moment
    unanswered: int
    truncated: int  # responses that the connection's end cut off
    request_bytes: int
    response_bytes: int
    latency_sum_ns: int
    latency_max_ns: int
    window_requests: int
    window_errors: int  # of these: with a status of 400 or more, or unanswered
    window_sum_ns: int  # of latencies
    tick_sum_ns: int
    total_count: int  # latencies that have a place in the histogram
    window_count: int
    groups: int  # the source's own
    # The buckets of percentiles: 50, 90, 95, 99, 99.9 and 100.
    total_p50: int
    total_p90: int
    total_p95: int
    total_p99: int
    total_p999: int
    total_p100: int
    window_p50: int
    window_p90: int
    window_p95: int
    window_p99: int
    window_p999: int
    window_p100: int
    tick_count: int  # latencies in tick_sum_ns
    tick: int  # the last one in which anything was counted
    log_number: int  # the source's own, like the next one
    changed: int
    measures: int  # bits of the measures that it has times of

    @classmethod
    def of(cls, rows: bytes | mmap.mmap, number: int) -> RowFigures:
        """Return those of a row, of ROW after ROW."""
        return cls(*ROW.unpack_from(rows, number * ROW.size))


class TimeFigures(NamedTuple):
    """A time of a row's responses, since start; the buckets of percentiles as in a row."""

    sum_ns: int
    max_ns: int
    measured: int  # of durations: those of all responses, however they were sent
    groups: int
    p50: int
    p90: int
    p95: int
    p99: int
    p999: int
    p100: int


class Answered(NamedTuple):
    """What cells of responses have counted; below 0 where another row has counted more."""

    responses: int
    measured: int  # of these: those whose latency is known
    sum_ns: int  # of these latencies

    @classmethod
    def of(cls, cells: bytes | bytearray | mmap.mmap, cell: int) -> Answered:
        """Return that of a cell, of CELL after CELL."""
        count, _, sum_ns, _, unmeasured = CELL.unpack_from(cells, cell * CELL.size)
        return cls(count, count - unmeasured, sum_ns)

    def plus(self, more: Answered, sign: int = 1) -> Answered:
        """Return both together, or what is left without the other (``sign`` -1)."""
        return Answered(
            self.responses + sign * more.responses,
            self.measured + sign * more.measured,
            self.sum_ns + sign * more.sum_ns,
        )


NOT_ANSWERED: Final = Answered(0, 0, 0)


@dataclass(frozen=True, slots=True)
class SideFigures:
    """What only a side has, beside its row."""

    tick_requests: int
    tick_errors: int
    status: Mapping[int, int]  # code -> responses
    window: Histogram  # of latencies
    tick: Histogram
    total: Histogram


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of one moment."""

    rows: bytes  # ROW after ROW
    times: bytes  # for each row, a ROW_TIME for each of TIMES
    cells: bytes  # CELL after CELL
    sides: tuple[SideFigures, SideFigures]
    #: Latencies that are in no histogram, since there was no room.
    unmeasured: int
    #: Of what the screen's filter picks (:meth:`RowSums.keep`), since it does: of each side.
    kept: tuple[SideFigures, SideFigures]


class Rest(NamedTuple):
    """Responses of an endpoint that are in no cell of their own."""

    by_class: tuple[int, ...]
    bytes: int


class Slots(NamedTuple):
    """The slots of time that the window has, up to the last one; numbered since the run began."""

    first: int  # may be lower than it was: some come back into the window
    #: Each that the window can begin with, now or once it has another length; ascending, the last
    #: one is that of what is read now. Those before never come back.
    starts: tuple[int, ...]

    @property
    def kept(self) -> int:
        """The first one that may come back."""
        return self.starts[0]

    @property
    def last(self) -> int:
        """The one of what is read now."""
        return self.starts[-1]


class CellUse(NamedTuple):
    """What a cell is for."""

    row: int
    side: int  # index into model.SIDES
    measure: Measure | None = None  # of responses; None: requests
    status: int = 0  # of responses
    in_scope: bool = True  # whether responses, or unanswered requests, are counted


class RoomTaken(NamedTuple):
    """Which part of the room of each kind is taken, 0 to 1."""

    endpoints: float  # cells of requests
    responses: float  # cells of responses
    histograms: float  # pages


class CellReturns(Protocol):
    """The way back of cells that are of no use any more; for the collector's thread alone.

    It takes some ticks. Until then they count, in their row, what is under way; a new request for
    such an endpoint has other cells.
    """

    def retire(self, endpoints: Mapping[int, Collection[int]]) -> None:
        """Begin to give back cells of requests, each with the cells of its responses."""

    def unused(self, used: Collection[int]) -> tuple[Collection[int], int]:
        """Return cells of requests that are none of those used, and were none the last time.

        They are those of requests that have begun and were not whole so far. Returns as well how
        many cells take room and are none of those used: also new ones, and those on their way back.
        """

    def add(self, cell: int, response: int) -> None:
        """Have a cell of responses that a retired endpoint has got since be given back with it."""

    def taken(self) -> RoomTaken:
        """Return which part of the room is taken."""

    def tables(self) -> Mapping[str, float]:
        """Return which part of each table is taken, 0 to 1, by the names of Overhead.tables."""

    def step(self, leaving: Callable[[Collection[int]], None]) -> Collection[int]:
        """Do a tick's work, after :meth:`RowSums.add`; return the cells that are back.

        They have no use any more, and may have another at once. ``leaving`` gets those of requests
        before they, and those of their responses, are blanked.
        """


class RowSums(Protocol):
    """The sums that a source keeps; for the collector's thread alone."""

    @property
    def most_rows(self) -> int:
        """The number of rows there is room for."""

    @property
    def window_bytes(self) -> int:
        """The memory that the log of the window takes, with the slots that may come back."""

    def log_bytes(self, slot: int, end: int) -> int:
        """Return what slots have of that memory, from ``slot`` to before ``end``."""

    @property
    def window_is_crowded(self) -> bool:
        """Whether rows that are gone, but are in the window still, leave little room for others."""

    def has_room(self) -> bool:
        """Return whether another row may be used: the window may still have too many that were."""

    def use(self, cell: int, use: CellUse | None) -> None:
        """Say what a cell is for that had no use before; None: for nothing."""

    def keep(self, cells: Iterable[int], *, kept: bool) -> None:
        """Say whether the screen's filter picks what cells count from now on.

        Of cells of requests these are the unanswered ones. A cell that gets a use is not picked.
        """

    def keep_anew(self) -> None:
        """Begin the sums of what is picked anew."""

    def add(self, tick: int, slots: Slots) -> Collection[int]:
        """Add what cells have counted since the last call, in a tick and the last one of the slots.

        The window has these slots then: others leave it, and some may come back. Returns the cells
        that have counted and whose use is not known. What they have counted is still there for the
        next call.
        """

    def take_rest(self) -> Iterable[tuple[int, int, int]]:
        """Return (endpoint's cell, status class, responses) of what :meth:`add` has added.

        They are those for whose status there was no cell. A class is a status of one digit.
        """

    def counted(self, cells: Collection[int]) -> list[int]:
        """Return how many requests or responses each of these cells has counted so far."""

    def answered(self, cells: Collection[int]) -> list[Answered]:
        """Return what each of these cells of responses has counted so far."""

    def histograms(self, row: int, cells: Iterable[int]) -> list[Histogram]:
        """Return the latencies that each of these cells of a row's responses has counted so far."""

    def rest(self, cell: int) -> Rest:
        """Return the responses to an endpoint's requests that are in no cell of their own."""

    def pages(
        self, cells: Collection[int] | None = None
    ) -> Iterator[tuple[Sequence[int], memoryview]]:
        """Yield the histograms of cells of responses, of any measure; None: of all cells.

        They come in pieces, each of which lasts until the next: keys, and for each 32 buckets, of
        32 bits each, which may have wrapped around. A key is ``cell * OCTAVES + octave``.
        """

    def octaves(self) -> Mapping[int, int]:
        """Return of how many octaves each cell of responses has a histogram, by cell; none: 0."""

    def read(self, tick: int, rows: int) -> Sums:
        """Return the sums of as many rows, with those of ``tick``."""

    def end_tick(self) -> None:
        """Begin the sums of a tick anew, those of the sides."""

    def merge(self, row: int, into: int, cells: Iterable[int]) -> None:
        """Add all sums of a row to those of another, where ``cells`` count from then on.

        They are those of the row, which is as new then.
        """

    def part(self, cell: int, responses: Collection[int], row: int) -> list[Answered]:
        """Have a cell of requests, and those of their responses, count in another row from now on.

        That gets the requests in flight; what is over stays where it is. Returns what each of
        ``responses`` has counted so far.
        """
