"""The columns of the table of groups: what each shows, and which of them fit into a width."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.view.grouping import PARTED, By
from httptop.view.groups import Group
from httptop.widgets.columns import ZERO, error_share_cell, in_flight_cell
from httptop.widgets.painting import Align

#: Returns the text of a cell and its hue.
Cell = Callable[[Group, Units], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class GroupColumn:
    """One column; ``sort`` is its name in ``view.groups.GROUP_SORTS``, "" if it is no order."""

    sort: str
    title: str
    width: int  # minimum width in cells; 0: that of a latency in its unit
    rank: int  # lower ones are shown first
    cell: Cell = lambda _group, _units: ("", "text")  # for those that the table draws
    align: Align = "right"

    def least(self, units: Units) -> int:
        """Return its minimum width in cells: its title, and the arrow of an order, fit in."""
        return max(self.width or units.latency_width, len(self.title) + 1)


def _rate(group: Group, _units: Units) -> tuple[str, str]:
    return (humanize.rate(group.rps), "strong") if group.rps else (ZERO, "faint")


def _error_share(group: Group, _units: Units) -> tuple[str, str]:
    return error_share_cell(group.error_share)


def _time(pick: Callable[[Group], float | None]) -> Cell:
    def cell(group: Group, units: Units) -> tuple[str, str]:
        ns = pick(group)
        return units.duration(ns), "faint" if ns is None else "text"

    return cell


_ENDPOINTS: Final = GroupColumn(
    "endpoints", "ENDPOINTS", 5, 5, lambda group, _: (humanize.count(group.endpoints), "muted")
)
_SHARE: Final = GroupColumn("share", "SHARE", 5, 1)
_ERRORS: Final = GroupColumn("error_share", "ERR%", 5, 2, _error_share)
_RATE: Final = GroupColumn("rps", "REQ/S", 6, 0, _rate)
#: Of groups that have whole rows.
_WHOLE: Final = (
    _ENDPOINTS,
    _RATE,
    _SHARE,
    _ERRORS,
    GroupColumn("in_flight", "IN FL", 5, 4, lambda group, _: in_flight_cell(group.in_flight)),
    GroupColumn("p99", "WORST P99", 0, 3, _time(lambda group: group.p99_ns)),
)
_MEAN: Final = GroupColumn("mean", "MEAN", 0, 3, _time(lambda group: group.mean_ns))
_MAX: Final = GroupColumn("max", "MAX", 0, 4, _time(lambda group: group.max_ns))
#: Of groups that have parts of rows, in the window and since start.
_PARTS: Final = (_ENDPOINTS, _RATE, _SHARE, _ERRORS, _MEAN)
_PARTS_SINCE_START: Final = (*_PARTS, _MAX)
_OF_STATUS: Final = (_ENDPOINTS, _RATE, _SHARE)
_OF_STATUS_SINCE_START: Final = (*_OF_STATUS, _MEAN)

#: The least width of a group's name, and the title of what else is said of it; "": nothing.
_NAMES: Final[Mapping[By, tuple[int, str]]] = MappingProxyType(
    {
        "path": (20, "ENDPOINT"),
        "process": (15, ""),
        "pid": (15, "PROCESS"),
        "peer": (16, "PROCESS"),
        "port": (8, "PROCESS"),
        "status": (8, "MEANING"),
        "container": (16, "PROCESS"),
        "user": (10, "PROCESS"),
        "host": (20, "PROCESS"),
    }
)
_LEAST_NAME: Final = 8
_LEAST_DETAIL: Final = 10
#: From this width on there is room for what else is said of a group; below it are figures only.
_WIDE_ENOUGH: Final = 70
_FAIR_DETAIL: Final = 20
_WIDEST_SHARE: Final = 12
_WIDEST_NAME: Final = 48
_WIDEST_DETAIL: Final = 40


@lru_cache(64)
def group_layout(
    width: int, by: By, units: Units = DEFAULT_UNITS, *, since_start: bool = False
) -> tuple[tuple[GroupColumn, int], ...]:
    """Return the columns that fit into ``width`` cells, with their widths, in order.

    The name comes first, then what else is said of a group; both get the cells that are left.
    ``since_start``: whether groups that have parts of rows have all figures since start.
    """
    least, title = _NAMES[by]
    name = GroupColumn("name", by.upper(), min(least, _LEAST_NAME), 0, align="left")
    detail = GroupColumn("", title, _LEAST_DETAIL, 0, align="left")
    of_figures = _figures(by, since_start)
    names = {"name": min(least, max(width, 1))}
    left = width - least
    if title and width >= _WIDE_ENOUGH:
        names[""] = _LEAST_DETAIL
        left -= _LEAST_DETAIL + 1
    widths: dict[str, int] = {}
    for column in sorted(of_figures, key=lambda column: column.rank):
        cells = column.least(units) + 1
        if cells > left:
            break
        widths[column.sort] = cells - 1
        left -= cells
    for wanted, known, most in (
        ("", names, _FAIR_DETAIL),
        ("share", widths, _WIDEST_SHARE),
        ("name", names, 2 * least),
        ("", names, _WIDEST_DETAIL),
        ("name", names, _WIDEST_NAME),
    ):
        if wanted in known:
            more = max(min(left, most - known[wanted]), 0)
            known[wanted] += more
            left -= more
    shown = [(column, names[column.sort]) for column in (name, detail) if column.sort in names]
    return (
        *shown,
        *((column, widths[column.sort]) for column in of_figures if column.sort in widths),
    )


def _figures(by: By, since_start: bool) -> tuple[GroupColumn, ...]:
    if by == "status":
        return _OF_STATUS_SINCE_START if since_start else _OF_STATUS
    if by in PARTED:
        return _PARTS_SINCE_START if since_start else _PARTS
    return _WHOLE
