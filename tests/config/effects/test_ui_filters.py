"""What ``ui.filter`` and ``ui.keys`` change on the screen, from the text of a file on."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.cli import main
from httptop.config.load import check_file
from httptop.config.settings import DEFAULTS, Ui
from httptop.linux.files import InvokingUser
from httptop.screens.pages import Page
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.painting import Hued
from tests.factory import busy

ME = InvokingUser(os.geteuid(), os.getegid(), Path("/"))


def ui(folder: Path, text: str) -> Ui:
    """Return the settings of a file."""
    file = folder / "config.toml"
    file.write_text(f"[ui]\n{text}\n")
    return check_file(file, ME).settings.ui


async def show(pilot: Pilot[int]) -> HttptopApp:
    app = pilot.app
    assert isinstance(app, HttptopApp)
    app.publish(busy())
    await pilot.pause()
    return app


def line(app: HttptopApp, kind: type[Hued]) -> str:
    return app.screen.query_one(kind).render_line(0).text


def paths(app: HttptopApp) -> list[str]:
    return [row.key.path for row in app.screen.query_one(EndpointTable).rows]


@pytest.mark.setting("ui.filter")
async def test_the_screen_starts_with_the_filter(tmp_path: Path) -> None:
    text = 'filter = "status=5xx and comm=nginx"'
    async with HttptopApp(ui=ui(tmp_path, text)).run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        assert paths(app) == ["/orders", "/search", "/reports/2024-report/export"]
        assert "status = 5xx ×" in line(app, FilterChips)
        await pilot.press("escape")  # nothing was lost
        assert len(paths(app)) == 15


@pytest.mark.setting("ui.filter", "ui.side", "ui.keys")
async def test_a_file_read_again_changes_filter_side_and_keys(tmp_path: Path) -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("slash", *"us", "enter")
        app.adopt(replace(DEFAULTS, ui=ui(tmp_path, 'filter = "comm = curl"\nside = "client"')))
        await pilot.pause()
        assert paths(app) == ["/healthz"]
        await pilot.press("escape")
        app.adopt(replace(DEFAULTS, ui=ui(tmp_path, 'side = "client"\nkeys = ["pause=f7"]')))
        assert len(paths(app)) == 3
        await pilot.press("f7")
        assert app.view.paused
        app.adopt(replace(DEFAULTS, ui=ui(tmp_path, 'side = "client"')))
        await pilot.press("f7")
        assert app.view.paused


@pytest.mark.setting("ui.keys")
async def test_keys_of_the_users_own(tmp_path: Path) -> None:
    text = 'keys = ["pause=space", "filter=E", "quit=x", "drop=q"]'
    async with HttptopApp(ui=ui(tmp_path, text)).run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("space")  # a page down, otherwise
        assert app.view.paused
        assert app.screen.query_one(EndpointTable).cursor_row == 0
        await pilot.press("p")  # ours still does it, too
        assert not app.view.paused
        assert " E filter " in line(app, KeyBar)
        await pilot.press("equals_sign", "p", "q")
        assert app.view.expression is None
        await pilot.press("E", *"q", "enter")
        assert str(app.view.expression) == "path ~ *q*"
        await pilot.press("escape", "enter")
        await pilot.press("space")  # the page of an endpoint can be paused, too
        assert app.view.paused
        await pilot.press("escape", "question_mark")
        assert isinstance(app.screen, Page)
        text = str(app.screen.text)
        assert "Space p" in text
        assert "pause" in text
        await pilot.press("escape", "x")
    assert app.return_code == 0


@pytest.mark.setting("ui.keys")
@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("paus=space", "unknown action 'paus'; did you mean 'pause'?"),
        ("pause=r", "r is the only key of 'reverse'"),
        ("pause=f7,side=f7", "f7 is given to both 'pause' and 'side'"),
        ("only_process=o", "there is no action 'only_process' any more: only (=), then p does it"),
    ],
)
def test_keys_that_cannot_be_end_the_start(
    keys: str, error: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPTOP_UI__KEYS", keys)
    assert main(["--print-config"]) == 2
    assert error in capsys.readouterr().err


@pytest.mark.setting("ui.filter")
def test_a_filter_that_the_screen_cannot_apply_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPTOP_UI__FILTER", "comm = a and host = b")
    assert main(["--print-config"]) == 2
    assert "column 14: 'host' works only for a whole run" in capsys.readouterr().err
