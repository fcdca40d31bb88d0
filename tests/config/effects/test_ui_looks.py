"""What the settings of the screen change on it: from the text of a file to what stands there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.collect.source import RawEndpoint, RawResponse
from httptop.collector import Collector
from httptop.config.load import check_file
from httptop.config.scope import Scope
from httptop.config.settings import Settings, Ui
from httptop.linux.files import InvokingUser
from httptop.model import Snapshot
from httptop.run.screen import settings_for_screen
from httptop.screens.pages import ConfirmQuit
from httptop.widgets.cost_line import CostLine
from httptop.widgets.dashboard_head import TitleLine
from httptop.widgets.endpoint_detail import EndpointDetail
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.live_requests import LiveRequests
from httptop.widgets.painting import Hued
from tests.collect.cells import FakeSource, Reading
from tests.collect.reference_sums import CellDelta
from tests.factory import busy

ME = InvokingUser(os.geteuid(), os.getegid(), Path("/"))


class Written:
    """Settings as they come out of a file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.toml"

    def settings(self, text: str) -> Settings:
        self.file.write_text(f"[ui]\n{text}\n")
        return settings_for_screen(check_file(self.file, ME), {})

    def __call__(self, text: str = "") -> Ui:
        return self.settings(text).ui


@pytest.fixture
def ui(tmp_path: Path) -> Written:
    return Written(tmp_path)


async def show(pilot: Pilot[int], snapshot: Snapshot) -> None:
    assert isinstance(pilot.app, HttptopApp)
    pilot.app.publish(snapshot)
    await pilot.pause()


def lines(app: HttptopApp, kind: type[Hued]) -> list[str]:
    widget = app.screen.query_one(kind)
    return [widget.render_line(y).text for y in range(widget.size.height)]


async def drawn(ui: Ui, *kinds: type[Hued], keys: tuple[str, ...] = ()) -> str:
    """Return the text of some widgets once the shop is shown and some keys are pressed."""
    app = HttptopApp(ui=ui)
    async with app.run_test(size=(130, 45)) as pilot:
        await show(pilot, busy())
        await pilot.press(*keys)
        return "\n".join(line for kind in kinds for line in lines(app, kind))


@pytest.mark.setting("ui.columns")
async def test_columns_are_those_asked_for_in_their_order(ui: Written) -> None:
    async def header(text: str) -> list[str]:
        return (await drawn(ui(text), EndpointTable)).splitlines()[0].replace("▼", "").split()

    ours = await header("")
    assert ours[:5] == ["PROCESS", "METHOD", "PATH", "REQ/S", "SHARE"]
    assert "P99.9" not in ours
    theirs = await header('columns = ["p999", "path", "request_bytes", "process"]')
    assert theirs == ["P99.9", "PATH", "REQ", "BYTES", "PROCESS"]


@pytest.mark.setting("ui.latency_unit")
@pytest.mark.parametrize(
    ("unit", "p50", "other"),
    [("auto", "2.4ms", ""), ("us", "2400µs", r"\dms"), ("ms", "2.40ms", r"\dµs")],
)
async def test_latencies_are_in_one_unit_everywhere(
    ui: Written, unit: str, p50: str, other: str
) -> None:
    asked = ui(f'latency_unit = "{unit}"')
    for kinds, keys in (
        ((EndpointTable, LiveRequests), ()),
        ((EndpointDetail,), ("j", "j", "enter")),
    ):
        text = await drawn(asked, *kinds, keys=keys)
        assert p50 in text
        assert not (other and re.search(other, text))


@pytest.mark.setting("ui.byte_units")
async def test_bytes_are_in_the_units_asked_for(ui: Written) -> None:
    iec, si = ui(), ui('byte_units = "si"')
    parts = EndpointTable, LiveRequests, CostLine
    assert "58.0 MiB" in await drawn(iec, *parts)
    with_si = await drawn(si, *parts)
    assert "60.8 MB" in with_si
    assert "iB" not in with_si
    assert "iB" in await drawn(iec, EndpointDetail, keys=("enter",))
    assert "iB" not in await drawn(si, EndpointDetail, keys=("enter",))


@pytest.mark.setting("ui.refresh")
async def test_new_figures_come_no_more_often_than_asked_for(ui: Written) -> None:
    async def uptimes(text: str) -> list[str]:
        app = HttptopApp(ui=ui(text))
        seen = []
        async with app.run_test(size=(100, 40)) as pilot:
            for tick in range(60, 67):
                await show(pilot, busy(tick))
                seen.append(lines(app, TitleLine)[0].split(" up ")[1].split()[0])
        return seen

    assert await uptimes("") == ["1:00", "1:01", "1:02", "1:03", "1:04", "1:05", "1:06"]
    slow = await uptimes('refresh = "3s"')
    assert slow == ["1:00", "1:00", "1:00", "1:03", "1:03", "1:03", "1:06"]


@pytest.mark.setting("ui.refresh")
async def test_keys_need_not_wait_for_new_figures(ui: Written) -> None:
    app = HttptopApp(ui=ui('refresh = "1h"'))
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy(60))
        await show(pilot, busy(61))
        await pilot.press("tab")
        assert "CLIENT side" in lines(app, TitleLine)[0]
        assert "up 1:00" in lines(app, TitleLine)[0]


