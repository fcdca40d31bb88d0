"""Panels: chosen by digits and clicks, one of them as large as the screen."""

from __future__ import annotations

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.widget import Widget

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.widgets.empty_state import EmptyState
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.heat_map import HeatMap
from httptop.widgets.live_requests import LiveRequests
from httptop.widgets.rate_graph import RateGraph
from httptop.widgets.too_small import TooSmall
from tests.factory import busy, snapshot
from tests.screens.handles import show

PANELS: tuple[type[Widget], ...] = (RateGraph, HeatMap, EndpointTable, LiveRequests)


def in_sight(app: HttptopApp) -> list[type[Widget]]:
    """Return the panels that are on the screen."""
    return [kind for kind in PANELS if app.screen.query_one(kind).is_on_screen]


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 15), (200, 60)])
@pytest.mark.parametrize("digit", [1, 2, 3, 4])
async def test_a_second_press_has_a_panel_fill_the_screen(
    digit: int, size: tuple[int, int]
) -> None:
    async with HttptopApp().run_test(size=size) as pilot:
        app = await show(pilot)
        before, panel = in_sight(app), PANELS[digit - 1]
        widget = app.screen.query_one(panel)
        small = widget.region
        if digit != 3 and panel in before:  # the endpoints have been chosen all the time
            await press(pilot, str(digit))
            assert in_sight(app) == before
            assert widget.has_class("-chosen")
        await press(pilot, str(digit))
        assert in_sight(app) == [panel]
        assert widget.region.size.height >= max(small.height, size[1] - 5)
        assert widget.region.size.width == size[0]
        await press(pilot, str(digit))
        assert in_sight(app) == before
        assert widget.region == small
        await press(pilot, str(digit))
        if panel not in in_sight(app) or in_sight(app) == before:
            await press(pilot, str(digit))
        assert in_sight(app) == [panel]
        await press(pilot, "escape")
        assert in_sight(app) == before


async def test_another_digit_fills_the_screen_with_another_panel() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        await press(pilot, "3", "4")
        assert in_sight(app) == [LiveRequests]
        assert app.screen.query_one(LiveRequests).held
        await press(pilot, "1")
        assert in_sight(app) == [RateGraph]
        assert not app.screen.query_one(LiveRequests).held
        await press(pilot, "3", "j")
        assert in_sight(app) == [EndpointTable]
        assert app.screen.query_one(EndpointTable).cursor_row == 1
        await press(pilot, "7", "0")  # there are no such panels
        assert in_sight(app) == [EndpointTable]
        await press(pilot, "escape")
        assert in_sight(app) == list(PANELS)


async def test_beside_a_panel_without_a_cursor_the_endpoints_keep_the_focus() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        await press(pilot, "4", "2", "j")
        assert not app.screen.query_one(LiveRequests).held
        assert app.screen.query_one(EndpointTable).cursor_row == 1
        assert app.screen.query_one(HeatMap).has_class("-chosen")
        await press(pilot, "3")
        assert not app.screen.query_one(HeatMap).has_class("-chosen")


async def test_titles_have_the_digits() -> None:
    for symbols, digits in (("braille", "¹²³⁴"), ("ascii", ("1:", "2:", "3:", "4:"))):
        app = HttptopApp(ui=Ui(symbols=symbols))  # type: ignore[arg-type]
        async with app.run_test(size=(120, 40)) as pilot:
            await show(pilot)
            titles = [
                Content.from_markup(app.screen.query_one(kind).border_title or "").plain
                for kind in PANELS
            ]
            starts = [f"{digits[0]}requests/s", f"{digits[1]}latency"]
            starts += [f"{digits[2]}server endpoints", f"{digits[3]}live requests"]
            for title, start in zip(titles, starts, strict=True):
                assert title.startswith(start)


async def test_without_endpoints_their_panel_says_so_on_the_whole_screen() -> None:
    async with HttptopApp().run_test(size=(100, 30)) as pilot:
        app = await show(pilot, snapshot())
        await press(pilot, "3")
        assert in_sight(app) == []
        assert app.screen.query_one(EmptyState).region.height >= 25
        await show(pilot, busy())
        await pilot.pause()
        assert in_sight(app) == [EndpointTable]
        await press(pilot, "j")
        assert app.screen.query_one(EndpointTable).cursor_row == 1


async def test_digits_pick_a_filter_first_and_are_text_while_one_types() -> None:
    async with HttptopApp().run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        await press(pilot, "equals_sign", "p", "equals_sign", "m", "x", "1")
        assert str(app.view.expression) == "method = GET"
        await press(pilot, "slash", "3", "enter")
        assert app.view.path_filter == "3"
        assert len(in_sight(app)) + app.screen.query_one(FilterChips).display > 3


async def test_a_panel_is_no_larger_than_a_terminal_that_is_too_small() -> None:
    async with HttptopApp().run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        await press(pilot, "1", "1")
        await pilot.resize_terminal(50, 12)
        await pilot.pause()
        assert in_sight(app) == []
        assert app.screen.query_one(TooSmall).is_on_screen
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert in_sight(app) == [RateGraph]
