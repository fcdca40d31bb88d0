"""Which row a cell counts in, and the rows of a moment.

A source counts in cells (source.py) and adds up what they count by row (sums.py); a row is an
endpoint as the screen shows it. Several cells share a row if their keys have become the same:
through a path template of the user's (path_rules.py), or because a process has more paths than
``paths.max_distinct``. Paths beyond that number, in order of appearance, are counted under
``~other``. Whether a cell is in the scope of the run is decided once, by the key it had when it was
registered.

When the path rules change, rows that now have the same path are merged with all they have counted,
so every sum stays the same. What a row has counted is never split again: if cells part later, each
takes only its requests in flight along.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from httptop.collect.measure import Measure
from httptop.collect.path_rules import PathRules
from httptop.collect.row_book import RowBook
from httptop.collect.row_table import RowTable, TickMeans
from httptop.collect.side_totals import SideTotals
from httptop.collect.source import LEFT_OUT, RawEndpoint, RawResponse
from httptop.collect.sums import (
    ROW,
    SIDE_ROWS,
    CellUse,
    RowFigures,
    RowSums,
    SideFigures,
    Sums,
)
from httptop.config.scope import Scope
from httptop.linux.users import name_of
from httptop.model import (
    BAD_REQUEST_PATH,
    OVERFLOW_PATH,
    SIDES,
    STATUS_UNKNOWN,
    EndpointKey,
    Side,
    Totals,
    clean,
)

#: Ticks of an endpoint's trend; those of the totals are a setting.
TREND_TICKS: Final = 40

#: Paths of rows that have a place however many others there are.
_ALWAYS: Final = (OVERFLOW_PATH, BAD_REQUEST_PATH)

#: The rows that count where there is no room for another one of ``~other``.
_LAST_RESORT: Final[Mapping[Side, EndpointKey]] = {
    side: EndpointKey(side, OVERFLOW_PATH, "HTTP/1.1", False, "OTHER", OVERFLOW_PATH)
    for side in SIDES
}

#: Returns what cells are for: those of requests, those of responses.
Names = Callable[[Collection[int]], tuple[Mapping[int, RawEndpoint], Mapping[int, RawResponse]]]


class _Endpoint:
    """A cell of requests and the cells of their responses."""

    __slots__ = ("key", "responses", "row", "scope_key")

    def __init__(self, key: EndpointKey, scope_key: EndpointKey) -> None:
        self.key = key  # as the source has it
        self.scope_key = scope_key  # as the path rules had it when the cell was registered
        self.row: int | None = None  # None: out of scope
        #: (cell, code) of those that have a use; None: the code does not count, or the cell has
        #: another measure.
        self.responses: list[tuple[int, int | None]] = []


class EndpointRows:
    """All rows of a run, and the sums of both sides; for the collector's thread alone."""

    def __init__(
        self,
        sums: RowSums,
        scope: Scope,
        rules: PathRules,
        *,
        max_distinct: int,
        history: int,
    ) -> None:
        """``history``: ticks in the trends of both sides; a row has at most TREND_TICKS."""
        self._sums, self._scope, self._rules = sums, scope, rules
        self._max_distinct = max_distinct
        self._endpoints: dict[int, _Endpoint] = {}  # by the cell of requests
        self._responses: set[int] = set()  # cells whose use is known
        self._book = RowBook(sums.most_rows)
        for key in _LAST_RESORT.values():
            self._book.make(key)
        self._paths: dict[tuple[Side, str, str], set[str]] = {}
        self._trends: deque[TickMeans] = deque(maxlen=min(TREND_TICKS, history))
        self._sides = {side: SideTotals(history) for side in SIDES}
        self._tick = 1
        self._slot = 0  # of the window
        self._latest: Sums | None = None  # None: out of date

    def _now(self) -> Sums:
        if self._latest is None:
            self._latest = self._sums.read(self._tick, self._book.end)
        return self._latest

    @property
    def overflow_requests(self) -> int:
        """Requests counted under ``~other``."""
        return self._book.overflow_requests(self._now().rows)

    @property
    def unmeasured_latencies(self) -> int:
        """Latencies for which the kernel had no histogram, since start."""
        return self._now().unmeasured

    def totals(self, covered_s: float) -> dict[Side, Totals]:
        """Return the sums of each side; ``covered_s``: the seconds that the window covers."""
        return {
            side: self._sides[side].totals(*self._side(number), covered_s)
            for number, side in enumerate(SIDES)
        }

    def _side(self, number: int) -> tuple[RowFigures, SideFigures]:
        now = self._now()
        row = RowFigures(*ROW.unpack_from(now.rows, SIDE_ROWS[number] * ROW.size))
        return row, now.sides[number]

    def table(self, covered_s: float) -> RowTable:
        """Return the rows with requests, in no order; ``covered_s`` as in :meth:`totals`."""
        now = self._now()
        shown = self._book.shown(now.rows)
        return RowTable(now, shown, self._book.names(), tuple(self._trends), covered_s)

    def key_of(self, cell: int, status: int) -> EndpointKey | None:
        """Return the key of the row that a request of a cell is counted in; None: in none."""
        known = self._endpoints.get(cell)
        if known is None or known.row is None or not self._scope.admits(known.scope_key, status):
            return None
        return self._book.key_of(known.row)

    # ---- a tick ------------------------------------------------------------------------------

    def count(self, slot: int, names: Names) -> None:
        """Add what cells have counted; the window ends with a slot, by number."""
        self._slot, self._latest = slot, None
        unknown = self._sums.add(self._tick, slot)
        if unknown:
            self._register(*names(unknown))
            self._sums.add(self._tick, slot)
        for cell, status, count in self._sums.take_rest():
            row = self._endpoints[cell].row
            if row is not None:
                self._book.add_apart(row, status, count)
        for row in self._book.expire(slot):
            self._sums.renew(row)

    def end_tick(self, elapsed_s: float) -> None:
        """End the tick, which lasted ``elapsed_s``: its values join the trends."""
        self._trends.append(TickMeans.of(self._now().rows))
        for number, side in enumerate(SIDES):
            self._sides[side].end_tick(*self._side(number), elapsed_s)
        self._sums.end_tick()
        self._tick += 1

    def note_processes(self, processes: Iterable[tuple[int, int]]) -> None:
        """Note all (cell, pid) pairs of processes active on endpoints."""
        pids: dict[int, set[int]] = {}
        for cell, pid in processes:
            known = self._endpoints.get(cell)
            if known is not None and known.row is not None:
                pids.setdefault(known.row, set()).add(pid)
        self._book.set_pids(pids)

    # ---- what cells are for ------------------------------------------------------------------

    def _register(
        self, endpoints: Mapping[int, RawEndpoint], responses: Mapping[int, RawResponse]
    ) -> None:
        """Say what new cells are for."""
        # A lower number was given out earlier.
        for cell in sorted(endpoints.keys() - self._endpoints.keys()):
            key = _key(endpoints[cell])
            shown = self._by_rules(key)
            known = self._endpoints[cell] = _Endpoint(key, shown)
            use = None
            if self._scope.admits_key(shown):
                known.row = self._row(shown)
                counts = self._scope.admits(shown, STATUS_UNKNOWN)
                use = CellUse(known.row, SIDES.index(key.side), in_scope=counts)
            self._sums.use(cell, use)
        for cell in sorted(responses.keys() - self._responses):
            raw = responses[cell]
            if raw.endpoint in self._endpoints:
                self._register_responses(cell, raw, self._endpoints[raw.endpoint])

    def _register_responses(self, cell: int, raw: RawResponse, endpoint: _Endpoint) -> None:
        self._responses.add(cell)
        counts = raw.status != LEFT_OUT and self._scope.admits(endpoint.scope_key, raw.status)
        latency = raw.measure is Measure.LATENCY
        # Those out of scope are not counted, but they are over, too.
        if endpoint.row is None or not (counts or latency):
            self._sums.use(cell, None)
            return
        side = SIDES.index(endpoint.key.side)
        self._sums.use(cell, CellUse(endpoint.row, side, raw.measure, raw.status, counts))
        if counts and latency:
            self._book.add_status(endpoint.row, raw.status, cell)
            endpoint.responses.append((cell, raw.status))
        else:
            endpoint.responses.append((cell, None))

    def _by_rules(self, key: EndpointKey) -> EndpointKey:
        path = self._rules.apply(key.path)
        return key if path == key.path else replace(key, path=path)

    def _row(self, key: EndpointKey) -> int:
        """Return the row of a key, or that of ``~other`` if there are too many."""
        row = self._book.number_of(key)
        if row is not None:
            return row
        paths = self._paths.setdefault((key.side, key.process, key.method), set())
        always = key.path in _ALWAYS
        if always or key.path in paths or len(paths) < self._max_distinct:
            row = self._book.make(key)
        if row is None:
            other = key.path == OVERFLOW_PATH
            return self._row(_LAST_RESORT[key.side] if other else _own(key, OVERFLOW_PATH))
        if not always:
            paths.add(key.path)
        return row

    # ---- other rules -------------------------------------------------------------------------

    def regroup(self, rules: PathRules) -> Mapping[EndpointKey, EndpointKey]:
        """Apply other path rules; return the former keys of rows, each with its new one."""
        self._rules = rules
        renamed: dict[EndpointKey, EndpointKey] = {}
        merged: dict[int, int] = {}
        for old, row in self._book.numbers.items():
            key = self._by_rules(old)
            if key == old:
                continue
            renamed[old] = key
            into = self._book.rename(row, key)
            if into != row:
                merged[row] = into
        if merged:
            self._merge(merged)
        self._paths.clear()
        for key in self._book.numbers:
            if key.path not in _ALWAYS:
                self._paths.setdefault((key.side, key.process, key.method), set()).add(key.path)
        for cell, endpoint in self._endpoints.items():
            if endpoint.row is not None:
                row = self._row(self._by_rules(endpoint.key))
                if row != endpoint.row:
                    self._part(cell, endpoint, row)
        self._book.look_again()
        self._latest = None
        return renamed

    def _merge(self, merged: Mapping[int, int]) -> None:
        """Merge rows into others, none of which is merged itself."""
        cells: dict[int, list[int]] = {}
        for cell, endpoint in self._endpoints.items():
            row = endpoint.row
            if row is not None and row in merged:
                responses = (response for response, _ in endpoint.responses)
                cells.setdefault(row, []).extend((cell, *responses))
                endpoint.row = merged[row]
        for row, into in merged.items():
            self._sums.merge(row, into, cells.get(row, ()))
            self._book.merge(row, into, self._slot)
        trends = [means.merged(merged) for means in self._trends]
        self._trends = deque(trends, self._trends.maxlen)

    def _part(self, cell: int, endpoint: _Endpoint, row: int) -> None:
        """Have a cell count in another row from now on; what it has counted stays."""
        former, endpoint.row = endpoint.row, row
        assert former is not None
        cells = [response for response, _ in endpoint.responses]
        counts = self._sums.part(cell, cells, row)
        self._book.drop_cells(former, cells)
        for (response, code), count in zip(endpoint.responses, counts, strict=True):
            if code is not None:
                self._book.add_apart(former, code, count)
                self._book.add_apart(row, code, -count)
                self._book.add_status(row, code, response)


