"""The state of the view, and the rows it selects from a snapshot.

Pure functions, without Textual. A :class:`View` is all of the dashboard's state that is not data:
sorting, filtering, side, selection, pause. :func:`scene` combines it with a snapshot once a tick;
every widget draws from the resulting :class:`Scene`, so nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

from httptop.filters import Expression, conjuncts
from httptop.filters.on_screen import ScreenFilter, joined, needle_in, screen_filter
from httptop.model import EndpointKey, EndpointStats, Side, Snapshot, Totals, Transaction
from httptop.view.grouping import NO_GROUPING, Grouping
from httptop.view.groups import Groups, groups_of
from httptop.view.head import NO_HEAD, Head, head_of
from httptop.view.idle import idle_last
from httptop.view.picked_requests import Picks
from httptop.view.picked_rows import PickedRows
from httptop.view.rows import RowsOnDemand, keys_of, longest_path, told_apart_by
from httptop.view.since_start import SinceStart, row_since_start, totals_since_start
from httptop.view.sorts import KEY_SORTS, SORTS, TEXT_SORTS, descends


@dataclass(frozen=True, slots=True)
class View:
    """Sorting, filtering, side, selection and pause; immutable, changed with ``replace``."""

    side: Side = "server"
    sort: str = "rps"
    descending: bool = True
    path_filter: str = ""  # part of a path, case-insensitive
    expression: Expression | None = None  # accepted by parse_for_screen
    selected: EndpointKey | None = None
    moves: int = 0  # how often the user has chosen an endpoint
    follows: bool = False  # whether the cursor goes where the selected endpoint goes
    paused: bool = False
    #: The window (s) that the user has asked for, until snapshots have it; None: they have it.
    window_s: float | None = None
    #: Whether rates, errors and latencies are those since start, and not those of the window.
    since_start: bool = False
    idle_hidden: bool = False  # whether endpoints without a request in the window are hidden
    grouping: Grouping = NO_GROUPING
    #: The filter of the group whose endpoints are shown, and how they were grouped; None: of none.
    group_of: tuple[Expression, Grouping] | None = None

    @property
    def filtered(self) -> bool:
        """Whether a filter that can be removed hides anything."""
        return bool(self.path_filter) or self.expression is not None

    @property
    def filter(self) -> ScreenFilter | None:
        """What applies all filters that can be removed; None: there is none."""
        return screen_filter(self.expression, self.path_filter) if self.filtered else None

    @property
    def groups_above(self) -> Grouping | None:
        """How endpoints were grouped, while only those of one group are shown; None: they are not.

        That is until the group's filter is removed.
        """
        if self.group_of is None or self.grouping.on:
            return None
        part, grouping = self.group_of
        return grouping if set(conjuncts(part)) <= set(self._parts) else None

    @property
    def filter_count(self) -> int:
        """The number of removable filters: the part of a path, and each part joined by ``and``."""
        return bool(self.path_filter) + len(self._parts)

    @property
    def _parts(self) -> tuple[Expression, ...]:
        return () if self.expression is None else conjuncts(self.expression)

    def without_filter(self, n: int) -> View:
        """Return the view without one of these, by index; the part of a path comes first.

        -1 is the last; an index out of range removes none.
        """
        count = self.filter_count
        if not -1 <= n < count or not count:
            return self
        n %= count
        if self.path_filter and n == 0:
            return replace(self, path_filter="")
        parts, n = self._parts, n - bool(self.path_filter)
        return replace(self, expression=joined((*parts[:n], *parts[n + 1 :])))

    def other_side(self) -> Side:
        """Return the side that is not shown."""
        return "client" if self.side == "server" else "server"

    def sorted_by(self, sort: str) -> View:
        """Return the view sorted by a column in its natural order, reversed if it was already."""
        if sort == self.sort:
            return replace(self, descending=not self.descending)
        return replace(self, sort=sort, descending=descends(sort))


class Picking(NamedTuple):
    """The rows that a view shows, in order, idle ones last."""

    rows: Sequence[EndpointStats]
    idle: int  # how many are idle, shown or hidden
    whole: bool  # whether rows have all their requests, though the filter is to pick some by status


def rows(snapshot: Snapshot, view: View) -> Sequence[EndpointStats]:
    """Return the endpoints that a view shows, in order; equal ones by path, method, process.

    They have the figures of the requests that its filter picks. Idle ones come last, in whatever
    order.
    """
    return _rows(snapshot, view).rows


def _rows(snapshot: Snapshot, view: View) -> Picking:
    endpoints, picks = snapshot.endpoints, _picks(view)
    if isinstance(endpoints, RowsOnDemand):
        endpoints, kept = _kept(endpoints, view, picks)
        if view.since_start:
            endpoints = SinceStart(endpoints, snapshot.uptime_s)
        active, idle = idle_last(endpoints, _in_order(endpoints, kept, view))
        shown: Sequence[EndpointStats] = PickedRows(
            endpoints, active if view.idle_hidden else active + idle
        )
    else:
        some = [
            row
            for row in endpoints
            if row.key.side == view.side and needle_in(view.path_filter, row.key.path)
        ]
        if picks is not None:
            some = picks.of_rows(some)
        if view.since_start:
            some = [row_since_start(row, snapshot.uptime_s) for row in some]
        some = _sorted(some, view)
        active, idle = idle_last(some, range(len(some)))
        shown = [some[at] for at in (active if view.idle_hidden else active + idle)]
    whole = picks is not None and picks.whole
    return Picking(shown, len(idle), whole)


def _picks(view: View) -> Picks | None:
    """Return what applies a view's filter to rows; None: it has none."""
    if view.expression is None:
        return None
    return Picks(screen_filter(view.expression), since_start=view.since_start)


