"""Groups of the rows that a view shows, and what each has of the requests.

Pure functions, without Textual. Requests, rates, errors and requests in flight add up, so the sums
of all groups are those of the rows. Percentiles do not: a group has the worst 99th percentile of
its endpoints. Rows are divided among groups by pid, peer and status; where it is not known what
these had in the window, all figures are since start. What is not known to belong to a group is in
one of its own, which says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from httptop.model import (
    OTHER_PEERS,
    OTHER_PIDS,
    UNIX_PEER,
    EndpointKey,
    EndpointStats,
    Totals,
    status_name,
)
from httptop.view.grouping import NO_CONTAINER, NO_PORT, By, GroupId, Grouping
from httptop.view.parts import Divided, Part, PartedBy, divided
from httptop.view.path_tree import Node, children, roots
from httptop.view.picked_rows import PickedRows


@dataclass(frozen=True, slots=True)
class Group:
    """What some endpoints, or parts of them, have together; None: that is not known."""

    id: GroupId
    name: str
    detail: str  # whose it is; "" where the name says it
    endpoints: int  # that have something in it
    rps: float
    in_flight: int | None = None
    errors: int | None = None  # among ``of``, its requests
    of: int = 0
    p99_ns: float | None = None  # the worst one
    mean_ns: float | None = None
    max_ns: float | None = None
    depth: int = 0  # in the path tree
    folded: bool | None = None  # None: it has no members that could be shown

    @property
    def error_share(self) -> float | None:
        """The share of errors, 0 to 1; None: not known, or there were no requests."""
        return None if self.errors is None or not self.of else self.errors / self.of


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of what a view shows, in their order: in the window, or since start."""

    grouping: Grouping
    lines: tuple[Group, ...]  # of the path tree also the members of unfolded nodes
    count: int  # without these members
    #: Requests a second: of the groups, and of the side.
    shown: float
    total: float
    #: Whether all is since start, as it is not known what the groups had in the window.
    since_start: bool = False

    def share(self, group: Group) -> float | None:
        """Return a group's share of the side's requests, 0 to 1; None: it has had none."""
        return self._of_total(group.rps)

    @property
    def shown_share(self) -> float | None:
        """The share of all groups together."""
        return self._of_total(self.shown)

    def _of_total(self, part: float) -> float | None:
        if not self.total:
            return None
        return 1.0 if math.isclose(part, self.total) else part / self.total  # sums of rates

    def place(self, selected: GroupId | None, previous: int) -> int:
        """Return the line of the selected group; if there is none, the one nearest ``previous``."""
        if selected is None:
            return 0
        for at, group in enumerate(self.lines):
            if group.id == selected:
                return at
        return max(0, min(previous, len(self.lines) - 1))


#: The names of the columns that groups can be sorted by, with their values.
GROUP_SORTS: Final[Mapping[str, Callable[[Group], Any]]] = MappingProxyType(
    {
        "name": lambda group: group.id if isinstance(group.id, int) else group.name,
        "endpoints": lambda group: group.endpoints,
        "rps": lambda group: group.rps,
        "error_share": lambda group: group.error_share or 0.0,
        "in_flight": lambda group: group.in_flight or 0,
        "p99": lambda group: -1.0 if group.p99_ns is None else group.p99_ns,
        "mean": lambda group: -1.0 if group.mean_ns is None else group.mean_ns,
        "max": lambda group: -1.0 if group.max_ns is None else group.max_ns,
    }
)


def groups_of(
    rows: Sequence[EndpointStats],
    totals: Totals,
    grouping: Grouping,
    covered_s: float | None,
    uptime_s: float,
) -> Groups:
    """Return the groups of some rows of one side, whose totals are those of the same time.

    ``covered_s``: the time that they are of, the window; None: since start. ``uptime_s``: how long
    ago that was.
    """
    by = grouping.by
    if by == "pid" or by == "peer" or by == "status":
        parts, since_start = _divided(rows, by, window=covered_s is not None)
        seconds = uptime_s if since_start or covered_s is None else covered_s
        lines = _in_order((_group(by, *part, seconds) for part in parts.items()), grouping)
        shown = sum(group.rps for group in lines)
        total = totals.requests / uptime_s if since_start and uptime_s > 0 else totals.rps
        return Groups(grouping, tuple(lines), len(lines), shown, total, since_start)
    figures = _Figures(rows)
    if by == "path":
        first = _in_order([figures.node(node) for node in roots(figures.keys)], grouping)
        lines = list(_unfolded(figures, grouping))
    else:
        first = lines = _in_order(figures.groups(by), grouping)
    shown = sum(group.rps for group in first)
    return Groups(grouping, tuple(lines), len(first), shown, totals.rps)


def _in_order(groups: Iterable[Group], grouping: Grouping) -> list[Group]:
    """Return groups as they are to be sorted; equal ones by name."""
    found = sorted(groups, key=lambda group: (group.name, group.detail))
    found.sort(key=GROUP_SORTS[grouping.sort], reverse=grouping.descending)
    return found


