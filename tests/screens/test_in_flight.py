"""The screen of the requests in flight, and what the dashboard says of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.filters.on_screen import parse_for_screen
from httptop.model import Snapshot
from httptop.printable import clean
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.in_flight import InFlightScreen, InFlightTitle
from httptop.widgets.headline import Headline
from httptop.widgets.in_flight_table import Ages, InFlightTable
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.painting import width_of
from httptop.widgets.time_lines import TimeLines
from tests.factory import HANG, WAITING, busy, key, waiting
from tests.screens.handles import drawn, show, table
from tests.screens.test_app import PushedFeed


async def opened(pilot: Pilot[int], snap: Snapshot | None = None) -> HttptopApp:
    app = await show(pilot, snap or waiting())
    await pilot.press("i")
    await pilot.pause()
    return app


def lines(app: HttptopApp) -> list[str]:
    return [line for line in drawn(app, InFlightTable) if line.strip()]


async def test_what_hangs_comes_first_with_what_is_usual_and_from_whom() -> None:
    async with HttptopApp().run_test(size=(120, 30)) as pilot:
        app = await opened(pilot)
        assert isinstance(app.screen, InFlightScreen)
        head, *rows = lines(app)
        assert head.split() == [
            *("▼AGE", "NORMALLY", "PROCESS:PID", "METHOD", "PATH", "CALLER")
        ]  # fmt: skip
        assert [" ".join(row.split()) for row in rows[:4]] == [
            "▌ 38.2s ▲×365 p99 105ms nginx:1010 POST /orders 203.0.113.7",
            "5.0s p99 10.5s nginx GET /reports/2024-report/export 203.0.113.9",
            "1.9s ▲×18 p99 105ms nginx:1010 POST /orders 2001:db8::7",
            "150ms ▲×1.4 p99 105ms nginx:1011 POST /orders Unix socket",
        ]
        assert rows[4].strip() == "… 3 younger than usual, Space shows them"
        assert len(rows) == 5
        (title,) = drawn(app, InFlightTitle)
        assert "SERVER side 7" in title
        assert " 2 hang" in title
        assert title.endswith("as of 12:04:12")
        (ages,) = drawn(app, Ages)
        assert ages.split() == [
            *("ages", "10s", "and", "more", "━━━╸", "1", "1-10s", "━━━━━━╸", "2"),
            *("0.1-1s", "━━━╸", "1", "under", "0.1s", "━━━━━━━━━━", "3"),
        ]  # fmt: skip


async def test_those_younger_than_usual_are_folded() -> None:
    async with HttptopApp().run_test(size=(120, 30)) as pilot:
        app = await opened(pilot)
        listed = app.screen.query_one(InFlightTable)
        assert len(listed.listed) == 4
        await pilot.press("space")
        assert len(listed.listed) == 7
        assert lines(app)[-1].strip() == "… 3 younger than usual, Space hides them"
        await pilot.click(InFlightTable, offset=(5, 9))  # that line, below the border and header
        assert len(listed.listed) == 4


async def test_keys_open_an_endpoint_and_lead_back() -> None:
    async with HttptopApp().run_test(size=(120, 30)) as pilot:
        app = await opened(pilot)
        await pilot.press("j", "enter")
        assert isinstance(app.screen, DetailScreen)
        assert app.screen.key == WAITING[1][1]
        await pilot.press("escape")
        assert isinstance(app.screen, InFlightScreen)
        for pressed in ("escape", "i", "q"):
            if not isinstance(app.screen, InFlightScreen):
                await pilot.press("i")
            await pilot.press(pressed)
            assert isinstance(app.screen, Dashboard)


async def test_requests_are_selected_and_opened_by_mouse() -> None:
    async with HttptopApp().run_test(size=(120, 30)) as pilot:
        app = await opened(pilot)
        listed = app.screen.query_one(InFlightTable)
        await pilot.click(InFlightTable, offset=(5, 4))
        assert listed.cursor_row == 2
        await pilot.click(InFlightTable, offset=(5, 3), times=2)
        assert isinstance(app.screen, DetailScreen)
        assert app.screen.key == WAITING[1][1]


async def test_the_cursor_stays_with_its_request_and_ages_grow() -> None:
    async with HttptopApp().run_test(size=(120, 30)) as pilot:
        app = await opened(pilot)
        listed = app.screen.query_one(InFlightTable)
        await show(pilot, waiting(WAITING[1:], tick=253))
        assert (listed.cursor_row, lines(app)[1].split()[1]) == (0, "6.0s")  # it was not moved
        await pilot.press("j", "j")
        assert listed.selected is not None
        assert listed.selected.request.pid == 1011
        await show(pilot, waiting((WAITING[2], *WAITING[4:]), tick=254))
        assert (listed.cursor_row, listed.selected.request.pid) == (1, 1011)
        assert listed.selected.request.age_ns == 2.15e9
        await show(pilot, waiting((WAITING[0], WAITING[2]), tick=255))  # its own is over
        assert listed.cursor_row == 1
        await pilot.press("home", "k")
        assert listed.cursor_row == 0


async def test_side_and_filter_are_those_of_the_dashboard() -> None:
    async with HttptopApp().run_test(size=(120, 30)) as pilot:
        app = await opened(pilot)
        await pilot.press("c")
        assert app.view.side == "client"
        head, row, *_ = lines(app)
        assert head.split()[-1] == "SERVER"
        assert row.split()[-3:] == ["POST", "/payments", "node:1035"]
        await pilot.press("tab")
        app.change_view(expression=parse_for_screen("peer = 203.0.113.0/24"))
        assert [one.request.peer for one in app.screen.query_one(InFlightTable).listed] == [
            *("203.0.113.7", "203.0.113.9")
        ]
        (title,) = drawn(app, InFlightTitle)
        assert "SERVER side 2 " in title
        assert "only peer = 203.0.113.0/24" in title
        app.change_view(side="client", expression=None)
        await pilot.press("escape")
        assert {row.key.side for row in table(app).rows} == {"client"}
        await pilot.press("i", "c")
        app.change_view(expression=parse_for_screen("comm = nobody"))
        assert "No request that matches the filter is in flight" in lines(app)[1]


async def test_a_pause_holds_the_list() -> None:
    async with HttptopApp().run_test(size=(120, 30)) as pilot:
        app = await opened(pilot)
        await pilot.press("p")
        await show(pilot, waiting(WAITING[2:], tick=260))
        assert lines(app)[1].split()[1] == "38.2s"
        assert "12:04:12, 8s ago: NOT LIVE" in drawn(app, TimeLines)[0]
        assert "resume" in drawn(app, KeyBar)[0]
        await pilot.press("p")
        assert lines(app)[1].split()[1] == "9.9s"


async def test_the_past_has_what_was_in_flight_then() -> None:
    async with HttptopApp().run_test(size=(120, 30)) as pilot:
        await opened(pilot)
        app = await show(pilot, waiting(WAITING[2:], tick=253))
        assert lines(app)[1].split()[1] == "2.9s"
        await pilot.press("left_square_bracket")
        assert lines(app)[1].split()[1] == "38.2s"
        assert "12:04:12, 1s ago: NOT LIVE" in drawn(app, TimeLines)[0]
        await pilot.press("enter")
        assert isinstance(app.screen, DetailScreen)
        await pilot.press("full_stop", "escape")
        assert lines(app)[1].split()[1] == "2.9s"


async def test_more_than_are_listed_are_said_to_be_more() -> None:
    many = tuple((5000.0 + n, HANG, 1010, "127.0.0.1") for n in range(1000, 0, -1))
    rows = tuple(replace(row, in_flight=1500 if row.key == HANG else 0) for row in busy().endpoints)
    full = replace(waiting(many), endpoints=rows)
    totals = replace(full.total("server"), in_flight=1500)
    full = replace(full, totals={**full.totals, "server": totals}, in_flight_cut=True)
    async with HttptopApp().run_test(size=(120, 30)) as pilot:
        app = await opened(pilot, full)
        await pilot.press("G")
        listed = app.screen.query_one(InFlightTable)
        assert listed.cursor_row == 999
        listed.scroll_end(animate=False)
        await pilot.pause()
        assert lines(app)[-1].strip() == "… 500 more, younger than all that are listed"
        assert "SERVER side 1,500" in drawn(app, InFlightTitle)[0]


async def test_what_is_not_known_is_said() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, busy())
        assert "if it was recorded with --in-flight" in lines(app)[1]
        counted = busy().total("server").in_flight
        assert f"SERVER side {counted} " in drawn(app, InFlightTitle)[0]
        await show(pilot, replace(busy(), in_flight=()))
        assert "No request is in flight on the server side." in lines(app)[1]


@pytest.mark.parametrize("width", [80, 99, 120, 200])
@pytest.mark.parametrize(
    "ui", [Ui(), Ui(symbols="ascii", latency_unit="us")], ids=["usual", "ascii"]
)
async def test_hostile_names_keep_the_columns_aligned(width: int, ui: Ui) -> None:
    names = (b"a[/b]", b"\x1b[31m", "日本語/とても長い道".encode(), b"/" + b"A" * 500, b"\xff\xfe")
    found = tuple(
        (9e6 / 7**n, key(clean(b"/" + raw), clean(raw[:7]), clean(raw, 15)), 4_000_000 - n, peer)
        for n, raw in enumerate(names)
        for peer in ("2001:db8:1234:5678:9abc:def0:1234:5678",)
    )
    async with HttptopApp(ui=ui).run_test(size=(width, 24)) as pilot:
        app = await opened(pilot, waiting(found))
        widget = app.screen.query_one(InFlightTable)
        painted = [widget.render_line(y).text for y in range(widget.size.height)]
        assert {width_of(line) for line in painted} == {width - 3}
        caller = painted[0].index("CALLER")
        for line in painted[1 : 1 + len(names)]:
            assert "\x1b" not in line
            assert width_of(line.partition("2001:db8")[0]) == caller
        if ui.symbols == "ascii":
            assert all(line.replace("µ", "").isascii() for line in painted[4:5])


async def test_the_dashboard_says_what_hangs_and_leads_there() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=(120, 40)) as pilot:
        assert feed.looks_in_flight
        await show(pilot, waiting(WAITING[4:]))
        assert "hang" not in drawn(app, Headline)[0]
        await show(pilot, waiting())
        (line,) = drawn(app, Headline)
        assert line.startswith(" ● 2 hang, oldest 38.2s: nginx POST /orders")
        await pilot.click(Headline, offset=(line.index("oldest"), 0))
        assert isinstance(app.screen, InFlightScreen)
