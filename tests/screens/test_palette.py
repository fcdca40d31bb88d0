"""The palette and the help page: all that can be done on a screen, and only that."""

from __future__ import annotations

import re

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.screens.commands import THIS_PAGE, commands
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.health import HealthScreen
from httptop.screens.pages import Page
from httptop.screens.palette import Palette
from httptop.view.keys import ACTIONS, GROUPS, effective
from httptop.view.menus import SORT_LETTERS
from httptop.widgets.columns import COLUMNS
from httptop.widgets.key_bar import KeyBar
from tests.factory import busy
from tests.screens.handles import drawn, show, table


def palette(app: HttptopApp) -> Palette:
    assert isinstance(app.screen, Palette)
    return app.screen


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def test_every_action_has_a_group() -> None:
    assert set(GROUPS) == {action.name for action in ACTIONS}


async def test_every_action_is_found_on_the_dashboard_with_its_keys() -> None:
    async with HttptopApp(ui=Ui(keys=("pause=f12",))).run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        found = {one.name: one for one in commands(app.screen, effective(("pause=f12",)))}
        assert {action.name for action in ACTIONS} <= set(found)
        assert found["pause"].keys == ("F12", "p")
        await press(pilot, "question_mark")
        assert isinstance(app.screen, Page)
        text = app.screen.text.plain
        for action in ACTIONS:
            assert re.search(rf" {action.name}$", text, re.MULTILINE)
            assert action.meaning in text
        for group in set(GROUPS.values()):
            assert group in text
        assert "F12 p " in text
        assert "panel 4; again: it fills the screen" in text
        for column in COLUMNS:
            assert f"{column.title:<11}{SORT_LETTERS[column.sort]} " in text


async def test_help_of_a_page_has_the_keys_of_that_page() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await press(pilot, "y", "question_mark")
        assert isinstance(app.screen, Page)
        text = app.screen.text.plain
        assert text.startswith(THIS_PAGE)
        assert "look again" in text
        assert "sort_next" not in text
        await press(pilot, "escape")
        assert isinstance(app.screen, HealthScreen)


async def test_a_key_of_a_page_goes_before_the_same_one_of_the_app() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await press(pilot, "enter")
        keys = [key for one in commands(app.screen, ACTIONS) for key in one.keys]
        assert len(set(keys)) == len(keys)
        assert {"j", "p", "?", ":", "q", "Esc"} <= set(keys)
        assert "w" not in keys


async def test_typing_searches_and_enter_does_it() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await press(pilot, "colon")
        everything = len(palette(app).found)
        await press(pilot, *"sby")
        assert 0 < len(palette(app).found) < everything
        await press(pilot, *["backspace"] * 3, *"pauze")
        assert palette(app).found == ()
        await press(pilot, "enter")  # nothing to do
        await press(pilot, "backspace", "backspace", "s", "e")
        assert palette(app).found[0].name == "pause"
        await press(pilot, "enter")
        assert isinstance(app.screen, Dashboard)
        assert app.view.paused


async def test_a_key_finds_what_it_does_and_letters_of_menus_are_there() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await press(pilot, "colon", "z")
        assert palette(app).found[0].name == "idle"
        await press(pilot, "backspace", *"sort by p99", "enter")
        assert app.view.sort == "p99"
        await press(pilot, "colon", *"only process", "enter")
        assert str(app.view.expression) == "comm = nginx"
        await press(pilot, "colon", *"next endpoint", "enter")
        assert table(app).cursor_row == 1


async def test_themes_are_in_it() -> None:
    async with HttptopApp(ui=Ui(theme="dark")).run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await press(pilot, "colon", *"theme light", "enter")
        assert app.theme == "light"


async def test_arrows_and_clicks_choose_and_escape_does_nothing() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await press(pilot, "colon", "down", "down", "up")
        assert palette(app).query_one(OptionList).highlighted == 1
        await press(pilot, "escape")
        assert isinstance(app.screen, Dashboard)
        await press(pilot, "colon", *"help")
        at = [one.name for one in palette(app).found].index("help")
        await pilot.click(OptionList, offset=(5, at))
        await pilot.pause()
        assert isinstance(app.screen, Page)


async def test_what_is_typed_right_behind_is_searched_for() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        for key, letter in (("colon", ":"), *((one, one) for one in "pause")):
            app.post_message(Key(key, letter))
        await pilot.pause()
        assert palette(app).query_one(Input).value == "pause"
        assert not app.view.paused


async def test_a_page_has_what_can_be_done_there() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot, busy())
        await press(pilot, "enter", "colon")
        names = {one.name for one in palette(app).found}
        assert "pause" in names
        assert "sort" not in names
        await press(pilot, *"pause", "enter")
        assert app.view.paused
        assert isinstance(app.screen, DetailScreen)


@pytest.mark.parametrize("opens", ["slash", "f"])
async def test_a_colon_is_text_while_one_types(opens: str) -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await press(pilot, opens, "colon")
        assert isinstance(app.screen, Dashboard)
        assert app.screen.query_one(Input).value in (":", "")


async def test_keys_are_told_in_the_words_of_the_widget_that_has_the_focus() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot)

        def meanings() -> dict[str, str]:
            return {one.name: one.meaning for one in commands(app.screen, effective(()))}

        assert meanings()["down"] == "next endpoint"
        await press(pilot, "a")
        assert (meanings()["down"], meanings()["open"]) == ("next watch", "go to its newest event")
        await press(pilot, "tab")
        assert meanings()["down"] == "next event"
        await press(pilot, "escape", "enter")
        assert (meanings()["down"], meanings()["open"]) == ("next request", "open the request")
        for digit, row, enter in (("2", "group", "unfold"), ("7", "group", "its endpoints")):
            await press(pilot, "escape", "g", digit)
            assert meanings()["down"] == f"next {row}"
            assert f" Enter {enter} " in drawn(app, KeyBar)[0]
        await press(pilot, "colon")
        assert "group by process" in [one.meaning for one in palette(app).found]
        assert "group by first row" not in [one.meaning for one in palette(app).found]