# Rows that belong to one group each


class _Figures:
    """Figures of all rows, of rows on demand without making them."""

    def __init__(self, rows: Sequence[EndpointStats]) -> None:
        self._rows = rows
        self.keys = _keys(rows)
        self._rps = self._column("rps", lambda row: row.rps)
        self._in_flight = self._column(
            "in_flight", lambda row: math.nan if row.in_flight is None else row.in_flight
        )
        self._of = self._column("window_requests", lambda row: row.window_requests)
        self._errors = self._column("window_errors", lambda row: row.window_errors)
        self._p99 = self._column("p99", lambda row: row.latency.p99_ns if row.latency.count else -1)

    def _column(self, name: str, pick: Callable[[EndpointStats], Any]) -> Sequence[Any]:
        found = self._rows.values(name) if isinstance(self._rows, PickedRows) else None
        return [pick(row) for row in self._rows] if found is None else found

    def of(self, members: Sequence[int], id: GroupId, name: str, detail: str) -> Group:
        """Return the group of some rows, by their places."""
        errors = [self._errors[at] for at in members]
        worst = max(map(self._p99.__getitem__, members))
        known = None not in errors
        in_flight = sum(map(self._in_flight.__getitem__, members))
        return Group(
            id,
            name,
            detail,
            len(members),
            sum(map(self._rps.__getitem__, members)),
            None if math.isnan(in_flight) else in_flight,
            sum(errors) if known else None,
            sum(map(self._of.__getitem__, members)) if known else 0,
            worst if worst >= 0 else None,
        )

    def groups(self, by: By) -> Iterator[Group]:
        """Yield the groups, each with its rows."""
        members: dict[GroupId, list[int]] = {}
        if by == "container":
            rows = self._rows
            found = (
                rows.containers()
                if isinstance(rows, PickedRows)
                else (row.containers for row in rows)
            )
            for at, names in enumerate(found):
                members.setdefault(names, []).append(at)
        else:
            for at, key in enumerate(self.keys):
                members.setdefault(getattr(key, by), []).append(at)
        for id, places in members.items():
            name = _NAMES[by](id)
            detail = "" if by == "process" else _some(self.keys[at].process for at in places)
            yield self.of(places, id, name, detail)

    def node(self, node: Node, folded: bool = True) -> Group:
        """Return a node of the path tree, or one of its endpoints."""
        key = node.key
        detail = "" if key is None else f"{key.method} {key.process}"
        made = self.of(node.members, key or node.start, node.name or detail, detail)
        return replace(
            made,
            detail=detail if node.name else "",
            depth=node.depth,
            folded=None if key is not None else folded,
        )


def _unfolded(figures: _Figures, grouping: Grouping, above: Node | None = None) -> Iterator[Group]:
    """Yield the nodes below another, or the uppermost ones, each with what is unfolded below it."""
    nodes = roots(figures.keys) if above is None else children(figures.keys, above)
    known: dict[GroupId, tuple[Node, bool]] = {
        node.key or node.start: (node, node.start not in grouping.unfolded) for node in nodes
    }
    made = [figures.node(node, folded) for node, folded in known.values()]
    for group in _in_order(made, grouping):
        yield group
        node, folded = known[group.id]
        if not folded and node.key is None:
            yield from _unfolded(figures, grouping, node)


_NAMES: Final[Mapping[str, Callable[[Any], str]]] = MappingProxyType(
    {
        "process": lambda name: name or "no name",
        "port": lambda port: "no port" if port == NO_PORT else str(port),
        "user": lambda name: name or "not known",
        "host": lambda name: name or "not known",
        "container": lambda names: "none known" if names == NO_CONTAINER else ", ".join(names),
    }
)


def _some(names: Iterable[str], most: int = 3) -> str:
    """Return the first of some names, each once, and how many others there are."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def _keys(rows: Sequence[EndpointStats]) -> Sequence[EndpointKey]:
    return rows.keys if isinstance(rows, PickedRows) else [row.key for row in rows]


# Rows that are divided among groups


def _divided(rows: Sequence[EndpointStats], by: PartedBy, *, window: bool) -> Divided:
    if isinstance(rows, PickedRows):
        return rows.divided(by, window=window)
    return divided(rows, by, window=window)


def _group(by: By, id: Any, part: Part, seconds: float) -> Group:
    name, detail = str(id), _some(part.processes)
    if by == "status":
        name, detail = status_name(id), ""
    elif id == OTHER_PIDS:
        name = "other processes"
    elif id == OTHER_PEERS:
        name = "other peers"
    elif id == UNIX_PEER and by == "peer":
        name = "Unix sockets"
    mean_ns = part.spent_ns / part.answered if part.answered else None
    return Group(
        id,
        name,
        detail,
        part.endpoints,
        part.requests / seconds if seconds > 0 else 0.0,
        errors=part.errors,
        of=part.requests,
        mean_ns=mean_ns,
        max_ns=part.max_ns or None,
    )
