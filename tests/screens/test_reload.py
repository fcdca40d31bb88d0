"""The screen when the configuration was read again: it follows, and says what it cannot follow."""

from __future__ import annotations

import pytest

from httptop.app import HttptopApp
from httptop.config.load import build
from httptop.config.reload import Reload, compare
from httptop.config.settings import DEFAULTS
from httptop.screens.messages import SettingsReloaded
from tests.screens.fake_run import FakeRun


async def said(app: HttptopApp, reload: Reload) -> tuple[str, bool]:
    """Return what the screen says of a reload, and whether as a fault."""
    async with app.run_test(size=(100, 30)) as pilot:
        app.post_message(SettingsReloaded(reload))
        await pilot.pause()
        (told,) = app.notices.newest_first
        return "\n".join(told.lines), told.wrong


async def test_follows_what_can_change_and_names_the_rest() -> None:
    app = HttptopApp()
    expected = build({"ui.sort": "p99", "ui.theme": "light", "general.window": 30.0})
    text, wrong = await said(app, compare(DEFAULTS, expected))
    assert (app.view.sort, app.theme) == ("p99", "light")
    assert 'again: ui.theme = "light", ui.sort = "p99"' in text
    assert "only a restart changes general.window" in text
    assert wrong


async def test_shows_an_error_and_stays_as_it_is() -> None:
    app = HttptopApp()
    error = "/a[b].toml:1: general.tik: unknown key; did you mean 'tick'?"
    text, wrong = await said(app, Reload(DEFAULTS, error=error))
    assert error in text
    assert "the settings are unchanged" in text
    assert wrong
    assert app.view.sort == "rps"


@pytest.mark.parametrize(("goes_on", "ends"), [(True, False), (False, True), (None, True)], ids=str)
async def test_a_hang_up_ends_it_unless_the_terminal_is_there(
    goes_on: bool | None, ends: bool
) -> None:
    app = HttptopApp(run=None if goes_on is None else FakeRun(reload=lambda: goes_on))
    async with app.run_test() as pilot:
        app.hang_up()
        await pilot.pause()
        assert (app._exit or not app.is_running) == ends