def protocol_of(version: int) -> str:
    """Return the protocol that a source's number of a version stands for."""
    major, minor = divmod(version - 100, 10) if version >= 100 else (1, version)
    return f"HTTP/{major}.{minor}"


#: What clean() makes of a byte or character that cannot be shown.
_ESCAPE: Final = re.compile(rb"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})")


def _requested(path: bytes) -> str:
    """Return a path as text: none of httptop's own, and what looks like an escape is one."""
    text = clean(_ESCAPE.sub(rb"\\x5c", path))
    if text.startswith("~"):
        text = f"\\x7e{text[1:]}"
    return f"{text[:-1]}\\u2026" if text.endswith("…") else text


def _own(key: EndpointKey, path: str) -> EndpointKey:
    """Return the key of a row of httptop's own, of the same process and side."""
    return replace(key, protocol="HTTP/1.1", method="OTHER", path=path)


def _key(raw: RawEndpoint) -> EndpointKey:
    path = clean(raw.path) if raw.own else _requested(raw.path)
    if raw.truncated:
        path += "…"
    user = "" if raw.uid is None else clean(name_of(raw.uid).encode())
    protocol = protocol_of(raw.version)
    return EndpointKey(SIDES[raw.side], clean(raw.process), protocol, False, raw.method, path, user)
