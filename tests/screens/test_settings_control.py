"""Saving what was changed on the screen, and counting paths together or separately."""

from __future__ import annotations

from collections.abc import Mapping

from textual.widgets import Input

from httptop.app import HttptopApp
from httptop.config.settings import DEFAULTS
from httptop.errors import HttptopError
from httptop.filters import parse
from httptop.widgets.prompt import Prompt
from tests.factory import endpoint, key, snapshot
from tests.screens.fake_run import FakeRun
from tests.screens.handles import said, settled, show, table, write


class Saved:
    """A place to save to that remembers what it got."""

    def __init__(self, error: HttptopError | None = None) -> None:
        self.error = error
        self.got: list[dict[str, object]] = []

    def __call__(self, changes: Mapping[str, object]) -> str:
        if self.error is not None:
            raise self.error
        self.got.append(dict(changes))
        return "/home/me/[x]/config.toml"


async def test_what_was_changed_is_saved_once_and_where_is_said() -> None:
    save = Saved()
    async with HttptopApp(run=FakeRun(save=save)).run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("w")
        assert said(app) == ["Nothing to save: the settings are unchanged."]
        app.change_view(path_filter="a*b", expression=parse("status = 5xx"))
        await pilot.press("tab", "s", "p", "w")
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
        await pilot.press("greater_than_sign", "w")
        await settled(pilot)
        assert said(app) == ["Not saved: no [right] to"]
        assert app.is_running


async def test_a_run_that_can_neither_save_nor_change_says_so() -> None:
    async with HttptopApp().run_test() as pilot:
        app = await show(pilot)
        await pilot.press("greater_than_sign", "w", "m", "u")
        assert [text.split(".")[0] for text in said(app)] == [
            "This run has no configuration file to save to",
            "This run cannot change how paths are counted",
            "This run cannot change how paths are counted",
        ]


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
        await pilot.press("ctrl+u")
        await write(pilot, "shop")
        await pilot.press("enter")
        assert prompt.is_open
        problem = prompt.query_one("#problem").visual._text  # type: ignore[attr-defined]
        assert "such as /users/{name}/posts/* is needed" in problem
        await pilot.press("ctrl+u")
        await write(pilot, "/shop/{colour}/*")
        await pilot.press("enter")
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
        await pilot.press("u", "enter")  # and then keeps what the rules would merge
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
        assert said(app) == ["~other is not a path."]