@pytest.mark.setting("ui.window")
async def test_the_screen_covers_its_own_window(ui: Written) -> None:
    def after_five_quiet_seconds(text: str) -> Snapshot:
        reading = Reading(
            endpoints={5: RawEndpoint(0, b"web", 1, "GET", b"/a", False)},
            responses={6: RawResponse(5, 200)},
            deltas=[
                CellDelta(5, 100, 0, 0, 0, 0, 0, 0, {}),
                CellDelta(6, 100, 0, 10**6, 10**4, 0, 0, 0, {100: 100}),
            ],
        )
        collector = Collector(FakeSource(reading), ui.settings(text), Scope(), host="here")
        collector.begin(1000.0)
        for second in range(1, 7):
            last = collector.step(1000.0 + second, 5e8 + second)
        return last

    async def table(text: str) -> tuple[str, str]:
        app = HttptopApp(ui=ui(text))
        async with app.run_test(size=(130, 45)) as pilot:
            await show(pilot, after_five_quiet_seconds(text))
            return lines(app, TitleLine)[0], lines(app, EndpointTable)[1]

    title, row = await table("")
    assert "window 10s (6s so far)" in title
    assert row.split()[3] == "16.7"  # requests a second; it has run for 6 of them
    title, row = await table('window = "2s"')
    assert "window 2s (- +)" in title
    assert row.split()[3] == "·"


@pytest.mark.setting("ui.symbols")
async def test_symbols_draw_the_trends(ui: Written) -> None:
    parts = TitleLine, EndpointTable, LiveRequests, CostLine
    braille = await drawn(ui(), *parts)
    block = await drawn(ui('symbols = "block"'), *parts)
    plain = await drawn(ui('symbols = "ascii"'), *parts)
    assert any("\u2801" <= c <= "\u28ff" for c in braille)
    assert not any("\u2801" <= c <= "\u28ff" for c in block + plain)
    assert "▅" in block
    assert "▅" not in braille + plain
    assert re.sub("[µ·]", "", plain).isascii()


@pytest.mark.setting("ui.theme")
async def test_a_theme_has_other_colours(ui: Written) -> None:
    async def colours(text: str) -> set[object]:
        app = HttptopApp(ui=ui(text))
        async with app.run_test(size=(100, 40)) as pilot:
            await show(pilot, busy())
            strip = app.screen.query_one(EndpointTable).render_line(1)
            return {segment.style.bgcolor for segment in strip if segment.style}

    assert not await colours("") & await colours('theme = "light"')


@pytest.mark.setting("ui.sort", "ui.side")
async def test_order_and_side_at_first(ui: Written) -> None:
    async def first(text: str) -> list[str]:
        return (await drawn(ui(text), EndpointTable)).splitlines()[1].lstrip("▌").split()

    assert (await first(""))[2] == "/static/{id}"  # the busiest
    assert (await first('sort = "max"'))[2].startswith("/reports/2024-report/")
    assert (await first('side = "client"'))[0] == "gunicorn"


@pytest.mark.setting("ui.confirm_quit")
async def test_quitting_asks_where_that_is_wanted(ui: Written) -> None:
    app = HttptopApp(ui=ui())
    async with app.run_test() as pilot:
        await pilot.press("q")
    assert app.return_code == 0
    app = HttptopApp(ui=ui("confirm_quit = true"))
    async with app.run_test() as pilot:
        await pilot.press("q")
        assert isinstance(app.screen, ConfirmQuit)


@pytest.mark.setting("ui.columns", "ui.sort", "ui.latency_unit", "ui.theme", "ui.confirm_quit")
async def test_a_file_that_changes_is_followed(ui: Written) -> None:
    app = HttptopApp(ui=ui())
    async with app.run_test(size=(130, 45)) as pilot:
        await show(pilot, busy())
        await pilot.press("s", "p")  # by process: the user's own order
        app.adopt(
            ui.settings(
                'columns = ["path", "p99"]\nlatency_unit = "us"\ntheme = "light"\n'
                "confirm_quit = true"
            )
        )
        await pilot.pause()
        header, row, *_ = lines(app, EndpointTable)
        assert header.split() == ["PATH", "P99"]
        assert "µs" in row
        assert app.theme == "light"
        assert app.view.sort == "process"
        app.adopt(ui.settings('columns = ["path", "p99"]\nsort = "p99"'))
        await pilot.pause()
        assert app.view.sort == "p99"
        assert lines(app, EndpointTable)[0].split() == ["PATH", "▼P99"]
        await pilot.press("q")
    assert app.return_code == 0


@pytest.mark.setting("ui.refresh", "ui.byte_units")
async def test_pace_and_units_change_while_it_runs(ui: Written) -> None:
    app = HttptopApp(ui=ui('refresh = "1h"'))
    async with app.run_test(size=(130, 45)) as pilot:
        await show(pilot, busy(60))
        await show(pilot, busy(61))
        app.adopt(ui.settings('byte_units = "si"'))
        await pilot.pause()
        assert "MB" in lines(app, CostLine)[0]
        await show(pilot, busy(62))
        assert "up 1:02" in lines(app, TitleLine)[0]
