"""The selection of a live request: held lists, cursor, mouse."""

from __future__ import annotations

from dataclasses import replace

from textual.events import AppBlur, AppFocus, Key

from httptop.app import HttptopApp
from httptop.screens.dashboard import Dashboard
from httptop.screens.request import RequestScreen
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.live_requests import LiveRequests
from tests.factory import busy, samples, shop, snapshot
from tests.screens.handles import show


def live(app: HttptopApp) -> LiveRequests:
    return app.screen_stack[0].query_one(LiveRequests)


async def test_selecting_a_request_holds_the_list_and_opens_a_page() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("4", "j", "j")
        held = live(app).requests
        assert app.focused is live(app)
        assert live(app).selected is held[2]
        assert "held" in str(live(app).border_title)
        assert "open the request" in app.screen.query_one(KeyBar).render_line(0).text
        later = [replace(sample, serial=sample.serial + 500) for sample in samples(shop())]
        await show(pilot, snapshot(shop(), later))
        assert live(app).requests is held  # they stand still under the cursor
        await pilot.press("enter")
        assert isinstance(app.screen, RequestScreen)
        assert app.screen.request is held[2]
        await show(pilot, busy(300))
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)
        assert live(app).selected is held[2]
        await pilot.press("escape")
        await pilot.pause()
        assert not live(app).held
        assert app.focused is app.screen.query_one(EndpointTable)
        assert live(app).requests is not held


async def test_keys_typed_right_behind_already_select() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        for letter in "4jj":
            app.post_message(Key(letter, letter))
        await pilot.pause()
        assert live(app).cursor_row == 2
        for key, letter in (("4", "4"), ("j", "j"), ("enter", "")):
            app.post_message(Key(key, letter or None))
        await pilot.pause()
        assert isinstance(app.screen, RequestScreen)
        await pilot.press("escape", "4", "slash", *"a4")
        assert app.view.path_filter == "a4"


async def test_the_cursor_scrolls_and_stays_within_the_list() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("4", "k")
        widget = live(app)
        assert widget.cursor_row == 0
        await pilot.press("G", "j", "pagedown")
        assert widget.cursor_row == len(widget.requests) - 1
        assert widget.render_line(widget.size.height - 1).text.startswith("▌")
        await pilot.press("pageup")
        assert 0 < widget.cursor_row < len(widget.requests) - 1
        await pilot.press("home")
        assert widget.render_line(1).text.startswith("▌")


async def test_another_side_shows_its_own_requests_even_while_held() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("4", "j", "s", "9")
        assert live(app).cursor_row == 1  # the order of endpoints is nothing to it
        await pilot.press("tab")
        assert live(app).held
        assert {sample.key.side for sample in live(app).requests} == {"client"}
        assert live(app).cursor_row == 0


async def test_requests_are_selected_by_mouse() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.click(LiveRequests, offset=(20, 4))
        assert live(app).cursor_row == 2
        third = live(app).requests[2]
        await pilot.double_click(LiveRequests, offset=(20, 4))
        await pilot.pause()
        assert isinstance(app.screen, RequestScreen)
        assert app.screen.request is third
        await pilot.press("escape")
        await pilot.click(EndpointTable, offset=(20, 4))
        await pilot.pause()
        assert not live(app).held


async def test_a_list_for_which_there_is_no_room_fills_the_screen_to_be_selected_from() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 18)) as pilot:
        await show(pilot, busy())
        assert not live(app).display
        await pilot.press("4")
        await pilot.pause()
        assert live(app).display
        assert app.focused is live(app)
        await pilot.press("4")
        await pilot.pause()
        assert not live(app).display
        assert app.focused is app.screen.query_one(EndpointTable)
        assert not live(app).held


async def test_without_requests_there_is_nothing_to_open() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, snapshot(shop()))
        await pilot.press("4", "j", "G", "enter")
        assert isinstance(app.screen, Dashboard)
        assert live(app).held
        await pilot.press("escape")
        await pilot.pause()
        assert not live(app).held


async def test_a_list_stays_held_while_another_window_has_the_keys() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("4", "j")
        held = live(app).requests
        app.post_message(AppBlur())
        await pilot.pause()
        await show(pilot, busy(300))
        assert live(app).requests is held
        app.post_message(AppFocus())
        await pilot.pause()
        assert live(app).cursor_row == 1
        assert app.focused is live(app)
