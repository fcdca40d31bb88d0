"""Filters by a part of a path, by the selected row, and their chips."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.events import Key
from textual.widgets import Input

from httptop.app import HttptopApp
from httptop.config.settings import DEFAULTS
from httptop.filters import parse
from httptop.model import PartyStats
from httptop.screens.value_chooser import ValueChooser
from httptop.widgets.empty_state import EmptyState
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.live_requests import LiveRequests
from tests.factory import busy, endpoint, key, request, snapshot
from tests.screens.handles import drawn, said, show, table, write

FIXED = (("pid = 1,2", True), ("status = 5xx", False))


def processes(app: HttptopApp) -> set[str]:
    return {row.key.process for row in table(app).rows}


async def test_filtering_as_one_types() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("slash", *"users")
        assert app.view.path_filter == "users"
        assert len(table(app).rows) == 3
        assert "3 of 15" in str(table(app).border_title)
        await pilot.press("enter")
        assert app.focused is table(app)
        assert app.view.path_filter == "users"
        await pilot.press("slash")
        assert app.screen.query_one(Input).value == "users"
        await pilot.press("escape")
        assert app.view.path_filter == ""
        assert len(table(app).rows) == 15
        assert app.focused is table(app)


async def test_keys_are_letters_while_a_filter_is_typed() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("slash", *"qpsr?1/")
        assert app.view.path_filter == "qpsr?1/"
        assert not app.view.paused
        assert app.view.sort == "rps"
        assert app.is_running
        await pilot.press("escape", "slash", "x", "enter", "escape")
        assert app.view.path_filter == ""


async def test_letters_typed_right_behind_the_slash_are_the_filter() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        for letter in ("slash", "u", "s", "slash"):
            app.post_message(Key(letter, "/" if letter == "slash" else letter))
        await pilot.pause()
        assert app.view.path_filter == "us/"
        assert app.view.sort == "rps"


@pytest.mark.parametrize(
    ("letter", "field"),
    [
        *(("p", "comm"), ("a", "path"), ("i", "pid"), ("m", "method"), ("r", "port")),
        *(("u", "user"), ("c", "container")),
    ],
)
async def test_by_the_selected_row(letter: str, field: str) -> None:
    def value(row: Any) -> object:
        fields = {"comm": row.key.process, "path": row.key.path, "pid": row.pids}
        fields |= {"method": row.key.method, "port": row.key.port}
        return (fields | {"user": row.key.user, "container": row.containers})[field]

    found = [
        replace(
            row,
            key=replace(row.key, port=80 if n % 4 else 8000, user="root" if n % 3 else "daemon"),
            containers=("web",) if n % 2 else ("db",),
        )
        for n, row in enumerate(busy().endpoints)
    ]
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot(found))
        await pilot.press("j", "j", "j")
        row = table(app).rows[3]
        await pilot.press("equals_sign", letter)
        shown = [value(other) for other in table(app).rows]
        assert value(row) in shown
        if field != "pid":
            assert set(shown) == {value(row)}
        assert table(app).cursor_key == row.key
        await pilot.press("equals_sign", letter)  # again: no longer
        assert len(table(app).rows) == 15
        await pilot.press("exclamation_mark", letter)
        assert value(row) not in [value(other) for other in table(app).rows]
        assert 0 < len(table(app).rows) < 15
        heir = table(app).cursor_key
        await pilot.press("escape")
        assert len(table(app).rows) == 15
        assert table(app).cursor_key == heir


async def test_a_peer_of_the_selected_row_is_chosen() -> None:
    peers = {"10.0.0.1": PartyStats(5, 0), "~other": PartyStats(2, 0), "::1": PartyStats(1, 0)}
    rows = [
        replace(endpoint(key("/")), by_peer=peers),
        replace(endpoint(key("/unknown"), rps=1.0), by_peer=None),
    ]
    found = [
        request(n, key("/"), peer=peer) for n, peer in enumerate(("10.0.0.1:40000", "[::1]:40001"))
    ]
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot(rows, found))
        await pilot.press("equals_sign", "h")
        assert isinstance(app.screen, ValueChooser)
        assert app.screen.values == (("10.0.0.1", 5), ("::1", 1))
        await pilot.press("2")
        await pilot.pause()
        assert str(app.view.expression) == "peer = ::1"
        assert [one.serial for one in app.screen.query_one(LiveRequests).requests] == [1]
        await pilot.press("escape", "j", "exclamation_mark", "h")
        assert app.view.expression is None
        assert said(app) == ["No peer address is known here."]


@pytest.mark.parametrize(
    ("letter", "filters"),
    [
        ("p", "comm = nginx"),
        ("a", "path = /users/{id}"),
        ("s", "status = 503"),
        ("i", "pid = 12"),
        ("h", "peer = 2001:db8::7"),
        ("r", "port = 8080"),
        ("m", "method = GET"),
        ("u", "user = root"),
        ("c", "None"),
    ],
)
async def test_by_the_selected_request(letter: str, filters: str) -> None:
    name = replace(key(), port=8080, user="root")
    found = [
        request(2, name, peer="[2001:db8::7]:44", status=503),
        request(1, replace(name, port=0, user=""), peer=None, status=0, pid=0),
    ]
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot([endpoint(key("/other", process="node"))], found))
        await pilot.press("4", "equals_sign", letter)
        assert str(app.view.expression) == filters
        app.change_view(expression=None)
        await pilot.press("j", "exclamation_mark", letter)
        filters = filters.replace(" = ", " != ").replace("503", "unknown")
        unknown = letter in "ihruc"
        assert str(app.view.expression) == ("None" if unknown else filters)


async def test_letters_count_in_the_order_of_the_keys() -> None:
    """And keys before them: the letter is of the row that these have moved to."""
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        for pressed in ("j", "j", "j", "=", "p", "!", "a", "p", "=", "m"):
            names = {"=": "equals_sign", "!": "exclamation_mark"}
            app.post_message(Key(names.get(pressed, pressed), pressed))
        await pilot.pause()
        text = "comm = gunicorn and path != /api/v1/users/{id}/sessions and method = PATCH"
        assert str(app.view.expression) == text
        assert app.view.paused


async def test_the_key_bar_shows_the_letters_of_an_open_menu() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        app = await show(pilot)
        before = drawn(app, KeyBar)
        await pilot.press("equals_sign")
        line, last = drawn(app, KeyBar)
        assert line.startswith(" only:  p process  a path  s status  i pid  h from ")
        assert last.endswith(" Esc close")
        await pilot.press("escape")
        assert drawn(app, KeyBar) == before
        await pilot.press("exclamation_mark", "x", "p")  # no letter of it: nothing happens
        assert app.view.expression is None
        assert app.view.paused  # the menu was closed
        await pilot.press("equals_sign", "down", "down", "down")
        assert table(app).cursor_row == 3
        await pilot.press("equals_sign")
        await pilot.click(KeyBar, offset=(line.index("process"), 0))
        assert str(app.view.expression) == "comm = gunicorn"
        await pilot.press("equals_sign")
        at = drawn(app, KeyBar)[1].index("close")
        await pilot.click(KeyBar, offset=(at, 1))
        assert "close" not in drawn(app, KeyBar)[0]
        assert app.view.expression is not None


async def test_several_pids_are_one_filter() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("equals_sign", "i")
        pids = table(app).rows[0].pids
        assert str(app.view.expression) == f"pid = {pids[0]},{pids[1]}"


async def test_a_status_is_chosen_where_a_row_has_several() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot([endpoint(key("/"), status={200: 5, 500: 1, 503: 2})]))
        await pilot.press("equals_sign", "s")
        assert isinstance(app.screen, ValueChooser)
        assert app.screen.values == (("5xx", 3), ("503", 2), ("500", 1), ("200", 5))
        await pilot.press("2")
        await pilot.pause()
        assert str(app.view.expression) == "status = 503"
        await pilot.press("exclamation_mark", "s", "j", "enter")
        await pilot.pause()
        assert str(app.view.expression) == "status = 503 and status != 503"
        await pilot.press("escape", "equals_sign", "s", "escape")
        assert app.view.expression is None


async def test_the_only_status_of_a_row_is_taken_at_once() -> None:
    rows = [endpoint(key("/a")), endpoint(key("/b"), rps=1.0, status={}, unanswered=3)]
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot(rows))
        await pilot.press("equals_sign", "s")
        assert str(app.view.expression) == "status = 200"
        await pilot.press("equals_sign", "s", "j", "exclamation_mark", "s")
        assert str(app.view.expression) == "status != unknown"
        assert [row.key.path for row in table(app).rows] == ["/a"]


async def test_a_row_without_pids_says_so() -> None:
    row = replace(endpoint(key("/")), pids=())
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot([row]))
        await pilot.press("equals_sign", "i", "exclamation_mark", "i")
        assert app.view.expression is None
        assert "No PID" in said(app)[0]
        await pilot.press("slash", *"nothing", "enter", "equals_sign", "p")  # no row at all
        assert app.view.expression is None


async def test_hostile_names_make_filters_that_match_them() -> None:
    names = ('a "b', "not", "x,y", "(", "/r/", "[bold]", "\\x1b[31m", "~other")
    rows = [
        endpoint(key(f"/{n}{name}", process=name), rps=90.0 - n) for n, name in enumerate(names)
    ]
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, snapshot(rows))
        for row in rows:
            app.change_view(selected=row.key)
            await pilot.press("equals_sign", "p", "equals_sign", "a")
            assert [shown.key for shown in table(app).rows] == [row.key]
            assert "comm = " in drawn(app, FilterChips)[0]
            assert parse(str(app.view.expression)) == app.view.expression
            app.change_view(expression=None)


async def test_a_hidden_row_keeps_its_history() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, busy(10))
        hidden = table(app).rows[0]
        await pilot.press("exclamation_mark", "a")
        assert hidden.key not in [row.key for row in table(app).rows]
        grown = replace(hidden, requests=hidden.requests + 500, trend_ns=(*hidden.trend_ns, 9e6))
        later = [grown if row.key == hidden.key else row for row in busy(11).endpoints]
        await show(pilot, snapshot(later, tick=11))
        await pilot.press("escape")
        back = next(row for row in table(app).rows if row.key == hidden.key)
        assert back.requests == hidden.requests + 500
        assert len(back.trend_ns) == len(hidden.trend_ns) + 1


async def test_filters_hold_on_both_sides() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        app.change_view(expression=parse("comm = gunicorn"))
        await pilot.press("tab")
        assert app.view.side == "client"
        assert processes(app) == {"gunicorn"}
        assert len(table(app).rows) == 2


async def test_the_table_has_the_keys_again_after_a_filter_that_left_nothing() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("slash", *"nothing", "enter")
        assert not table(app).rows
        text = "\n".join(drawn(app, EmptyState))
        assert "None of 15 paths contains “nothing”." in text
        assert "Esc removes the filters" in text
        await pilot.press("question_mark", "escape", "p", "p")  # of the screen: they work on
        assert app.view.path_filter == "nothing"
        await pilot.press("escape")
        await pilot.pause()
        assert app.focused is table(app)
        await pilot.press("j")
        assert table(app).cursor_row == 1


async def test_chips_name_all_filters_and_where_the_fixed_ones_apply() -> None:
    async with HttptopApp(fixed=FIXED).run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        assert drawn(app, FilterChips) == ["  kernel pid = 1,2   run status = 5xx"]
        expression = parse("comm = nginx and in_flight >= 0")
        app.change_view(path_filter="users", expression=expression)
        (line,) = drawn(app, FilterChips)
        assert "path: users ×" in line
        assert "comm = nginx ×" in line
        assert "endpoints: in_flight >= 0 ×" in line


async def test_without_filters_there_is_no_line_of_chips() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        assert not app.screen.query_one(FilterChips).display
        await pilot.press("equals_sign", "p")
        assert app.screen.query_one(FilterChips).display
        await pilot.press("backspace")
        assert not app.screen.query_one(FilterChips).display


async def test_chips_go_by_key() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        expression = parse("comm = nginx and method = GET and status = 404")
        app.change_view(path_filter="users", expression=expression)
        await pilot.press("backspace")
        assert str(app.view.expression) == "comm = nginx and method = GET"
        await pilot.press("x")
        assert "1 path: users" in drawn(app, FilterChips)[0]
        await pilot.press("2")
        assert (app.view.path_filter, str(app.view.expression)) == ("users", "method = GET")
        assert app.view.sort == "rps"  # the digit was no column's
        await pilot.press("x", "9")
        assert "1 path" not in drawn(app, FilterChips)[0]
        await pilot.press("x", "escape", "x", "1")
        assert (app.view.path_filter, str(app.view.expression)) == ("", "method = GET")
        await pilot.press("x")  # the only one
        assert not app.view.filtered
        await pilot.press("backspace", "x")
        assert not app.screen._filters.picking  # type: ignore[attr-defined]


async def test_chips_go_by_mouse_and_fixed_ones_stay() -> None:
    async with HttptopApp(fixed=FIXED).run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        app.change_view(expression=parse("comm = nginx and method = GET"))
        await pilot.pause()
        line = drawn(app, FilterChips)[0]
        for text in ("kernel", "pid = 1,2", "status = 5xx", "method"):
            await pilot.click(FilterChips, offset=(line.index(text), 0))
            assert str(app.view.expression) == "comm = nginx and method = GET"
        await pilot.click(FilterChips, offset=(line.index("×"), 0))
        assert str(app.view.expression) == "method = GET"
        assert "kernel pid = 1,2" in drawn(app, FilterChips)[0]


async def test_many_chips_take_more_lines_and_say_how_many_more_there_are() -> None:
    text = " and ".join(f"path !~ /some/longer/path/number/{n}/*" for n in range(20))
    async with HttptopApp(ui=replace(DEFAULTS.ui, filter=text)).run_test(size=(80, 24)) as pilot:
        app = await show(pilot)
        lines = drawn(app, FilterChips)
        assert len(lines) == 3
        shown = sum(line.count("×") for line in lines)
        assert lines[-1].endswith(f"+{20 - shown}")
        assert table(app).size.height > 3
        await pilot.resize_terminal(200, 40)
        await pilot.pause()
        assert sum(line.count("×") for line in drawn(app, FilterChips)) > shown


async def test_escape_closes_then_clears_then_lets_the_selection_go() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("j", "equals_sign", "p")
        await pilot.press("f")
        await write(pilot, " and method = GET")
        await pilot.press("escape")
        assert str(app.view.expression) == "comm = nginx"
        await pilot.press("escape")
        assert app.view.expression is None
        assert app.view.selected is not None
        await pilot.press("escape")
        assert app.view.selected is None
