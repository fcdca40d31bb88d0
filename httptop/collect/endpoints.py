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

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from httptop.collect.containers import Containers
from httptop.collect.endpoint_cells import Endpoint, EndpointCells
from httptop.collect.endpoint_keys import (
    LAST_RESORT,
    LAST_RESORT_KEYS,
    OWN_PATHS,
    key_of,
    own_key,
)
from httptop.collect.forgetting import (
    FULL,
    Forgetting,
    RowActivity,
    idle,
    longest_idle,
    surplus,
)
from httptop.collect.in_flight import InFlight, in_flight_of
from httptop.collect.measure import Measure
from httptop.collect.not_found import NOT_FOUND_STATUSES
from httptop.collect.parties import PartyBook, PartySource
from httptop.collect.path_rules import PathRules
from httptop.collect.row_book import RowBook
from httptop.collect.row_table import RowTable, TickMeans
from httptop.collect.side_totals import SideTotals
from httptop.collect.source import LEFT_OUT, RawEndpoint, RawInFlight, RawResponse
from httptop.collect.sums import (
    ROW,
    SIDE_ROWS,
    CellReturns,
    CellUse,
    RowFigures,
    RowSums,
    SideFigures,
    Sums,
)
from httptop.config.scope import Scope
from httptop.linux import heap
from httptop.linux.owners import Users
from httptop.model import (
    IDLE_PATH,
    NOT_FOUND_PATH,
    OVERFLOW_PATH,
    SIDES,
    STATUS_UNKNOWN,
    EndpointKey,
    RequestInFlight,
    Side,
    Totals,
)

#: Of so many rows one may be httptop's own: each process has some.
_OWN_PART: Final = 4
#: Endpoints that get a row of their own in a tick, of those for which there was none.
_PLACED_AT_ONCE: Final = 256

#: Ticks of an endpoint's trend; those of the totals are a setting.
TREND_TICKS: Final = 40


#: Returns what cells are for: those of requests, those of responses.
Names = Callable[[Collection[int]], tuple[Mapping[int, RawEndpoint], Mapping[int, RawResponse]]]


