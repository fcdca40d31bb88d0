"""Keys that do nothing say so, and the way back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.health import HealthScreen
from httptop.screens.pages import Page
from httptop.screens.request import RequestScreen
from httptop.widgets.key_bar import KeyBar
from tests.factory import busy
from tests.screens.handles import drawn, show, table


@pytest.mark.parametrize(
    ("pressed", "name"),
    [("v", "v"), ("f9", "F9"), ("left", "Left"), ("ctrl+d", "Ctrl-D"), ("ö", "ö"), ("7", "7")],
)
async def test_a_key_that_does_nothing_says_so_until_the_next_key(pressed: str, name: str) -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        before = drawn(app, KeyBar)
        await pilot.press(pressed)
        text = f" no such key: {name}; ? helps  Enter open "
        assert drawn(app, KeyBar)[0].startswith(text)
        await show(pilot, busy(300))
        assert drawn(app, KeyBar)[0].startswith(text)
        await pilot.press("j")
        assert drawn(app, KeyBar) == before


async def test_a_letter_that_a_menu_does_not_have_says_so() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("s", "y")
        assert drawn(app, KeyBar)[0].startswith(" no such key: sort by y; ? helps ")


async def test_pages_and_boxes_say_it_too() -> None:
    async with HttptopApp(ui=Ui(keys=("help=f12",))).run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("enter", "v")
        assert drawn(app, KeyBar)[0].startswith(" no such key: v; F12 helps ")
        await pilot.press("f12", "v")
        assert isinstance(app.screen, Page)
        assert str(app.screen.children[0].border_subtitle) == "no such key: v; Esc closes"


@pytest.mark.parametrize("opens", [("enter",), ("4", "enter"), ("y",), ("n",), ("question_mark",)])
async def test_q_goes_back_from_a_page(opens: tuple[str, ...]) -> None:
    async with HttptopApp(ui=Ui(confirm_quit=True)).run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        await pilot.press(*opens)
        await pilot.pause()
        kinds = (DetailScreen, RequestScreen, HealthScreen, Page)
        assert isinstance(app.screen, kinds)
        await pilot.press("q")
        assert isinstance(app.screen, Dashboard)
        assert app.is_running


async def test_q_goes_back_page_by_page_and_then_quits() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot)
        await pilot.press("4", "enter", "enter")
        assert len(app.screen_stack) == 3
        await pilot.press("q", "q", "escape", "3")
        assert isinstance(app.screen, Dashboard)
        await pilot.pause()
        assert table(app).size.height > 30
        await pilot.press("q")  # it fills the screen
        assert app.is_running
        await pilot.pause()
        assert table(app).size.height < 30
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_page_can_be_left_before_it_stands() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        shown = app.snapshot
        assert shown is not None
        opened: tuple[Callable[[], None], ...] = (
            lambda: app.open_request(shown.recent[0]),
            lambda: app.open_endpoint(shown.endpoints[0].key),
            app.action_health,
            app.action_in_flight,
            app.action_watches,
        )
        for open_page in opened:
            for turns in range(0, 6, 2):  # of the event loop, of which some have the page half made
                open_page()
                for _ in range(turns):
                    await asyncio.sleep(0)
                app.pop_screen()
                await pilot.pause()
        assert isinstance(app.screen, Dashboard)
