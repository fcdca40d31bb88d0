"""What looks like a button works, and the wheel scrolls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.events import MouseScrollDown, MouseScrollUp
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.filters import parse
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.health import HealthScreen
from httptop.screens.pages import ConfirmQuit, Page
from httptop.screens.palette import Palette
from httptop.widgets.dashboard_head import TitleLine
from httptop.widgets.endpoint_detail import EndpointDetail
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_bar import FilterBar
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.filter_editor import FilterEditor
from httptop.widgets.heat_map import HeatMap
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.live_requests import LiveRequests
from httptop.widgets.rate_graph import RateGraph
from tests.factory import busy, with_times
from tests.screens.handles import drawn, show, table

SIZE = (120, 40)


async def click(pilot: Pilot[int], kind: type[Widget], text: str) -> None:
    """Click on a text that a widget draws."""
    app = pilot.app
    assert isinstance(app, HttptopApp)
    lines = drawn(app, kind)
    y = next(y for y, line in enumerate(lines) if text in line)
    widget = app.screen.query_one(kind)
    at = widget.content_region.offset + Offset(lines[y].index(text), y)
    await pilot.click(offset=at)
    await pilot.pause()


async def scroll(pilot: Pilot[int], kind: type[Widget], *events: type) -> None:
    for event in events:
        await pilot._post_mouse_events([event], kind, (20, 3), button=0)
    await pilot.pause()


async def test_every_key_of_the_key_bar_works_by_a_click() -> None:
    """All but the last one, which quits."""
    async with HttptopApp().run_test(size=(160, 40)) as pilot:
        app = await show(pilot)
        clicks: tuple[tuple[str, Callable[[], bool]], ...] = (
            (" path", lambda: app.screen.query_one(FilterBar).is_open),
            (" filter", lambda: app.screen.query_one(FilterEditor).is_open),
            (" sort", lambda: drawn(app, KeyBar)[0].startswith(" sort by:")),
            (" only", lambda: drawn(app, KeyBar)[0].startswith(" only:")),
            (" hide", lambda: drawn(app, KeyBar)[0].startswith(" hide:")),
            (" pause", lambda: app.view.paused),
            (" resume", lambda: not app.view.paused),
            (" client", lambda: app.view.side == "client"),
            (" server", lambda: app.view.side == "server"),
            (" open", lambda: isinstance(app.screen, DetailScreen)),
            (" help", lambda: isinstance(app.screen, Page)),
            (" health", lambda: isinstance(app.screen, HealthScreen)),
        )
        for text, done in clicks:
            await click(pilot, KeyBar, text)
            assert done(), text
            if text not in (" pause", " client"):
                await pilot.press("escape")
                await pilot.pause()
    assert app.return_code is None or app.return_code == 0


async def test_the_title_has_sides_window_and_pause() -> None:
    async with HttptopApp().run_test(size=SIZE) as pilot:
        app = await show(pilot)
        await click(pilot, TitleLine, "client 3")
        assert app.view.side == "client"
        await click(pilot, TitleLine, "CLIENT")
        assert app.view.side == "server"
        await click(pilot, TitleLine, "+")
        assert app.view.window_s == 60
        await click(pilot, TitleLine, "- +")
        assert app.view.window_s == 10
        await pilot.press("p")
        await click(pilot, TitleLine, "SERVER")
        assert (app.view.side, app.view.paused) == ("client", True)
        await click(pilot, TitleLine, ". now")
        assert not app.view.paused


@pytest.mark.parametrize("kind", [RateGraph, HeatMap, EndpointTable, LiveRequests])
async def test_a_panel_fills_the_screen_by_a_click_on_its_title(kind: type[Widget]) -> None:
    async with HttptopApp().run_test(size=SIZE) as pilot:
        app = await show(pilot)
        widget = app.screen.query_one(kind)
        small = widget.region
        await pilot.press("G")
        row = table(app).cursor_row
        await pilot.click(offset=small.offset + Offset(4, 0))
        await pilot.pause()
        assert widget.region.height >= SIZE[1] - 5
        assert table(app).cursor_row == row
        await pilot.click(offset=widget.region.offset + Offset(4, 0))
        await pilot.pause()
        assert widget.region == small


async def test_a_chip_is_edited_by_a_click_on_its_text() -> None:
    async with HttptopApp().run_test(size=SIZE) as pilot:
        app = await show(pilot)
        app.change_view(path_filter="users", expression=parse("comm = nginx"))
        await pilot.pause()
        await click(pilot, FilterChips, "path: users")
        assert app.screen.query_one(FilterBar).is_open
        await pilot.press("enter")
        await pilot.pause()
        await click(pilot, FilterChips, "comm = nginx")
        editor = app.screen.query_one(FilterEditor)
        assert editor.is_open
        assert editor.query_one(Input).value == "comm = nginx"


async def test_the_wheel_holds_live_requests_and_goes_through_them() -> None:
    async with HttptopApp().run_test(size=SIZE) as pilot:
        app = await show(pilot)
        live = app.screen.query_one(LiveRequests)
        await scroll(pilot, LiveRequests, MouseScrollDown, MouseScrollDown, MouseScrollDown)
        assert live.held
        assert app.focused is live
        assert live.cursor_row == 3
        await scroll(pilot, LiveRequests, MouseScrollUp)
        assert live.cursor_row == 2


async def test_the_wheel_scrolls_a_page() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        app = await show(pilot, with_times())
        await pilot.press("enter")
        await pilot.pause()
        await scroll(pilot, EndpointDetail, MouseScrollDown)
        assert app.screen.query_one(EndpointDetail).scroll_offset.y > 0


@pytest.mark.parametrize(("opens", "kind"), [("question_mark", Page), ("colon", Palette)])
async def test_a_click_beside_a_box_or_on_its_lower_edge_closes_it(
    opens: str, kind: type[Widget]
) -> None:
    async with HttptopApp().run_test(size=SIZE) as pilot:
        app = await show(pilot, busy())
        for lower_edge in (True, False):
            await pilot.press(opens)
            await pilot.pause()
            assert isinstance(app.screen, kind)
            box = app.screen.children[0].region
            await pilot.click(offset=(box.x + 10, box.y + 2))
            assert isinstance(app.screen, kind)
            at = (box.right - 8, box.bottom - 1) if lower_edge else (2, 20)
            await pilot.click(offset=at)
            await pilot.pause()
            assert isinstance(app.screen, Dashboard)


async def test_yes_and_no_can_be_clicked() -> None:
    app = HttptopApp(ui=Ui(confirm_quit=True))
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot)
        for word, stays in (("no", True), ("yes", False)):
            await pilot.press("q")
            await pilot.pause()
            assert isinstance(app.screen, ConfirmQuit)
            question = app.screen.query_one("Static")
            line = question.render_line(0).text
            at = question.content_region.offset + Offset(line.index(word), 0)
            await pilot.click(offset=at)
            await pilot.pause()
            assert isinstance(app.screen, Dashboard) == stays or not stays
    assert app.return_code == 0
