"""Groups by keys and mouse: each grouping, orders, folding, drilling down and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from httptop.app import HttptopApp
from httptop.model import EndpointKey, Snapshot
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.view.grouping import GROUPINGS, By
from httptop.view.groups import GROUP_SORTS
from httptop.view.menus import GROUP_LETTERS
from httptop.widgets.empty_state import EmptyState
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.group_table import GroupTable
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.live_requests import LiveRequests
from tests.factory import endpoint, key, snapshot, with_parties
from tests.screens.handles import drawn, said, show, table

#: The digit of each grouping, what its first group is called, and its filter.
FIRST = {
    "path": ("2", "/static/{id}", None),
    "process": ("3", "nginx", "comm = nginx"),
    "pid": ("4", "1010", "pid = 1010"),
    "peer": ("5", "203.0.113.2", "peer = 203.0.113.2"),
    "port": ("6", "80", "port = 80"),
    "status": ("7", "200", "status = 200"),
    "container": ("8", "db, web", "container = db × "),
    "user": ("9", "root", "user = root"),
}


def host() -> Snapshot:
    """Return the shop, of which ports, users and containers are known."""
    shown = with_parties()
    rows = [
        replace(row, key=replace(row.key, port=80, user="root"), containers=("db", "web"))
        for row in shown.endpoints
    ]
    return replace(shown, endpoints=tuple(rows))


def groups(app: HttptopApp) -> GroupTable:
    return app.screen_stack[0].query_one(GroupTable)


def names(app: HttptopApp) -> list[str]:
    return [line.name for line in groups(app).groups.lines]


@pytest.mark.parametrize("by", FIRST)
async def test_a_digit_groups_and_enter_shows_the_endpoints_of_a_group(by: By) -> None:
    digit, name, chip = FIRST[by]
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("g", digit)
        assert app.view.grouping.by == by
        assert app.focused is groups(app)
        assert not table(app).display
        assert f"server by {GROUPINGS[by]} · " in str(groups(app).border_title)
        header, first, *_, footer = drawn(app, GroupTable)
        assert f"▌{'  ' * (by == 'path')}{name}" in first
        assert " ▼REQ/S" in header
        if by in ("pid", "peer", "status"):  # what they had in the window is not known here
            assert "since start" in str(groups(app).border_title)
            assert footer == " Σ 800 of 800/s = 100%"
        else:
            assert " WORST P99" in header
            assert footer == " Σ 3360 of 3360/s = 100%"
        if chip is None:
            return
        members = groups(app).groups.lines[0].endpoints
        await pilot.press("enter")
        assert app.view.grouping.by == "endpoint"
        assert app.focused is table(app)
        assert chip in " ".join(drawn(app, FilterChips))
        assert len(table(app).rows) == members
        assert drawn(app, KeyBar)[0].endswith(f" Esc by {GROUPINGS[by]}")
        await pilot.press("escape")
        assert not app.view.filtered
        assert app.view.grouping.by == by
        assert app.focused is groups(app)
        await pilot.press("escape")
        assert (app.view.grouping.by, app.focused) == ("endpoint", table(app))
        await pilot.press("g", digit, "enter", "q")
        assert (app.view.grouping.by, app.view.filtered) == (by, False)
        await pilot.press("q")
        assert (app.view.grouping.by, app.is_running) == ("endpoint", True)
        await pilot.press("g", digit, "g", "1")
        assert (app.view.grouping.by, app.focused) == ("endpoint", table(app))


async def test_the_key_bar_shows_what_rows_can_be_grouped_by() -> None:
    async with HttptopApp().run_test(size=(120, 24)) as pilot:
        app = await show(pilot, host())
        await pilot.press("g")
        line, *_ = drawn(app, KeyBar)
        assert line.startswith(" group by:  1 endpoint  2 path tree  3 process  4 pid  5 peer ")
        await pilot.click(KeyBar, offset=(line.index("process"), 0))
        assert app.view.grouping.by == "process"
        assert drawn(app, KeyBar)[0].endswith(" Esc endpoints")
        await pilot.press("g", "escape")
        assert app.view.grouping.by == "process"


async def test_twice_the_key_goes_to_the_first_row() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("G", "g", "g")
        assert table(app).cursor_row == 0
        await pilot.press("g", "4", "G", "g", "g")
        assert groups(app).cursor_row == 0
        assert app.view.grouping.selected == groups(app).groups.lines[0].id
        await pilot.press("4", "j", "j", "g", "g")
        assert app.screen.query_one(LiveRequests).cursor_row == 0


async def test_the_tree_folds() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("f5")
        assert app.view.grouping.by == "path"
        at = names(app).index("/api/v1")
        await pilot.press(*["j"] * at, "o", "space", "o")
        assert names(app)[at : at + 3] == ["/api/v1", "/users/{id}", "/carts/{id}/items"]
        assert "▾ /api/v1" in drawn(app, GroupTable)[at + 1]
        await pilot.press("j", "enter", "j", "enter")
        assert isinstance(app.screen, DetailScreen)
        await pilot.press("escape")
        key = app.view.grouping.selected
        assert isinstance(key, EndpointKey)
        assert key.path == "/api/v1/users/{id}/sessions"
        await pilot.press("k", "k", "enter")
        assert "/users/{id}" not in names(app)[at + 1 : at + 2]
        await pilot.press("equals_sign")
        assert "path = /api/v1 or path ~ /api/v1/*" in " ".join(drawn(app, FilterChips))
        assert names(app) == ["/api/v1"]
        assert drawn(app, GroupTable)[-1] == " Σ 248 of 3360/s = 7.4%"
        await pilot.press("f5")
        assert app.view.grouping.by == "endpoint"
        assert len(table(app).rows) == 4


async def test_an_endpoint_of_the_tree_is_kept_by_its_path_alone() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("f5")
        at = names(app).index("/orders")
        await pilot.press(*["j"] * at, "space")
        assert names(app)[at + 1 : at + 3] == ["/{id}", "POST nginx"]
        await pilot.press("j", "j", "equals_sign")
        assert " path = /orders ×" in drawn(app, FilterChips)[0]
        assert names(app) == ["/orders"]
        await pilot.press("escape", "exclamation_mark")
        assert "/orders" not in names(app)
        assert "/orders/{id}" in names(app)


async def test_space_moves_by_a_page_where_nothing_folds() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("space")
        assert table(app).cursor_row > 1
        await pilot.press("g", "4", "space")
        assert groups(app).cursor_row > 1
        await pilot.press("4", "space")
        assert app.screen.query_one(LiveRequests).cursor_row > 1


async def test_a_path_that_is_typed_leaves_its_groups_and_their_share() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("g", "3", "slash", *"/api", "enter")
        assert names(app) == ["gunicorn"]
        assert app.focused is groups(app)
        assert drawn(app, GroupTable)[-1] == " Σ 248 of 3360/s = 7.4%"


async def test_the_selection_stays_on_its_group() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("g", "3", "j", "j")
        assert names(app)[groups(app).cursor_row] == "node"
        await pilot.press("F")
        assert said(app) == ["The cursor already follows its group."]
        rows = host().endpoints
        busier = [replace(row, rps=9e4) if row.key.process == "node" else row for row in rows]
        await show(pilot, snapshot(busier))
        assert (names(app)[0], groups(app).cursor_row) == ("node", 0)
        await show(pilot, snapshot([row for row in rows if row.key.process != "node"]))
        assert groups(app).cursor_row == 0


@pytest.mark.parametrize("digit", ["3", "4"])
async def test_groups_are_sorted_by_the_columns_shown(digit: str) -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("g", digit)
        before = app.view.sort
        shown = [column.sort for column, _ in groups(app).columns if column.sort in GROUP_LETTERS]
        assert len(shown) == 6
        for name in shown:
            letter = GROUP_LETTERS[name]
            await pilot.press("g", "1", "g", digit, "s", "a" if name != "name" else "t")
            await pilot.press("s", letter)
            for descending in (name != "name", name == "name"):
                grouping = app.view.grouping
                assert (grouping.sort, grouping.descending) == (name, descending)
                values = [GROUP_SORTS[name](line) for line in groups(app).groups.lines]
                assert values == sorted(values, reverse=descending)
                await pilot.press("r")
        await pilot.press("s", "a", "greater_than_sign")
        assert app.view.grouping.sort == shown[1]
        await pilot.press("less_than_sign")
        assert app.view.grouping.sort == "name"
        assert app.view.sort == before
        left = drawn(app, GroupTable)[0].index("SHARE")
        await pilot.click(GroupTable, offset=(left + 1, 1))
        assert app.view.grouping.sort == "rps"


async def test_a_group_is_kept_or_hidden() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("g", "3", "exclamation_mark")
        assert names(app) == ["gunicorn", "node", "redis-exporter"]
        await pilot.press("equals_sign")
        assert names(app) == ["gunicorn"]
        assert "comm != nginx × comm = gunicorn" in " ".join(drawn(app, FilterChips)[0].split())
        await pilot.press("escape")
        assert (len(names(app)), app.view.grouping.by) == (4, "process")


async def test_what_no_filter_can_tell_is_said() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        rows = [replace(row, by_peer=None) for row in host().endpoints]
        app = await show(pilot, snapshot(rows))
        await pilot.press("g", "5")
        assert names(app) == ["other peers"]
        await pilot.press("enter", "exclamation_mark")
        assert said(app) == ["No filter tells a peer that is not known."] * 2
        assert (app.view.grouping.by, app.view.filtered) == ("peer", False)
        await pilot.press("m", "u")
        assert said(app)[2:] == ["Select an endpoint for that: g 1."] * 2
        await pilot.press("slash", *"zzz")
        assert app.screen.query_one(EmptyState).display
        assert not groups(app).display
        await pilot.press("escape")
        assert groups(app).display


async def test_an_unknown_user_is_said() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        rows = [endpoint(key("/", user="nobody of this host"))]
        app = await show(pilot, snapshot(rows))
        await pilot.press("g", "9", "enter")
        (reason,) = said(app)
        assert "no user of this host has that name" in reason
        assert app.view.grouping.by == "user"


async def test_a_filter_that_is_gone_leads_back_nowhere() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("g", "3", "enter", "backspace", "escape")
        assert (app.view.grouping.by, app.view.filtered) == ("endpoint", False)


async def test_groups_by_mouse() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("g", "3")
        await pilot.click(GroupTable, offset=(5, 3))
        assert app.view.grouping.selected == "gunicorn"
        footer = groups(app).size.height - 1
        await pilot.click(GroupTable, offset=(5, footer))
        assert app.view.grouping.selected == "gunicorn"
        await pilot.click(GroupTable, offset=(5, 3), times=2)
        assert {row.key.process for row in table(app).rows} == {"gunicorn"}


async def test_groups_fill_the_screen_and_the_other_side_has_its_own() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, host())
        await pilot.press("g", "3", "3")
        await pilot.pause()
        assert groups(app).size.height > 30
        assert not app.screen.query_one(EndpointTable).display
        await pilot.press("3")
        await pilot.pause()
        assert app.focused is groups(app)
        await pilot.press("tab")
        assert names(app) == ["gunicorn", "curl"]
        assert isinstance(app.screen, Dashboard)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 40), (200, 60)])
async def test_hostile_names_keep_the_columns_aligned(size: tuple[int, int]) -> None:
    paths = ("/a[/b]", "/x/[red]", "/x/日本語/パス/とても長い道", "/x/" + "A" * 5000, "[/]")
    rows = [
        replace(
            endpoint(key(path, process=path[:15], user=path[:20]), rps=9.0 - at),
            containers=(path[:30],),
        )
        for at, path in enumerate(paths)
    ]
    async with HttptopApp().run_test(size=size) as pilot:
        app = await show(pilot, snapshot(rows))
        for digit in "23456789":
            await pilot.press("g", digit, "space")
            widget = groups(app)
            widths = {widget.render_line(y).cell_length for y in range(widget.size.height)}
            assert widths == {widget.canvas().width}
            header = widget.render_line(0).text.rstrip()
            columns = [column.title for column, _ in widget.columns if column.title]
            assert all(title in header for title in columns)
            assert len(columns) >= 3