class EndpointRows:
    """All rows of a run, and the sums of both sides; for the collector's thread alone."""

    def __init__(
        self,
        sums: RowSums,
        returns: CellReturns,
        parties: PartySource,
        scope: Scope,
        rules: PathRules,
        *,
        max_distinct: int,
        max_not_found: int,
        history: int,
    ) -> None:
        """``history``: ticks in the trends of both sides; a row has at most TREND_TICKS.

        ``max_not_found``: how many rows with no outcome but 404 and the like a process and side may
        have before they become one; 0: any number.
        """
        self._sums, self._scope, self._rules = sums, scope, rules
        self._returns = returns
        self._parties = PartyBook(parties)
        self._in_flight = InFlight()
        self._users = Users()
        self._containers = Containers()
        self._displaced: deque[int] = deque()  # cells that count in ~other
        self._overflow_before = 0
        self._crowding: str | None = None
        self._forgetting = Forgetting()
        self._max_distinct, self._max_not_found = max_distinct, max_not_found
        self._book = RowBook(sums.most_rows)
        self._most_own = sums.most_rows // _OWN_PART
        self._cells = EndpointCells(sums, returns, self._book)
        for keys in LAST_RESORT.values():
            for key in keys.values():
                self._book.make(key)
        self._paths: dict[tuple[Side, str, str], set[str]] = {}
        self._trends: deque[TickMeans] = deque(maxlen=min(TREND_TICKS, history))
        self._sides = {side: SideTotals(history) for side in SIDES}
        self._tick = 1
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
    def crowding(self) -> str | None:
        """A sentence about tables that had no room in the last tick, and who has most of it."""
        return self._crowding

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

    def in_flight(
        self, requests: Iterable[RawInFlight], now_ns: float
    ) -> tuple[RequestInFlight, ...]:
        """Note the requests in flight at ``now_ns``, monotonic; return the oldest ones."""

        def row_of(cell: int) -> int | None:
            known = self._cells.get(cell)
            return None if known is None else known.row

        self._in_flight = in_flight_of(requests, now_ns, row_of, self._book.key_of)
        return self._in_flight.requests

    def table(self, covered_s: float) -> RowTable:
        """Return the rows with requests, in no order; ``covered_s`` as in :meth:`totals`."""
        now = self._now()
        shown = self._book.shown(now.rows)
        names, trends = self._book.names(), tuple(self._trends)
        parties = self._parties.table(split=not self._scope.by_status)
        oldest_ns = self._in_flight.oldest_ns
        return RowTable(now, shown, names, trends, covered_s, parties, oldest_ns, self._containers)

    def key_of(self, cell: int, status: int) -> EndpointKey | None:
        """Return the key of the row that a request of a cell is counted in; None: in none."""
        known = self._cells.get(cell)
        if known is None or known.row is None or not self._scope.admits(known.scope_key, status):
            return None
        return self._book.key_of(known.row)

    def _place_of(self, cell: int) -> int | None:
        """Return the row of a cell of requests, None: it is in none; raise KeyError."""
        known = self._cells.get(cell)
        if known is None:
            raise KeyError(cell)
        return known.row

    def _user_of(self, cell: int) -> str:
        known = self._cells.get(cell)
        return "" if known is None else known.key.user

    # ---- a tick ------------------------------------------------------------------------------

    def count(self, slot: int, names: Names) -> None:
        """Add what cells have counted; the window ends with a slot, by number."""
        self._latest, self._in_flight = None, InFlight()
        unknown = self._sums.add(self._tick, slot)
        if unknown:
            self._register(*names(unknown))
            self._sums.add(self._tick, slot)
        for cell, status, count in self._sums.take_rest():
            known = self._cells.get(cell)
            if known is not None and known.row is not None:
                self._take_out_found(cell, known, status)
                self._book.add_apart(known.row, status, count)
        self._cells.count_retired()
        if self._max_not_found:
            self._fold_not_found()
        self._parties.take(self._place_of)

    def end_tick(self, elapsed_s: float) -> None:
        """End the tick, which lasted ``elapsed_s``: its values join the trends."""
        self._trends.append(TickMeans.of(self._now().rows))
        for number, side in enumerate(SIDES):
            self._sides[side].end_tick(*self._side(number), elapsed_s)
        self._sums.end_tick()
        self._tick += 1

    # ---- what cells are for ------------------------------------------------------------------

    def _register(
        self, endpoints: Mapping[int, RawEndpoint], responses: Mapping[int, RawResponse]
    ) -> None:
        """Say what new cells are for."""
        # A lower number was given out earlier.
        for cell in sorted(endpoints.keys() - self._cells.endpoints.keys()):
            known = self._cells.endpoints[cell] = self._endpoint(endpoints[cell])
            shown = known.scope_key
            if self._scope.admits_key(shown):
                known.row = self._row(shown)
                if shown.path not in OWN_PATHS and known.row in self._book.overflow:
                    self._displaced.append(cell)
            self._use_for_requests(cell, known)
        for cell in sorted(responses.keys() - self._cells.responses):
            raw = responses[cell]
            if raw.endpoint in self._cells.endpoints:
                self._register_responses(cell, raw, self._cells.endpoints[raw.endpoint])
            elif raw.endpoint in self._cells.retired:
                retired = self._cells.retired[raw.endpoint]
                self._register_responses(cell, raw, retired)
                self._returns.add(raw.endpoint, cell)

    def _register_idle(self, endpoints: Mapping[int, RawEndpoint]) -> dict[int, Endpoint]:
        """Say that new cells, which are given back at once, are for ``~idle``; return them."""
        found: dict[int, Endpoint] = {}
        for cell, raw in endpoints.items():
            known = found[cell] = self._endpoint(raw)
            if self._scope.admits_key(known.scope_key):
                known.row = self._row(own_key(known.key, IDLE_PATH))
            self._use_for_requests(cell, known)
        return found

    def _endpoint(self, raw: RawEndpoint) -> Endpoint:
        key = key_of(raw, self._users)
        return Endpoint(key, self._by_rules(key))

    def _use_for_requests(self, cell: int, known: Endpoint) -> None:
        use = None
        if known.row is not None:
            counts = self._scope.admits(known.scope_key, STATUS_UNKNOWN)
            use = CellUse(known.row, SIDES.index(known.key.side), in_scope=counts)
        self._sums.use(cell, use)

    def _register_responses(self, cell: int, raw: RawResponse, endpoint: Endpoint) -> None:
        self._cells.responses.add(cell)
        counts = raw.status != LEFT_OUT and self._scope.admits(endpoint.scope_key, raw.status)
        latency = raw.measure is Measure.LATENCY
        if endpoint.row is not None and latency:
            self._take_out_found(raw.endpoint, endpoint, raw.status)
            if not counts:
                self._book.note_other_outcome(endpoint.row)
        # Those out of scope are not counted, but they are over, too.
        if endpoint.row is None or not (counts or latency):
            self._sums.use(cell, None)
            return
        side = SIDES.index(endpoint.key.side)
        self._sums.use(cell, CellUse(endpoint.row, side, raw.measure, raw.status, counts))
        if counts and latency:
            if raw.endpoint in self._cells.endpoints:
                self._book.add_status(endpoint.row, raw.status, cell)
            endpoint.responses.append((cell, raw.status))
        else:
            endpoint.responses.append((cell, None))

    def _paths_of(self, key: EndpointKey) -> set[str]:
        return self._paths.setdefault((key.side, key.process, key.method), set())

    def _drop_path(self, key: EndpointKey) -> None:
        """Count a path no longer that a process had; processes come and go, too."""
        paths = self._paths_of(key)
        paths.discard(key.path)
        if not paths:
            del self._paths[key.side, key.process, key.method]

    def _by_rules(self, key: EndpointKey) -> EndpointKey:
        path = self._rules.apply(key.path)
        return key if path == key.path else replace(key, path=path)

    def _row(self, key: EndpointKey) -> int:
        """Return the row of a key, or that of ``~other`` if there are too many."""
        row = self._book.number_of(key)
        if row is not None:
            return row
        paths = self._paths_of(key)
        always = key.path in OWN_PATHS
        if always and len(self._book.own) >= self._most_own:
            return self._last_resort(key)
        few = always or key.path in paths or len(paths) < self._max_distinct
        if few and self._sums.has_room():
            row = self._book.make(key)
        if row is None:
            return self._last_resort(key) if always else self._row(own_key(key, OVERFLOW_PATH))
        if not always:
            paths.add(key.path)
        return row

    # ---- what is not found -------------------------------------------------------------------

    def _fold_not_found(self) -> None:
        """Have rows with no outcome but 404 and the like count in ``~not found``, if many."""
        merged: dict[int, int] = {}
        for rows in self._book.only_not_found.by_owner():
            first = self._book.key_of(next(iter(rows)))
            assert first is not None
            key = own_key(first, NOT_FOUND_PATH)
            if self._book.number_of(key) is None and len(rows) <= self._max_not_found:
                continue
            going = [row for row in rows if self._has_only_responses(row)]
            into = self._row(key)
            if going and into in self._book.not_found:
                self._book.note_paths(into, going)
                merged |= dict.fromkeys(going, into)
        if merged:
            for row in merged:
                key_of_row = self._book.key_of(row)
                assert key_of_row is not None
                self._drop_path(key_of_row)
            self._merge(merged)
            self._latest = None

    def _has_only_responses(self, row: int) -> bool:
        figures = RowFigures(*ROW.unpack_from(self._now().rows, row * ROW.size))
        return not figures.unanswered and figures.open <= 0

    def _take_out_found(self, cell: int, endpoint: Endpoint, status: int) -> None:
        """Have an endpoint of ``~not found`` that has another outcome count in a row of its own."""
        if endpoint.row not in self._book.not_found or status in NOT_FOUND_STATUSES:
            return
        if cell in self._cells.endpoints:  # those on their way back stay
            self._part(cell, endpoint, self._row(self._by_rules(endpoint.key)))
            self._latest = None

    # ---- what is forgotten -------------------------------------------------------------------

    def forget(self, now_s: float, forget_s: float, names: Names) -> None:
        """Forget rows at the end of a tick: those idle for ``forget_s``, 0: none of these.

        Where room is short, others are forgotten, too; see forgetting.py.
        """
        self._parties.end(self._cells.take_back())
        tick, full = self._tick - 1, self._returns.full()
        since = self._forgetting.idle_since(tick, now_s, forget_s)
        self._crowding = self._say_crowding()
        self._parties.make_room(tick, self._user_of)
        self._place_displaced()
        is_due = self._forgetting.is_due(now_s, forget_s)
        if is_due or full > FULL:
            self._look(tick, since, full, names)
        self._move_down()
        if is_due:
            heap.give_back()

    def _look(self, tick: int, since: int, full: float, names: Names) -> None:
        """Forget what has been idle since a tick, and what is to make room."""
        activity, rows = RowActivity.of(self._now().rows), self._book.by_owner
        unused, others = self._returns.unused(self._cells.endpoints)
        gone = {row for some in rows.values() for row in idle(some, activity, since)}
        gone.update(surplus(rows, activity, tick, full, others))
        last = {self._book.number_of(key) for key in LAST_RESORT_KEYS}
        own = [row for row in self._book.own if row not in last]
        gone.update(longest_idle(own, activity, len(own) - self._most_own * 3 // 4))
        without = {None, *last, *self._book.not_found}
        cells = self._cells.idle_since(without, tick - 1 if full > FULL else since, tick)
        # Rows of our own stay with what they have counted.
        still = set(idle(own, activity, since)) - gone - self._book.not_found
        for some in self._cells.by_row(still).values():
            cells += some
        retired = self._cells.without(cells) | self._forget(gone)
        if unused:
            retired |= self._register_idle(names(unused)[0])
        if retired:
            self._cells.retire(retired)
            self._latest = None

    def _move_down(self) -> None:
        """Have rows use low numbers, if few of many are left."""
        if moves := self._book.scattered():
            self._cells.move(moves)
            self._parties.move(moves)
            self._book.renumber(moves)
            self._merge_trends(moves)
            self._in_flight = self._in_flight.moved(moves)
            self._latest = None

    def _forget(self, gone: Collection[int]) -> dict[int, Endpoint]:
        """Have rows count in ``~idle``; return their endpoints, whose cells are not needed."""
        merged: dict[int, int] = {}
        for row in gone:
            key = self._book.key_of(row)
            assert key is not None
            merged[row] = self._row(own_key(key, IDLE_PATH))
            if key.path in OWN_PATHS:  # there are too many of our own
                merged[row] = self._last_resort(key)
            for code, count in self._book.apart(row).items():
                self._book.add_apart(merged[row], code, count)
            self._drop_path(key)
        if not merged:
            return {}
        taken = {cell: self._cells.endpoints.pop(cell) for cell in self._cells.move(merged)}
        self._parties.move(merged)
        self._book.forget(merged)
        self._merge_trends(merged)
        return taken

    def _place_displaced(self) -> None:
        """Have endpoints for which there was no row count in one, as far as there is room now."""
        for _ in range(min(len(self._displaced), _PLACED_AT_ONCE)):
            cell = self._displaced.popleft()
            endpoint = self._cells.endpoints.get(cell)
            if endpoint is None or endpoint.row not in self._book.overflow:
                continue
            row = self._row(self._by_rules(endpoint.key))
            if row in self._book.overflow:
                self._displaced.append(cell)
                continue
            self._part(cell, endpoint, row)
            self._latest = None

    def _say_crowding(self) -> str | None:
        rows = self._book.by_owner
        before, self._overflow_before = self._overflow_before, self.overflow_requests
        if (more := self._overflow_before - before) <= 0 or not rows:
            return None
        (_, process, user), most = max(rows.items(), key=lambda item: len(item[1]))
        owner = f"{process} (user {user})" if user else process
        return (
            f"there was no room for all endpoints: {more} requests of the last tick are counted "
            f"under ~other; of {sum(map(len, rows.values()))} rows {owner} has {len(most)}"
        )

    def _last_resort(self, key: EndpointKey) -> int:
        """Return the row for a key of our own for which there is no room."""
        path = IDLE_PATH if key.path == IDLE_PATH else OVERFLOW_PATH
        row = self._book.number_of(LAST_RESORT[path][key.side])
        assert row is not None
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
            if key.path not in OWN_PATHS:
                self._paths_of(key).add(key.path)
        for cell, endpoint in self._cells.endpoints.items():
            if endpoint.row is not None and endpoint.row not in self._book.not_found:
                row = self._row(self._by_rules(endpoint.key))
                if row != endpoint.row:
                    self._part(cell, endpoint, row)
        self._book.look_again()
        self._latest = None
        return renamed

    def _merge(self, merged: Mapping[int, int]) -> None:
        """Merge rows into others, none of which is merged itself."""
        self._cells.move(merged)
        self._parties.move(merged)
        self._book.merge(merged)
        self._merge_trends(merged)

    def _merge_trends(self, merged: Mapping[int, int]) -> None:
        trends = [means.merged(merged) for means in self._trends]
        self._trends = deque(trends, self._trends.maxlen)

    def _part(self, cell: int, endpoint: Endpoint, row: int) -> None:
        """Have a cell count in another row from now on; what it has counted stays."""
        former, endpoint.row = endpoint.row, row
        assert former is not None
        cells = [response for response, _ in endpoint.responses]
        counts = self._sums.part(cell, cells, row)
        self._book.drop_cells(former, cells)
        self._parties.end([cell])
        for (response, code), count in zip(endpoint.responses, counts, strict=True):
            if code is not None:
                self._book.add_apart(former, code, count)
                self._book.add_apart(row, code, -count)
                self._book.add_status(row, code, response)
