"""A fleet on the screen: hosts as groups and filters; what is not known of other hosts is said."""

from __future__ import annotations

import pytest

from httptop.app import HttptopApp
from httptop.screens.health import HealthScreen
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.group_table import GroupTable
from httptop.widgets.in_flight_table import InFlightTable
from tests.fleet.pictured import fleet
from tests.screens.handles import drawn, said, show

HOST = "web-3.example:9742"


async def test_groups_by_host_open_and_close() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, fleet())
        await pilot.press("g", "0")
        lines = app.screen.query_one(GroupTable).groups.lines
        assert lines[0].name == HOST
        assert len(lines) == 4
        await pilot.press("enter")
        assert str(app.view.expression) == f"host = {HOST}"
        rows = app.screen.query_one(EndpointTable).rows
        assert {row.key.host for row in rows} == {HOST}
        await pilot.press("escape")
        assert app.view.grouping.by == "host"


async def test_a_row_is_kept_or_hidden_by_its_host() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, fleet())
        await pilot.press("equals_sign", "o")
        assert str(app.view.expression) == f"host = {HOST}"
        await pilot.press("backspace", "exclamation_mark", "o")
        assert str(app.view.expression) == f"host != {HOST}"


async def test_a_filter_by_host_may_be_typed() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, fleet())
        await pilot.press("f", *"host ~ web-1*", "enter")
        assert str(app.view.expression) == "host ~ web-1*"
        rows = app.screen.query_one(EndpointTable).rows
        assert {row.key.host for row in rows} == {"web-1.example:9742"}


@pytest.mark.parametrize(("digit", "what"), [("4", "pid"), ("5", "peer"), ("8", "container")])
async def test_what_hosts_do_not_say_cannot_be_grouped_by(digit: str, what: str) -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, fleet())
        await pilot.press("g", digit)
        assert not app.view.grouping.on
        assert said(app) == [f"Hosts do not say which {what} has which requests."]


async def test_there_is_no_window_since_start() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, fleet())
        await pilot.press("plus", "plus", "plus")
        assert not app.view.since_start
        assert said(app) == ["There is no longer window: each host counts since its own start."]


async def test_pages_say_what_they_cannot_know() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, fleet())
        await pilot.press("i")
        await pilot.pause()
        shown = "\n".join(drawn(app, InFlightTable))
        assert "hosts say how many requests are in flight, and nothing of each" in shown
        await pilot.press("escape", "n")
        await pilot.pause()
        assert isinstance(app.screen, HealthScreen)
