"""Typing filters: when they apply, their errors, completion."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from httptop.app import HttptopApp
from httptop.config.settings import DEFAULTS
from httptop.model import PartyStats
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.filter_editor import Advice, FilterEditor
from httptop.widgets.live_requests import LiveRequests
from tests.factory import many, samples, shop, snapshot
from tests.screens.handles import drawn, show, table, write


def processes(app: HttptopApp) -> set[str]:
    return {row.key.process for row in table(app).rows}


async def test_a_filter_applies_as_soon_as_it_is_valid() -> None:
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
        assert processes(app) == {"node"}  # the last that was valid
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


async def test_an_error_is_pointed_at_while_typing_and_enter_does_not_keep_it() -> None:
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


async def test_a_regular_expression_without_a_bound_in_time_is_refused_with_the_reason() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "path ~ /(?=a)/")
        assert "refused: it looks ahead, which has no bound in time" in drawn(app, Advice)[0]
        await pilot.press("enter")
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


async def test_a_field_that_the_screen_does_not_know_is_refused_at_its_character() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "comm = nginx and host = web")
        mark = drawn(app, Advice)[0]
        assert "'host' works only for a whole run" in mark
        assert mark.index("^") == 8 + len("comm = nginx and ")


async def test_a_filter_on_peers_hides_endpoints_and_live_requests() -> None:
    shown = [replace(row, by_peer=None) for row in shop()]
    shown[0] = replace(shown[0], by_peer={"203.0.113.9": PartyStats(3, 0)})
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, snapshot(shown, samples(shown)))
        live = app.screen.query_one(LiveRequests)
        before = len(live.requests)
        await pilot.press("f")
        await write(pilot, "peer = 203.0.113.0/28")
        assert [row.key for row in table(app).rows] == [shown[0].key]
        assert 0 < len(live.requests) < before
        await pilot.press("enter")
        assert " peer = 203.0.113.0/28" in drawn(app, FilterChips)[0]


async def test_a_filter_that_live_requests_do_not_know_says_so() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("f")
        await write(pilot, "in_flight > 3")
        assert "endpoints only" in drawn(app, Advice)[0]
        await pilot.press("enter")
        assert "endpoints: in_flight > 3" in drawn(app, FilterChips)[0]


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
