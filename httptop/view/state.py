"""The state of the view, and the rows it selects from a snapshot.

Pure functions, without Textual. A :class:`View` is all of the dashboard's state that is not data:
sorting, filtering, side, selection, pause. :func:`scene` combines it with a snapshot once a tick;
every widget draws from the resulting :class:`Scene`, so nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from httptop.filters import Expression, conjuncts
from httptop.filters.on_screen import joined, screen_filter
from httptop.model import EndpointKey, EndpointStats, Side, Snapshot, Totals, Transaction
from httptop.view.grouping import NO_GROUPING, Grouping
from httptop.view.groups import Groups, groups_of
from httptop.view.idle import idle_last
from httptop.view.picked_rows import PickedRows
from httptop.view.rows import RowsOnDemand, keys_of, longest_path, told_apart_by
from httptop.view.since_start import rows_since_start, totals_since_start
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


def rows(snapshot: Snapshot, view: View) -> Sequence[EndpointStats]:
    """Return the endpoints that a view shows, in order; equal ones by path, method, process.

    Idle ones come last, in whatever order.
    """
    return _rows(snapshot, view)[0]


def _rows(snapshot: Snapshot, view: View) -> tuple[Sequence[EndpointStats], int]:
    """Return the same, and how many idle ones there are, shown or hidden."""
    endpoints = snapshot.endpoints
    if view.since_start:
        endpoints = rows_since_start(endpoints, snapshot.uptime_s)
    if isinstance(endpoints, RowsOnDemand):
        active, idle = idle_last(endpoints, _picked(endpoints, view))
        return PickedRows(endpoints, active if view.idle_hidden else active + idle), len(idle)
    shown = _sorted(endpoints, view)
    active, idle = idle_last(shown, range(len(shown)))
    return [shown[at] for at in (active if view.idle_hidden else active + idle)], len(idle)


def _sorted(endpoints: Sequence[EndpointStats], view: View) -> list[EndpointStats]:
    side = view.side
    shown = [row for row in endpoints if row.key.side == side]
    if view.path_filter:
        needle = view.path_filter.casefold()
        shown = [row for row in shown if needle in row.key.path.casefold()]
    if view.expression is not None:
        ready = screen_filter(view.expression)
        shown = [row for row in shown if ready.keeps_row(row)]
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


def _name(row: EndpointStats) -> tuple[str, str, str]:
    return row.key.path, row.key.method, row.key.process


def _picked(endpoints: RowsOnDemand, view: View) -> list[int]:
    """Return the indices of the same, and make as few rows as possible."""
    shown = list(endpoints.by_name(view.side))
    if view.path_filter:
        needle, keys = view.path_filter.casefold(), endpoints.keys
        shown = [at for at in shown if needle in keys[at].path.casefold()]
    if view.expression is not None:
        ready = screen_filter(view.expression)
        if ready.by_key_alone:
            keys = endpoints.keys
            shown = [at for at in shown if ready.keeps_key(keys[at])]
        else:
            shown = [at for at in shown if ready.keeps_row(endpoints.row(at))]
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

    @property
    def cursor_key(self) -> EndpointKey | None:
        """The endpoint under the cursor."""
        return self.rows[self.cursor].key if self.cursor < len(self.rows) else None

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
        values = self.rows.values("rps") if isinstance(self.rows, PickedRows) else None
        return sum((row.rps for row in self.rows) if values is None else values)

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
    else:
        shown, idle = _rows(snapshot, view)
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
    )
    return replace(now, groups=_groups(now, before)) if view.grouping.on else now


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
