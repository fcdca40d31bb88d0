"""Filters on the screen by keys and mouse: editor, selected row, chips; saving and merging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from httptop.app import HttptopApp
from httptop.config.settings import DEFAULTS
from httptop.errors import HttptopError
from httptop.filters import parse
from httptop.model import Snapshot
from httptop.screens.status_chooser import StatusChooser
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.filter_editor import Advice, FilterEditor
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.live_requests import LiveRequests
from httptop.widgets.prompt import Prompt
from tests.factory import busy, endpoint, key, many, samples, shop, snapshot
from tests.screens.fake_run import FakeRun

FIXED = (("pid = 1,2", True), ("status = 5xx", False))


def table(app: HttptopApp) -> EndpointTable:
    return app.screen_stack[0].query_one(EndpointTable)


def drawn(app: HttptopApp, kind: type[Widget]) -> list[str]:
    widget = app.screen.query_one(kind)
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def processes(app: HttptopApp) -> set[str]:
    return {row.key.process for row in table(app).rows}


async def show(pilot: Pilot[int], snap: Snapshot | None = None) -> HttptopApp:
    app = pilot.app
    assert isinstance(app, HttptopApp)
    app.publish(snap or busy())
    await pilot.pause()
    return app


async def write(pilot: Pilot[int], text: str) -> None:
    """Put a text where the cursor is, as a paste does."""
    field = pilot.app.focused
    assert isinstance(field, Input)
    field.insert_text_at_cursor(text)
    await pilot.pause()


def said(app: HttptopApp) -> list[str]:
    return [notification.message for notification in app._notifications]


# The editor


async def test_a_filter_holds_as_soon_as_it_makes_sense() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "comm =")
        assert app.view.expression is None
        assert len(table(app).rows) == 15
        await write(pilot, " node")
        assert str(app.view.expression) == "comm = node"
        assert processes(app) == {"node"}
        await write(pilot, " and status = ")
        assert processes(app) == {"node"}  # the last that made sense
        await write(pilot, "5xx")
        assert [row.key.path for row in table(app).rows] == ["/payments"]
        await pilot.press("enter")
        assert app.focused is table(app)
        assert str(app.view.expression) == "comm = node and status = 5xx"
        assert "1 of 15" in str(table(app).border_title)


async def test_escape_brings_back_what_was_before() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "comm = node")
        await pilot.press("enter")
        await pilot.press("f")
        await write(pilot, " and method = GET")
        assert len(table(app).rows) == 1
        await pilot.press("escape")
        assert str(app.view.expression) == "comm = node"
        assert len(table(app).rows) == 2
        assert not app.screen.query_one(FilterEditor).is_open


async def test_an_emptied_filter_shows_everything() -> None:
    async with HttptopApp(ui=replace(DEFAULTS.ui, filter="comm = node")).run_test() as pilot:
        app = await show(pilot)
        assert processes(app) == {"node"}
        await pilot.press("f", "ctrl+u")
        assert app.view.expression is None
        await pilot.press("enter")
        assert len(table(app).rows) == 15


async def test_a_word_alone_waits_for_enter() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "s")
        assert len(table(app).rows) == 15
        await write(pilot, "ession")
        assert len(table(app).rows) == 15
        await pilot.press("enter")
        assert str(app.view.expression) == "path ~ *session*"
        assert len(table(app).rows) == 2


async def test_a_fault_is_pointed_at_while_typing_and_enter_does_not_keep_it() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "comm = nginx and statsu = 5xx")
        mark = drawn(app, Advice)[0]
        text = "comm = nginx and statsu"
        assert mark.index("^") == len(" filter ") + text.index("statsu")
        assert "unknown field 'statsu'; did you mean 'status'?" in mark
        await pilot.press("enter")
        assert app.screen.query_one(FilterEditor).is_open
        await pilot.press("escape")
        assert app.view.expression is None


@pytest.mark.parametrize("width", [60, 80])
async def test_the_mark_stays_under_its_character_when_the_text_scrolls(width: int) -> None:
    async with HttptopApp().run_test(size=(width, 24)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "path = /a or " * 8 + "x = 1")
        await pilot.pause()
        editor = app.screen.query_one(FilterEditor)
        field = editor.query_one(Input)
        text = field.value
        mark = drawn(app, Advice)[0].index("^")
        assert mark == 8 + text.rindex("x") - round(field.scroll_offset.x)
        assert 8 <= mark < width


async def test_what_the_screen_cannot_response_is_refused_at_its_character() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "comm = nginx and container = web")
        mark = drawn(app, Advice)[0]
        assert "'container' works only for a whole run" in mark
        assert mark.index("^") == 8 + len("comm = nginx and ")


async def test_a_filter_on_peers_hides_live_requests_and_says_so() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        live = app.screen.query_one(LiveRequests)
        before = len(live.requests)
        await pilot.press("f")
        await write(pilot, "peer = 203.0.113.0/28")
        assert len(table(app).rows) == 15
        assert 0 < len(live.requests) < before
        assert "live requests only" in drawn(app, Advice)[0]
        await pilot.press("enter")
        assert "live: peer = 203.0.113.0/28" in drawn(app, FilterChips)[0]


async def test_live_requests_that_match_are_shown_without_an_endpoint() -> None:
    rows = shop()
    sent = next(sample for sample in samples(rows) if sample.path != sample.key.path)
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot(rows, [replace(sent, path="/users/4711")]))
        await pilot.press("f")
        await write(pilot, "path = /users/4711")
        assert not table(app).rows
        live = app.screen.query_one(LiveRequests)
        assert live.display
        assert len(live.requests) == 1


async def test_completion_by_keys() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "st")
        assert any("status" in line for line in drawn(app, Advice))
        await pilot.press("tab", "tab")
        field = app.screen.query_one(FilterEditor).query_one(Input)
        assert field.value == "status = "
        await pilot.press("down", "down", "down", "up", "tab")
        assert field.value == "status = 4xx"
        await write(pilot, " a")
        await pilot.press("tab")
        assert field.value == "status = 4xx and "
        assert app.view.side == "server"  # Tab did not change it
        await pilot.press("up", "escape")
        assert app.view.expression is None


async def test_completion_by_mouse() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "method = ")
        lines = drawn(app, Advice)
        y = next(n for n, line in enumerate(lines) if "POST" in line)
        await pilot.click(Advice, offset=(lines[y].index("POST"), y))
        assert str(app.view.expression) == "method = POST"
        assert app.screen.query_one(FilterEditor).is_open


async def test_letters_typed_right_behind_the_key_are_the_filter() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f", *"ffqxLmu", "slash")
        assert app.screen.query_one(FilterEditor).query_one(Input).value == "ffqxLmu/"
        assert app.is_running


async def test_a_click_on_the_table_keeps_what_was_written() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "comm = node")
        await pilot.click(EndpointTable, offset=(5, 3))
        assert not app.screen.query_one(FilterEditor).is_open
        assert str(app.view.expression) == "comm = node"
        assert app.focused is table(app)


# The selected row


@pytest.mark.parametrize(
    ("only", "exclude", "field"),
    [("o", "O", "comm"), ("a", "A", "path"), ("i", "I", "pid")],
)
async def test_by_the_selected_row(only: str, exclude: str, field: str) -> None:
    def value(row: Any) -> object:
        return {"comm": row.key.process, "path": row.key.path, "pid": row.pids}[field]

    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("j", "j", "j")
        row = table(app).rows[3]
        await pilot.press(only)
        shown = [value(other) for other in table(app).rows]
        assert value(row) in shown
        if field != "pid":
            assert set(shown) == {value(row)}
        assert table(app).cursor_key == row.key
        await pilot.press(only)  # again: no longer
        assert len(table(app).rows) == 15
        await pilot.press(exclude)
        assert value(row) not in [value(other) for other in table(app).rows]
        assert 0 < len(table(app).rows) < 15
        heir = table(app).cursor_key
        assert app.view.selected == heir
        await pilot.press("escape")
        assert len(table(app).rows) == 15
        assert table(app).cursor_key == heir


async def test_several_process_numbers_are_one_filter() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("i")
        pids = table(app).rows[0].pids
        assert str(app.view.expression) == f"pid = {pids[0]},{pids[1]}"


async def test_a_status_is_chosen_where_a_row_has_several() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot([endpoint(key("/"), status={200: 5, 500: 1, 503: 2})]))
        await pilot.press("t")
        assert isinstance(app.screen, StatusChooser)
        assert app.screen.statuses == (("5xx", 3), ("503", 2), ("500", 1), ("200", 5))
        await pilot.press("2")
        await pilot.pause()
        assert str(app.view.expression) == "status = 503"
        await pilot.press("T", "j", "enter")
        await pilot.pause()
        assert str(app.view.expression) == "status = 503 and status != 503"
        await pilot.press("escape", "t", "escape")
        assert app.view.expression is None


async def test_the_only_status_of_a_row_is_taken_at_once() -> None:
    rows = [endpoint(key("/a")), endpoint(key("/b"), rps=1.0, status={}, unanswered=3)]
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot(rows))
        await pilot.press("t")
        assert str(app.view.expression) == "status = 200"
        await pilot.press("t", "j", "T")
        assert str(app.view.expression) == "status != unknown"
        assert [row.key.path for row in table(app).rows] == ["/a"]


async def test_a_row_without_process_numbers_says_so() -> None:
    row = replace(endpoint(key("/")), pids=())
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot([row]))
        await pilot.press("i", "I")
        assert app.view.expression is None
        assert "No process number" in said(app)[0]
        await pilot.press("slash", *"nothing", "enter", "o")  # no row at all
        assert app.view.expression is None


async def test_hostile_names_make_filters_that_mean_them() -> None:
    names = ('a "b', "not", "x,y", "(", "/r/", "[bold]", "\\x1b[31m", "~other")
    rows = [
        endpoint(key(f"/{n}{name}", process=name), rps=90.0 - n) for n, name in enumerate(names)
    ]
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, snapshot(rows))
        for row in rows:
            app.change_view(selected=row.key)
            await pilot.press("o", "a")
            assert [shown.key for shown in table(app).rows] == [row.key]
            assert "comm = " in drawn(app, FilterChips)[0]
            assert parse(str(app.view.expression)) == app.view.expression
            await pilot.press("escape")
            assert app.view.expression is None


async def test_a_hidden_row_keeps_its_history() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, busy(10))
        hidden = table(app).rows[0]
        await pilot.press("A")
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
        await pilot.press("f")
        await write(pilot, "comm = gunicorn")
        await pilot.press("enter", "tab")
        assert app.view.side == "client"
        assert processes(app) == {"gunicorn"}
        assert len(table(app).rows) == 2


async def test_the_table_has_the_keys_again_after_a_filter_that_left_nothing() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("slash", *"nothing", "enter")
        assert not table(app).rows
        await pilot.press("question_mark", "escape", "p", "p")  # of the screen: they work on
        assert app.view.path_filter == "nothing"
        await pilot.press("escape")
        await pilot.pause()
        assert app.focused is table(app)
        await pilot.press("j")
        assert table(app).cursor_row == 1


# Chips


async def test_chips_name_all_filters_and_where_the_fixed_ones_apply() -> None:
    async with HttptopApp(fixed=FIXED).run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        assert drawn(app, FilterChips) == ["  kernel pid = 1,2   run status = 5xx"]
        await pilot.press("slash", *"users", "enter")
        await pilot.press("f")
        await write(pilot, "comm = nginx and in_flight >= 0")
        await pilot.press("enter")
        (line,) = drawn(app, FilterChips)
        assert "path: users ×" in line
        assert "comm = nginx ×" in line
        assert "endpoints: in_flight >= 0 ×" in line


async def test_without_filters_there_is_no_line_of_chips() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        assert not app.screen.query_one(FilterChips).display
        await pilot.press("o")
        assert app.screen.query_one(FilterChips).display
        await pilot.press("backspace")
        assert not app.screen.query_one(FilterChips).display


async def test_chips_go_by_key() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("slash", *"users", "enter")
        await pilot.press("f")
        await write(pilot, "comm = nginx and method = GET and status = 404")
        await pilot.press("enter", "backspace")
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
        assert not app.screen.picking  # type: ignore[attr-defined]


async def test_chips_go_by_mouse_and_fixed_ones_stay() -> None:
    async with HttptopApp(fixed=FIXED).run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "comm = nginx and method = GET")
        await pilot.press("enter")
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
        await pilot.press("j", "o")
        await pilot.press("f")
        await write(pilot, " and method = GET")
        await pilot.press("escape")
        assert str(app.view.expression) == "comm = nginx"
        await pilot.press("escape")
        assert app.view.expression is None
        assert app.view.selected is not None
        await pilot.press("escape")
        assert app.view.selected is None


# Saving


class Saved:
    """A place to save to that remembers what it got."""

    def __init__(self, fault: HttptopError | None = None) -> None:
        self.fault = fault
        self.got: list[dict[str, object]] = []

    def __call__(self, changes: Mapping[str, object]) -> str:
        if self.fault is not None:
            raise self.fault
        self.got.append(dict(changes))
        return "/home/me/[x]/config.toml"


async def settled(pilot: Pilot[int]) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_what_was_changed_is_saved_once_and_where_is_said() -> None:
    save = Saved()
    async with HttptopApp(run=FakeRun(save=save)).run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("w")
        assert said(app) == ["Nothing was changed here that could be saved."]
        await pilot.press("slash", *"a*b", "enter", "tab", "1")
        await pilot.press("f")
        await write(pilot, "status = 5xx")
        await pilot.press("enter", "w")
        await settled(pilot)
        assert save.got == [
            {
                "ui.filter": "path ~ *a[*]b* and status = 5xx",
                "ui.sort": "process",
                "ui.side": "client",
            }
        ]
        assert said(app)[-1] == "Saved ui.filter, ui.sort, ui.side to /home/me/[x]/config.toml"
        await pilot.press("w")
        await settled(pilot)
        assert len(save.got) == 1
        await pilot.press("escape", "w")
        await settled(pilot)
        assert save.got[1] == {"ui.filter": ""}


async def test_why_it_was_not_saved_is_said() -> None:
    async with HttptopApp(
        run=FakeRun(save=Saved(HttptopError("no [right] to")))
    ).run_test() as pilot:
        app = await show(pilot)
        await pilot.press("s", "w")
        await settled(pilot)
        assert said(app) == ["Not saved: no [right] to"]
        assert app.is_running


async def test_without_a_file_the_key_says_that_it_cannot() -> None:
    async with HttptopApp().run_test() as pilot:
        app = await show(pilot)
        await pilot.press("s", "w", "m", "u")
        assert [text.split(".")[0] for text in said(app)] == [
            "There is no file of settings to write to in this run",
            "How paths are counted cannot be changed in this run",
            "How paths are counted cannot be changed in this run",
        ]


# Merging and splitting


async def test_paths_are_merged_and_split_by_patterns() -> None:
    applied: list[dict[str, object]] = []
    save = Saved()
    app = HttptopApp(run=FakeRun(change=lambda changes: applied.append(dict(changes)), save=save))
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, snapshot([endpoint(key("/shop/red/{id}"))]))
        await pilot.press("m")
        prompt = app.screen.query_one(Prompt)
        assert prompt.query_one("#question").visual._text == "count together"  # type: ignore[attr-defined]
        field = prompt.query_one(Input)
        assert field.value == "/shop/red/*"
        await pilot.press("ctrl+u", *"shop", "enter")
        assert prompt.is_open  # no path
        await pilot.press("ctrl+u", "slash", *"shop", "slash", *"{colour}", "slash", "*", "enter")
        await settled(pilot)
        assert applied[-1] == {"paths.templates": ("/shop/{colour}/*",), "paths.keep": ()}
        assert not prompt.is_open
        assert app.focused is table(app)
        await show(pilot, snapshot([endpoint(key("/shop/{colour}/{id}"))]))
        await pilot.press("w")
        await settled(pilot)
        assert save.got == [{"paths.templates": ("/shop/{colour}/*",)}]
        await pilot.press("u", "enter")  # takes the user's own template away
        await settled(pilot)
        assert applied[-1] == {"paths.templates": (), "paths.keep": ()}
        await pilot.press("u", "enter")  # and then keeps what the rules would put together
        await settled(pilot)
        assert applied[-1] == {"paths.templates": (), "paths.keep": ("/shop/*/*",)}
        await pilot.press("m", "escape")
        assert len(applied) == 3


async def test_a_change_that_fails_is_told_and_not_kept() -> None:
    def refuse(_: Mapping[str, object]) -> None:
        raise HttptopError("the kernel has no room")

    async with HttptopApp(run=FakeRun(change=refuse)).run_test() as pilot:
        app = await show(pilot)
        await pilot.press("m", "enter")
        await settled(pilot)
        assert said(app) == ["Not changed: the kernel has no room"]
        assert app.paths == DEFAULTS.paths


async def test_the_row_of_all_others_is_no_path() -> None:
    async with HttptopApp(run=FakeRun(change=lambda _: None)).run_test() as pilot:
        app = await show(pilot, snapshot([endpoint(key("~other"))]))
        await pilot.press("m")
        assert said(app) == ["~other is no path of its own."]


# Keys and help


async def test_footer_names_the_keys_that_work() -> None:
    async with HttptopApp().run_test(size=(140, 40)) as pilot:
        app = await show(pilot)
        assert " f filter " in drawn(app, KeyBar)[0]
        await pilot.press("o")
        assert "Esc clear filters" in drawn(app, KeyBar)[0]
        await pilot.press("f")
        assert "Tab complete" in drawn(app, KeyBar)[0]
        x = drawn(app, KeyBar)[0].index("keep the filter")
        await pilot.click(KeyBar, offset=(x, 0))
        assert not app.screen.query_one(FilterEditor).is_open


async def test_thousands_of_rows_are_filtered() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, many(5_000, 1))
        await pilot.press("f")
        await write(pilot, "comm = worker-3 and latency > 20ms")
        assert processes(app) == {"worker-3"}
        before = [row.key for row in table(app).rows]
        await show(pilot, many(5_000, 2))
        assert processes(app) == {"worker-3"}
        assert before != [row.key for row in table(app).rows]
