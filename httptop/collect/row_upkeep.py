"""The upkeep of rows: those that are idle are forgotten, those that are never found become one.

Which ones is said in forgetting.py and not_found.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from httptop.collect.endpoint_cells import Endpoint
from httptop.collect.endpoint_keys import LAST_RESORT_KEYS, own_key
from httptop.collect.forgetting import (
    FULL,
    Forgetting,
    Owner,
    Pressure,
    RowActivity,
    idle,
    longest_idle,
    surplus,
)
from httptop.collect.placing import Placing
from httptop.collect.row_ledger import RowLedger
from httptop.collect.source import Names
from httptop.collect.sums import CellReturns, RoomTaken, RowFigures
from httptop.linux import heap
from httptop.model import IDLE_PATH, NOT_FOUND_PATH, OWN_PATHS

#: If there were more endpoints than so many, and this part of them is left, memory is looked for.
_MANY: Final = 256
_MUCH_LESS: Final = 2


class RowUpkeep:
    """Has rows give their place back; for the collector's thread alone."""

    def __init__(
        self, ledger: RowLedger, placing: Placing, returns: CellReturns, max_not_found: int
    ) -> None:
        """``max_not_found``: rows of a process and side with no outcome but 404 and the like.

        If there are more they become one; 0: never.
        """
        self._ledger, self._placing, self._returns = ledger, placing, returns
        self._max_not_found = max_not_found
        self._forgetting = Forgetting()
        self._overflow_before = 0
        self._most_known = 0  # endpoints, since memory was given back
        self._had_many = False  # ever
        #: A sentence about tables that had no room in the last tick, and who has most of it.
        self.crowding: str | None = None

    def fold_not_found(self) -> None:
        """Have rows with no outcome but 404 and the like count in ``~not found``, if many."""
        book = self._ledger.book
        if not self._max_not_found:
            return
        merged: dict[int, int] = {}
        for rows in book.only_not_found.by_owner():
            first = book.key_of(next(iter(rows)))
            assert first is not None
            key = own_key(first, NOT_FOUND_PATH)
            if book.number_of(key) is None and len(rows) <= self._max_not_found:
                continue
            going = [row for row in rows if self._has_only_responses(row)]
            into = self._placing.row(key)
            if going and into in book.not_found:
                with heap.apart():
                    book.note_paths(into, going)
                merged |= dict.fromkeys(going, into)
        if merged:
            for row in merged:
                key_of_row = book.key_of(row)
                assert key_of_row is not None
                self._placing.drop_path(key_of_row)
            self._ledger.merge(merged)

    def _has_only_responses(self, row: int) -> bool:
        figures = RowFigures.of(self._ledger.now().rows, row)
        return not figures.unanswered and figures.open <= 0

    def forget(self, now_s: float, forget_s: float, names: Names) -> None:
        """Forget rows at the end of a tick: those idle for ``forget_s``, 0: none of these.

        Where room is short, others are forgotten, too; see forgetting.py.
        """
        with heap.apart():
            self._ledger.parties.end(self._ledger.cells.take_back(now_s))
        tick, taken = self._ledger.tick - 1, self._returns.taken()
        since = self._forgetting.idle_since(tick, now_s, forget_s)
        unused_since = self._forgetting.unused_since(tick, now_s)
        self.crowding = self._say_crowding()
        self._ledger.parties.make_room(tick, self._user_of)
        self._placing.place_displaced()
        is_due = self._forgetting.is_due(now_s, forget_s)
        if is_due or max(taken) > FULL:
            self._look(tick, since, unused_since, taken, names)
        self._ledger.move_down()
        self._most_known = max(self._most_known, self._ledger.cells.known)
        if is_due:
            self._give_memory_back()

    def _give_memory_back(self) -> None:
        """Give back what is free; look for more of it where there were many more endpoints."""
        known = self._ledger.cells.known
        many = self._most_known > _MANY
        self._had_many |= many
        fewer = many and known < self._most_known // _MUCH_LESS
        if fewer:
            self._most_known = known
            self._ledger.refit()
            self._placing.refit()
        heap.give_back(spare=fewer, end=self._had_many)

    def _look(
        self, tick: int, since: int, unused_since: int, taken: RoomTaken, names: Names
    ) -> None:
        """Forget what has been idle since a tick, and what is to make room."""
        book = self._ledger.book
        activity, rows = RowActivity.of(self._ledger.now().rows), book.by_owner
        unused, others = self._returns.unused(self._ledger.cells.endpoints)
        gone = {row for some in rows.values() for row in idle(some, activity, since)}
        for pressure in self._pressures(taken, others):
            gone.update(surplus(rows, activity, unused_since, pressure))
        last = {book.number_of(key) for key in LAST_RESORT_KEYS}
        own = [row for row in book.own if row not in last]
        gone.update(longest_idle(own, activity, len(own) - self._placing.most_own * 3 // 4))
        without = {None, *last, *book.not_found}
        cells = self._ledger.cells.idle_since(
            without, tick - 1 if max(taken) > FULL else since, tick
        )
        # Rows of our own stay with what they have counted.
        still = set(idle(own, activity, since)) - gone - book.not_found
        for some in self._ledger.cells.by_row(still).values():
            cells += some
        retired = self._ledger.cells.without(cells) | self._forget(gone)
        with heap.apart():
            if unused:
                retired |= self._placing.register_idle(names(unused)[0])
            self._ledger.cells.retire(retired)
        if retired:
            self._ledger.changed()

    def _pressures(self, taken: RoomTaken, others: int) -> Iterator[Pressure]:
        """Yield what is tight; ``others``: how many endpoints there are without a row."""
        cells, by_owner = self._ledger.cells, self._ledger.book.by_owner
        if taken.endpoints > FULL:
            rows = {row: 1 for some in by_owner.values() for row in some}
            yield Pressure(taken.endpoints, rows, others)
        if taken.responses > FULL:
            weights = cells.weighed(lambda endpoint: len(endpoint.responses))
            yield Pressure(taken.responses, *weights)
        if taken.histograms > FULL:
            octaves = self._ledger.sums.octaves()
            weights = cells.weighed(
                lambda endpoint: sum(octaves.get(cell, 0) for cell, _ in endpoint.responses)
            )
            yield Pressure(taken.histograms, *weights)

    def _forget(self, gone: Collection[int]) -> dict[int, Endpoint]:
        """Have rows count in ``~idle``; return their endpoints, whose cells are not needed."""
        book = self._ledger.book
        merged: dict[int, int] = {}
        for row in gone:
            key = book.key_of(row)
            assert key is not None
            merged[row] = self._placing.row(own_key(key, IDLE_PATH))
            if key.path in OWN_PATHS:  # there are too many of our own
                merged[row] = self._placing.last_resort(key)
            for code, answered in book.apart(row).items():
                book.add_apart(merged[row], code, answered)
            self._placing.drop_path(key)
        return self._ledger.forget(merged) if merged else {}

    def _say_crowding(self) -> str | None:
        book = self._ledger.book
        rows = book.by_owner
        overflow = book.overflow_requests(self._ledger.now().rows)
        before, self._overflow_before = self._overflow_before, overflow
        if (more := self._overflow_before - before) <= 0 or not rows:
            return None
        return (
            f"there was no room for all endpoints: {more} requests of the last tick are counted "
            f"under ~other; of {sum(map(len, rows.values()))} rows {_who_has_most(rows)}"
        )

    def _user_of(self, cell: int) -> str:
        known = self._ledger.cells.get(cell)
        return "" if known is None else known.key.user


def _who_has_most(rows: Mapping[Owner, Collection[int]]) -> str:
    """Say which process has most rows; where its user has many others, how many that user has."""
    (_, process, user), most = max(rows.items(), key=lambda item: len(item[1]))
    users: Counter[str] = Counter()
    for owner, some in rows.items():
        users[owner.user] += len(some)
    heaviest, count = users.most_common(1)[0]
    if heaviest and count > 2 * len(most):  # both sides of one process are no more
        names = len({owner.process for owner in rows if owner.user == heaviest})
        return f"user {heaviest} has {count}, as {names} processes"
    return f"{process} (user {user}) has {len(most)}" if user else f"{process} has {len(most)}"