def _sorted(shown: list[EndpointStats], view: View) -> list[EndpointStats]:
    """Return rows in their order."""
    value = SORTS[view.sort]
    if view.sort in TEXT_SORTS or not view.descending:
        shown.sort(key=lambda row: (value(row), *_name(row)))
        if view.descending:
            shown.reverse()
        return shown
    # Few figures are equal, and to look at names costs more than to sort.
    shown.sort(key=value, reverse=True)
    values = list(map(value, shown))
    first = 0
    for at in range(1, len(values) + 1):
        if at == len(values) or values[at] != values[first]:
            if at - first > 1:
                shown[first:at] = sorted(shown[first:at], key=_name)
            first = at
    return shown


def _name(row: EndpointStats) -> tuple[str, str, str, str]:
    return row.key.path, row.key.method, row.key.process, row.key.host


def _kept(
    endpoints: RowsOnDemand, view: View, picks: Picks | None
) -> tuple[RowsOnDemand, Sequence[int]]:
    """Return the rows with what is picked of them, and the indices of those that are shown."""
    shown: Sequence[int] = endpoints.by_name(view.side)
    if view.path_filter:
        keys = endpoints.keys
        shown = [at for at in shown if needle_in(view.path_filter, keys[at].path)]
    return (endpoints, shown) if picks is None else picks.on_demand(endpoints, shown)


def _in_order(endpoints: RowsOnDemand, shown: Sequence[int], view: View) -> list[int]:
    """Return indices in order; make as few rows as possible."""
    shown = list(shown)
    if view.sort in KEY_SORTS:
        field, keys = attrgetter(view.sort), endpoints.keys
        shown.sort(key=lambda at: field(keys[at]))
    elif view.sort in TEXT_SORTS:
        value = SORTS[view.sort]
        shown.sort(key=lambda at: value(endpoints.row(at)))
    elif (values := endpoints.values(view.sort)) is not None:
        shown.sort(key=values.__getitem__, reverse=view.descending)
        return shown
    else:
        value = SORTS[view.sort]
        shown.sort(key=lambda at: value(endpoints.row(at)), reverse=view.descending)
        return shown
    if view.descending:
        shown.reverse()
    return shown


def place(shown: Sequence[EndpointStats], selected: EndpointKey | None, previous: int) -> int:
    """Return the row of the selected endpoint; if it is not shown, the one nearest ``previous``.

    Returns 0 if there are no rows, or nothing was ever selected.
    """
    if selected is None:
        return 0
    if isinstance(shown, PickedRows):
        found = shown.place(selected)
        if found is not None:
            return found
    else:
        for index, row in enumerate(shown):
            if row.key is selected or row.key == selected:
                return index
    return max(0, min(previous, len(shown) - 1))


@dataclass(frozen=True, slots=True)
class Scene:
    """A snapshot as a view shows it; all widgets of the dashboard draw from it."""

    snapshot: Snapshot | None
    view: View
    rows: Sequence[EndpointStats] = ()
    side_rows: int = 0  # endpoints of the shown side, filtered or not
    other_rows: int = 0  # endpoints of the other side
    told_apart_by: tuple[str, ...] = ()  # what else has to be shown; see model.told_apart_by
    followed_gone: bool = False  # the endpoint that is followed is not in the snapshot
    idle_rows: int = 0  # that would be shown but for their being idle, or are shown last
    longest_path: int = 0  # of all rows of the side, in cells
    keys: Sequence[EndpointKey] = ()  # of all rows of the snapshot
    cursor: int = 0  # the row that the cursor is on
    groups: Groups | None = None  # None: the endpoints are not grouped
    head: Head = NO_HEAD
    whole_rows: bool = False  # as Picking.whole

    @property
    def cursor_key(self) -> EndpointKey | None:
        """The endpoint under the cursor."""
        return self.rows[self.cursor].key if self.cursor < len(self.rows) else None

    @property
    def fleet(self) -> bool:
        """Whether the rows are of several hosts."""
        return bool(self.keys) and bool(self.keys[0].host)

    @property
    def totals(self) -> Totals:
        """The totals of the shown side, in the window or since start."""
        if self.snapshot is None:
            return Totals()
        totals = self.snapshot.total(self.view.side)
        if self.view.since_start:
            return totals_since_start(totals, self.snapshot.uptime_s)
        return totals

    @property
    def rps(self) -> float:
        """Requests per second of the shown side."""
        return self.totals.rps

    @property
    def shown_rps(self) -> float:
        """Requests per second of the rows shown; hidden idle ones have none."""
        return self.head.totals.rps

    def requests(self) -> list[Transaction]:
        """Return the sampled requests of the shown side and filter, the latest response first."""
        if self.snapshot is None:
            return []
        side, needle = self.view.side, self.view.path_filter.casefold()
        ready = None if self.view.expression is None else screen_filter(self.view.expression)
        found = [
            sample
            for sample in self.snapshot.recent
            if sample.key.side == side
            and (not needle or needle in f"{sample.key.path}\n{sample.path}".casefold())
            and (ready is None or ready.keeps_request(sample))
        ]
        # They arrive by CPU, so nearly in this order.
        found.sort(key=attrgetter("responded_at"), reverse=True)
        return found


