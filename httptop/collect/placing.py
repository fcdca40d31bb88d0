"""Where cells count: in the row of their endpoint, or in one of httptop's own.

Several cells share a row if their keys have become the same: through a path template of the user's
(path_rules.py), or because a process has more paths than ``paths.max_distinct``. Paths beyond that
number, in order of appearance, are counted under ``~other``. Whether a cell is in the scope of the
run is decided once, by the key it had when it was registered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from httptop.collect.endpoint_cells import Endpoint
from httptop.collect.endpoint_keys import (
    LAST_RESORT,
    key_of,
    own_key,
)
from httptop.collect.measure import Measure
from httptop.collect.not_found import NOT_FOUND_STATUSES
from httptop.collect.path_rules import PathRules
from httptop.collect.row_ledger import RowLedger
from httptop.collect.source import LEFT_OUT, RawEndpoint, RawResponse
from httptop.collect.sums import CellReturns, CellUse
from httptop.config.scope import Scope
from httptop.linux.owners import Users
from httptop.model import (
    IDLE_PATH,
    OVERFLOW_PATH,
    OWN_PATHS,
    SIDES,
    STATUS_UNKNOWN,
    EndpointKey,
    Side,
)

#: Of so many rows one may be httptop's own: each process has some.
_OWN_PART: Final = 4
#: Endpoints that get a row of their own in a tick, of those for which there was none.
_PLACED_AT_ONCE: Final = 256


class Placing:
    """Says what new cells are for; for the collector's thread alone."""

    def __init__(
        self,
        ledger: RowLedger,
        returns: CellReturns,
        scope: Scope,
        rules: PathRules,
        max_distinct: int,
    ) -> None:
        """``max_distinct``: paths with rows of their own, of a process and method."""
        self._ledger, self._returns = ledger, returns
        self._scope, self._rules = scope, rules
        self._max_distinct = max_distinct
        #: How many rows may be httptop's own.
        self.most_own = ledger.sums.most_rows // _OWN_PART
        self._users = Users()
        self._displaced: deque[int] = deque()  # cells that count in ~other
        #: Paths, and the ports they are served at, that have a row.
        self._paths: dict[tuple[Side, str, str], set[tuple[str, int]]] = {}
        for keys in LAST_RESORT.values():
            for key in keys.values():
                ledger.book.make(key)

    def register(
        self, endpoints: Mapping[int, RawEndpoint], responses: Mapping[int, RawResponse]
    ) -> None:
        """Say what new cells are for."""
        # A lower number was given out earlier.
        for cell in sorted(endpoints.keys() - self._ledger.cells.endpoints.keys()):
            known = self._ledger.cells.endpoints[cell] = self._endpoint(endpoints[cell])
            shown = known.scope_key
            if self._scope.admits_key(shown):
                known.row = self.row(shown)
                if shown.path not in OWN_PATHS and known.row in self._ledger.book.overflow:
                    self._displaced.append(cell)
            self._use_for_requests(cell, known)
        for cell in sorted(responses.keys() - self._ledger.cells.responses):
            raw = responses[cell]
            if raw.endpoint in self._ledger.cells.endpoints:
                self._register_responses(cell, raw, self._ledger.cells.endpoints[raw.endpoint])
            elif raw.endpoint in self._ledger.cells.retired:
                retired = self._ledger.cells.retired[raw.endpoint]
                self._register_responses(cell, raw, retired)
                self._returns.add(raw.endpoint, cell)

    def register_idle(self, endpoints: Mapping[int, RawEndpoint]) -> dict[int, Endpoint]:
        """Say that new cells, which are given back at once, are for ``~idle``; return them."""
        found: dict[int, Endpoint] = {}
        for cell, raw in endpoints.items():
            known = found[cell] = self._endpoint(raw)
            if self._scope.admits_key(known.scope_key):
                known.row = self.row(own_key(known.key, IDLE_PATH))
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
        self._ledger.sums.use(cell, use)

    def _register_responses(self, cell: int, raw: RawResponse, endpoint: Endpoint) -> None:
        self._ledger.cells.responses.add(cell)
        counts = raw.status != LEFT_OUT and self._scope.admits(endpoint.scope_key, raw.status)
        latency = raw.measure is Measure.LATENCY
        if endpoint.row is not None and latency:
            self.take_out_found(raw.endpoint, endpoint, raw.status)
            if not counts:
                self._ledger.book.note_other_outcome(endpoint.row)
        # Those out of scope are not counted, but they are over, too.
        if endpoint.row is None or not (counts or latency):
            self._ledger.sums.use(cell, None)
            return
        side = SIDES.index(endpoint.key.side)
        self._ledger.sums.use(cell, CellUse(endpoint.row, side, raw.measure, raw.status, counts))
        if counts and latency:
            if raw.endpoint in self._ledger.cells.endpoints:
                self._ledger.book.add_status(endpoint.row, raw.status, cell)
            endpoint.responses.append((cell, raw.status))
        else:
            endpoint.responses.append((cell, None))
            if latency:
                endpoint.left_out += (cell,)

    def take_out_found(self, cell: int, endpoint: Endpoint, status: int) -> None:
        """Have an endpoint of ``~not found`` that has another outcome count in a row of its own."""
        if endpoint.row not in self._ledger.book.not_found or status in NOT_FOUND_STATUSES:
            return
        if cell in self._ledger.cells.endpoints:  # those on their way back stay
            self._ledger.part(cell, endpoint, self.row(self._by_rules(endpoint.key)))

    def row(self, key: EndpointKey) -> int:
        """Return the row of a key, or that of ``~other`` if there are too many."""
        row = self._ledger.book.number_of(key)
        if row is not None:
            return row
        if key.path in OWN_PATHS:
            few = len(self._ledger.book.own) < self.most_own
            row = self._make(key) if few else None
            return self.last_resort(key) if row is None else row
        paths = self._paths_of(key)
        few = (key.path, key.port) in paths or len(paths) < self._max_distinct
        row = self._make(key) if few else None
        if row is None:
            return self.row(own_key(key, OVERFLOW_PATH))
        paths.add((key.path, key.port))
        return row

    def _make(self, key: EndpointKey) -> int | None:
        """Make a row for a key, if there is room."""
        return self._ledger.book.make(key) if self._ledger.sums.has_room() else None

    def last_resort(self, key: EndpointKey) -> int:
        """Return the row for a key of our own for which there is no room."""
        path = IDLE_PATH if key.path == IDLE_PATH else OVERFLOW_PATH
        row = self._ledger.book.number_of(LAST_RESORT[path][key.side])
        assert row is not None
        return row

    def _paths_of(self, key: EndpointKey) -> set[tuple[str, int]]:
        return self._paths.setdefault((key.side, key.process, key.method), set())

    def drop_path(self, key: EndpointKey) -> None:
        """Count a path no longer that a process had; processes come and go, too."""
        paths = self._paths_of(key)
        paths.discard((key.path, key.port))
        if not paths:
            del self._paths[key.side, key.process, key.method]

    def refit(self) -> None:
        """Have no more room than is used; see :meth:`EndpointCells.refit`."""
        self._paths = {who: set(paths) for who, paths in self._paths.items()}

    def _by_rules(self, key: EndpointKey) -> EndpointKey:
        path = self._rules.apply(key.path)
        return key if path == key.path else replace(key, path=path)

    def place_displaced(self) -> None:
        """Have endpoints for which there was no row count in one, as far as there is room now."""
        for _ in range(min(len(self._displaced), _PLACED_AT_ONCE)):
            cell = self._displaced.popleft()
            endpoint = self._ledger.cells.endpoints.get(cell)
            if endpoint is None or endpoint.row not in self._ledger.book.overflow:
                continue
            row = self.row(self._by_rules(endpoint.key))
            if row in self._ledger.book.overflow:
                self._displaced.append(cell)
                continue
            self._ledger.part(cell, endpoint, row)

    def regroup(self, rules: PathRules) -> Mapping[EndpointKey, EndpointKey]:
        """Apply other path rules; return the former keys of rows, each with its new one."""
        self._rules = rules
        renamed: dict[EndpointKey, EndpointKey] = {}
        merged: dict[int, int] = {}
        for old, row in self._ledger.book.numbers.items():
            key = self._by_rules(old)
            if key == old:
                continue
            renamed[old] = key
            into = self._ledger.book.rename(row, key)
            if into != row:
                merged[row] = into
        if merged:
            self._ledger.merge(merged)
        self._paths.clear()
        for key in self._ledger.book.numbers:
            if key.path not in OWN_PATHS:
                self._paths_of(key).add((key.path, key.port))
        for cell, endpoint in self._ledger.cells.endpoints.items():
            if endpoint.row is not None and endpoint.row not in self._ledger.book.not_found:
                row = self.row(self._by_rules(endpoint.key))
                if row != endpoint.row:
                    self._ledger.part(cell, endpoint, row)
        self._ledger.book.look_again()
        self._ledger.changed()
        return renamed
