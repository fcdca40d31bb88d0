"""The screen that compares with a baseline, by keys."""

from __future__ import annotations

import pytest

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.humanize import time_of_day
from httptop.screens.compare import CompareScreen
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.widgets.compare_table import CompareTable
from httptop.widgets.key_bar import KeyBar
from tests.factory import busy, later
from tests.screens.handles import drawn, show


async def test_a_baseline_is_set_and_compared_with() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, busy())
        await pilot.press("b")
        assert app.baseline_control.baseline is not None
        assert isinstance(app.screen, Dashboard)
        await pilot.pause()
        at = time_of_day(app.baseline_control.baseline.taken_at)[:5]
        assert f" b compare with {at} " in drawn(app, KeyBar)[-1]  # below what is said
        await pilot.press("b")
        assert isinstance(app.screen, CompareScreen)
        table = app.screen.query_one(CompareTable)
        assert len(table.rows) == 0
        assert (
            "10 have not changed beyond chance, 5 too few to tell" in drawn(app, CompareTable)[-2]
        )
        await show(pilot, later())
        text = drawn(app, CompareTable)
        assert [row.key.path for row in table.rows] == ["/users/{id}", "/", "/healthz"]
        assert "x7.9••" in text[1]
        assert "+10.0••" in text[2]
        assert "gone" in text[3]
        assert "3 of 15 changed" in str(table.border_title)
        await pilot.press("space")
        assert len(table.rows) == 15
        text = drawn(app, CompareTable)
        assert [line.count("=") + line.count("?") for line in text if "/payments" in line] == [4]
        assert [line.split()[-1] for line in text if "/metrics" in line] == ["?"]
        assert "all are shown" in text[-2]
        await pilot.press("space")
        assert len(table.rows) == 3


async def test_enter_opens_what_is_still_there() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, busy())
        await pilot.press("b", "b")
        await show(pilot, later())
        await pilot.press("enter")
        assert isinstance(app.screen, DetailScreen)
        assert app.screen.key.path == "/users/{id}"
        await pilot.press("escape", "G", "enter")
        assert isinstance(app.screen, CompareScreen)  # it is gone


async def test_a_new_baseline_and_none() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, busy())
        await pilot.press("b", "b")
        await show(pilot, later())
        table = app.screen.query_one(CompareTable)
        assert len(table.rows) == 3
        await pilot.press("b")
        assert len(table.rows) == 0
        await pilot.press("B")
        assert app.baseline_control.baseline is None
        assert isinstance(app.screen, Dashboard)


async def test_the_other_side_and_a_pause() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, busy())
        await pilot.press("b", "b", "space", "tab")
        table = app.screen.query_one(CompareTable)
        assert {row.key.side for row in table.rows} == {"client"}
        await pilot.press("p")
        assert app.view.paused
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)


async def test_without_a_snapshot_there_is_no_baseline() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        await pilot.press("b", "b")
        app = pilot.app
        assert isinstance(app, HttptopApp)
        assert app.baseline_control.baseline is None
        assert isinstance(app.screen, Dashboard)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
async def test_every_line_fits(width: int) -> None:
    async with HttptopApp(ui=Ui(symbols="ascii")).run_test(size=(width, 24)) as pilot:
        app = await show(pilot, busy())
        await pilot.press("b", "b")
        await show(pilot, later())
        table = app.screen.query_one(CompareTable)
        for y in range(table.size.height):
            line = table.render_line(y)
            assert line.cell_length == table.scrollable_content_region.width
            assert line.text.replace("µs", "us").isascii()
        names = {column.sort for column, _ in table.columns}
        assert {"path", "p99", "p99_change"} <= names
        if width >= 80:
            assert {"p50", "p50_before", "p50_change", "p99_before"} <= names
            assert "in 1,000" in drawn(app, CompareTable)[-1]  # the legend is whole
