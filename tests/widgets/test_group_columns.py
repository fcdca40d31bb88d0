"""The columns of groups: which fit, and that they never take more than there is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from httptop.humanize import DEFAULT_UNITS, Units
from httptop.view.grouping import GROUPINGS, PARTED, By
from httptop.view.groups import Group
from httptop.widgets.columns import COLUMNS
from httptop.widgets.group_columns import group_layout
from tests.factory import row

BYS: list[By] = [by for by in GROUPINGS if by != "endpoint"]


def titles(width: int, by: By) -> list[str]:
    return [column.title for column, _ in group_layout(width, by)]


@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize("unit", ["auto", "us"])
def test_columns_fit(by: By, unit: str) -> None:
    units = Units(latency="us" if unit == "us" else "auto")
    before = 0
    for width in range(1, 300):
        columns = group_layout(width, by, units)
        assert columns[0][0].sort == "name"
        assert all(cells > 0 for _, cells in columns)
        assert sum(cells + 1 for _, cells in columns) - 1 <= max(width, 1)
        for column, cells in columns[1:]:
            assert not column.title or cells > len(column.title) or not column.sort
        assert len(columns) >= before or width == 70  # where the words take a figure's place
        before = len(columns)
    shown = {column.sort for column, _ in group_layout(200, by)}
    assert shown >= {"name", "endpoints", "rps", "share"}
    since_start = {column.sort for column, _ in group_layout(200, by, since_start=True)}
    assert (since_start > shown) == (by in PARTED)  # what is not known of the window


def test_a_small_screen_has_the_figures_and_a_larger_one_what_they_are_of() -> None:
    assert titles(58, "path") == ["PATH", "REQ/S", "SHARE", "ERR%", "IN FL", "WORST P99"]
    assert titles(78, "path") == [
        *("PATH", "ENDPOINT", "REQ/S", "SHARE", "ERR%", "IN FL", "WORST P99"),
    ]
    assert titles(78, "peer") == [
        *("PEER", "PROCESS", "ENDPOINTS", "REQ/S", "SHARE", "ERR%", "MEAN"),
    ]
    assert titles(78, "process") == [
        *("PROCESS", "ENDPOINTS", "REQ/S", "SHARE", "ERR%", "IN FL", "WORST P99"),
    ]


def test_zeros_look_as_those_of_endpoints_do() -> None:
    group = Group("nginx", "nginx", "", 1, 0.0, in_flight=0, errors=0, of=10, p99_ns=1e6)
    idle = replace(row(in_flight=0), rps=0.0, window_errors=0)
    of_endpoints = {column.sort: column for column in COLUMNS}
    of_groups = {column.sort: column for column, _ in group_layout(120, "process")}
    for name in ("rps", "error_share", "in_flight"):
        shown = of_groups[name].cell(group, DEFAULT_UNITS)
        assert shown == of_endpoints[name].cell(idle, DEFAULT_UNITS), name
        assert shown[0] == "·"