def scene(snapshot: Snapshot | None, view: View, before: Scene | None = None) -> Scene:
    """Combine a snapshot with a view; reuse the rows of ``before`` if nothing affects them."""
    if snapshot is None:
        return Scene(None, view)
    if before is not None and before.snapshot is snapshot and _same_rows(before.view, view):
        shown, side_rows, needed = before.rows, before.side_rows, before.told_apart_by
        idle, longest, keys = before.idle_rows, before.longest_path, before.keys
        whole = before.whole_rows
    else:
        shown, idle, whole = _rows(snapshot, view)
        keys = keys_of(snapshot.endpoints)
        if before is not None and before.view.side == view.side and before.keys == keys:
            # As on most ticks; the keys are the same objects then.
            side_rows, needed, longest = before.side_rows, before.told_apart_by, before.longest_path
        else:
            of_side = [key for key in keys if key.side == view.side]
            side_rows = len(of_side)
            needed, longest = told_apart_by(of_side), longest_path(of_side)
    followed = view.selected if view.follows else None
    now = Scene(
        snapshot,
        view,
        shown,
        side_rows,
        len(snapshot.endpoints) - side_rows,
        needed,
        followed is not None and not _has(snapshot, followed),
        idle,
        longest,
        keys,
        _cursor(snapshot, shown, view, before),
        whole_rows=whole,
    )
    now = replace(now, head=_head(now, snapshot, before))
    return replace(now, groups=_groups(now, before)) if view.grouping.on else now


def _head(now: Scene, snapshot: Snapshot, before: Scene | None) -> Head:
    """Return the head of a scene; that of ``before`` if nothing affects it."""
    view = now.view
    if not view.filtered:
        return Head(now.totals)
    if before is not None and before.rows is now.rows and before.snapshot is snapshot:
        return before.head
    text = "" if view.filter is None else view.filter.text
    return head_of(now.rows, now.totals, view.side, snapshot, text, since_start=view.since_start)


def _groups(now: Scene, before: Scene | None) -> Groups:
    """Return the groups of a scene; those of ``before`` if nothing affects them."""
    grouping, snapshot = now.view.grouping, now.snapshot
    assert snapshot is not None
    covered_s = None if now.view.since_start else snapshot.covered_s
    groups = None if before is None or before.rows is not now.rows else before.groups
    if groups is None or replace(groups.grouping, selected=grouping.selected) != grouping:
        return groups_of(now.rows, now.totals, grouping, covered_s, snapshot.uptime_s)
    return groups


def _cursor(
    snapshot: Snapshot, shown: Sequence[EndpointStats], view: View, before: Scene | None
) -> int:
    """Return the row that the cursor is on.

    It keeps its line while figures change, so that what is busiest stays in sight, unless the user
    follows the endpoint. Where the user changes what is shown, or of which time, it goes with the
    endpoint under it; another order begins at the top.
    """
    if view.selected is None:
        return 0
    if before is None:
        return place(shown, view.selected, 0)
    was = before.view
    if view.follows or (view.selected, view.moves) != (was.selected, was.moves):
        return place(shown, view.selected, before.cursor)
    if view.side != was.side:
        return place(shown, view.selected, 0)
    if (view.sort, view.descending) != (was.sort, was.descending):
        return 0
    window_s = snapshot.window_s if before.snapshot is None else before.snapshot.window_s
    if not _same_rows(was, view) or snapshot.window_s != window_s:
        return place(shown, before.cursor_key, before.cursor)
    return max(0, min(before.cursor, len(shown) - 1))


def _has(snapshot: Snapshot, key: EndpointKey) -> bool:
    """Return whether an endpoint is in a snapshot."""
    if isinstance(snapshot.endpoints, RowsOnDemand):
        return snapshot.endpoints.index_of(key) is not None
    return any(row.key == key for row in snapshot.endpoints)


def _same_rows(one: View, other: View) -> bool:
    return (
        one.side == other.side
        and one.sort == other.sort
        and one.descending == other.descending
        and one.path_filter == other.path_filter
        and one.expression == other.expression
        and one.since_start == other.since_start
        and one.idle_hidden == other.idle_hidden
    )
