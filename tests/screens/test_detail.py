"""The page of an endpoint: its requests, and the way to the next endpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.model import RequestInFlight, Snapshot
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.in_flight import InFlightScreen
from httptop.screens.request import RequestScreen
from httptop.widgets.detail_title import DetailTitle
from httptop.widgets.endpoint_detail import EndpointDetail
from tests.factory import HANG, NOON, busy, key, request, waiting
from tests.screens.handles import drawn, show, table
from tests.screens.test_app import PushedFeed

PATH = key("/users/{id}")


def sampled(newest: int, oldest: int = 1, tick: int = 252) -> Snapshot:
    """Return the shop at work with requests of one endpoint, the newest first."""
    recent = tuple(
        request(n, PATH, started_at=NOON + tick - 1) for n in range(newest, oldest - 1, -1)
    )
    return replace(busy(tick), recent=recent)


async def opened(pilot: Pilot[int], snap: Snapshot, name: object = PATH) -> HttptopApp:
    app = await show(pilot, snap)
    app.open_endpoint(name)  # type: ignore[arg-type]
    await pilot.pause()
    return app


def detail(app: HttptopApp) -> EndpointDetail:
    return app.screen.query_one(EndpointDetail)


def marked(app: HttptopApp) -> list[str]:
    """Return the lines under the cursor that are in sight."""
    return [line for line in drawn(app, EndpointDetail) if line.startswith("▌")]


async def test_a_recent_request_is_chosen_and_opened() -> None:
    async with HttptopApp().run_test(size=(120, 50)) as pilot:
        app = await opened(pilot, sampled(5))
        assert "/users/5" in marked(app)[0]
        await pilot.press("down", "j", "up", "j", "enter")
        screen = app.screen
        assert isinstance(screen, RequestScreen)
        assert screen.request.serial == 3
        await pilot.press("escape")
        await pilot.press("G")
        assert "/users/1 " in marked(app)[0]
        await pilot.press("j")
        assert detail(app).requests.at == 4
        await pilot.press("home")
        assert detail(app).requests.at == 0


async def test_requests_are_held_while_another_than_the_newest_is_chosen() -> None:
    async with HttptopApp().run_test(size=(120, 50)) as pilot:
        app = await opened(pilot, sampled(5))
        await show(pilot, sampled(7))
        assert "/users/7" in marked(app)[0]
        await pilot.press("j")
        await show(pilot, sampled(20, 10, tick=253))
        assert "/users/6" in marked(app)[0]
        assert any(" held: the first" in line for line in drawn(app, EndpointDetail))
        await pilot.press("k")
        await show(pilot, sampled(20, 10, tick=254))
        assert "/users/20" in marked(app)[0]


async def test_the_list_of_requests_is_chosen_by_key_or_click_and_stays_so() -> None:
    at = NOON + 250
    recent = (
        request(4, PATH, started_at=at, latency_ns=2_000_000),
        request(3, PATH, started_at=at, latency_ns=7_000_000),
        request(2, PATH, started_at=at, latency_ns=1_000_000, status=503),
        request(1, PATH, started_at=at - 300, latency_ns=9_000_000),
    )

    def listed() -> list[str]:
        page = detail(app)
        lines = [line.text for line in page._lines[page._first_request :]]
        return [line.split("/users/")[1].split()[0] for line in lines if "/users/" in line]

    async with HttptopApp().run_test(size=(120, 50)) as pilot:
        app = await opened(pilot, replace(busy(), recent=recent))
        assert listed() == ["3", "4", "2"]  # the fourth is older than five minutes
        await pilot.press("j", "s")
        assert listed() == ["2"]
        assert "/users/2 " in marked(app)[0]
        lines = drawn(app, EndpointDetail)
        y = next(at for at, line in enumerate(lines) if " REQUESTS " in line)
        assert "sampled, last 5m, newest first" in lines[y]
        offset = (lines[y].index("newest") + 2, y + detail(app).gutter.top)
        await pilot.click(EndpointDetail, offset=offset)
        assert listed() == ["4", "3", "2", "1"]
        await pilot.press("J", "K")
        assert listed() == ["4", "3", "2", "1"]
        await pilot.press("s", "enter")  # those in flight, of which nothing is known
        assert isinstance(app.screen, DetailScreen)
        await pilot.press("s")
        assert listed() == ["3", "4", "2"]


async def test_requests_are_chosen_by_mouse() -> None:
    async with HttptopApp().run_test(size=(120, 50)) as pilot:
        app = await opened(pilot, sampled(5))
        lines = drawn(app, EndpointDetail)
        y = next(at for at, line in enumerate(lines) if "/users/2 " in line)
        pad = detail(app).gutter.top
        await pilot.click(EndpointDetail, offset=(10, y + pad))
        assert "/users/2 " in marked(app)[0]
        await pilot.click(EndpointDetail, offset=(10, y + pad), times=2)
        assert isinstance(app.screen, RequestScreen)
        assert app.screen.request.serial == 2


async def test_a_low_page_scrolls_until_the_requests_are_in_sight() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, sampled(30))
        assert marked(app) == []
        presses = 0
        while not marked(app):
            assert detail(app).requests.at == 0
            await pilot.press("j")
            presses += 1
            assert detail(app).scroll_offset.y == presses
        for _ in range(3):
            await pilot.press("j")
        assert detail(app).requests.at == 3
        assert len(marked(app)) == 1
        await pilot.press("k", "k", "k", "k")
        assert detail(app).requests.at == 0
        top = detail(app).scroll_offset.y
        await pilot.press("k")
        assert detail(app).scroll_offset.y == top - 1
        await pilot.press("home", "pagedown")
        assert detail(app).scroll_offset.y > 10
        await pilot.press("pageup")
        assert detail(app).scroll_offset.y == 0


async def test_without_requests_keys_scroll_and_open_nothing() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, replace(busy(), recent=()))
        await pilot.press("j", "enter", "k", "G")
        assert isinstance(app.screen, DetailScreen)
        assert any("none sampled in the last 5m" in line for line in drawn(app, EndpointDetail))


async def test_what_is_in_flight_there_is_listed_with_its_age() -> None:
    async with HttptopApp().run_test(size=(120, 50)) as pilot:
        app = await opened(pilot, waiting(), HANG)
        lines = drawn(app, EndpointDetail)
        at = next(at for at, line in enumerate(lines) if "IN FLIGHT" in line)
        assert at < next(at for at, line in enumerate(lines) if "LATENCY " in line)  # it hangs
        assert [" ".join(line.split()) for line in lines[at + 1 : at + 6]] == [
            "38.2s ▲×365 nginx:1010 from 203.0.113.7",
            "1.9s ▲×18 nginx:1010 from 2001:db8::7",
            "150ms ▲×1.4 nginx:1011 from Unix socket",
            "2.0ms nginx:1010 from 127.0.0.1",
            "1.0ms nginx:1010 from 127.0.0.1",
        ]
        many = tuple((30_000.0 - n, HANG, 1010, "127.0.0.1") for n in range(7))
        await show(pilot, waiting(many))
        assert any(" 2 more, younger" in line for line in drawn(app, EndpointDetail))
        more = tuple((50.0 - n, HANG, 1010, "127.0.0.1") for n in range(7))
        await show(pilot, waiting(more))
        lines = drawn(app, EndpointDetail)
        assert not any(" IN FLIGHT" in line for line in lines)  # none hangs
        assert any(" in flight 7 " in line for line in lines)
        await pilot.press("s", "s", "s")  # the list of them
        lines = drawn(app, EndpointDetail)
        assert len([line for line in lines if " nginx:1010 " in line]) == 7
        await pilot.press("i")
        assert isinstance(app.screen, InFlightScreen)
        await pilot.press("escape")
        await show(pilot, busy(253))  # not known, or none
        assert any("  not known" in line for line in drawn(app, EndpointDetail))


async def test_the_next_and_the_previous_endpoint_of_the_table() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=(120, 50)) as pilot:
        await show(pilot, busy())
        keys = [row.key for row in table(app).rows]
        await pilot.press("j", "enter")
        await pilot.press("J")
        screen = app.screen
        assert isinstance(screen, DetailScreen)
        assert screen.key == detail(app).key == app.view.selected == keys[2]
        assert keys[2].path in drawn(app, DetailTitle)[0]
        assert any("req/s 388" in line for line in drawn(app, EndpointDetail))
        await pilot.press("K", "K", "K")  # there is none before the first
        assert screen.key == keys[0]
        assert feed.looked_at == [keys[1], keys[2], keys[1], keys[0]]
        for _ in keys:
            await pilot.press("J")
        assert screen.key == keys[-1]
        app.change_view(path_filter="/users")  # its own is not among them
        await pilot.press("J")
        assert "/users" in screen.key.path
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)
        assert table(app).cursor_key == screen.key


async def test_the_page_below_is_looked_at_again() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=(120, 50)) as pilot:
        await opened(pilot, sampled(3))
        await pilot.press("enter", "enter")  # the request, and its endpoint
        assert len([one for one in app.screen_stack if isinstance(one, DetailScreen)]) == 2
        await pilot.press("escape")
        await pilot.pause()
        assert feed.looked_at[-1] == PATH
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert feed.looked_at[-1] is None


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (97, 30), (200, 60)])
async def test_percentiles_have_no_bars(size: tuple[int, int]) -> None:
    async with HttptopApp().run_test(size=size) as pilot:
        app = await opened(pilot, sampled(3))
        lines = [detail(app)._lines[at].text for at in range(len(detail(app)._lines))]
        at = next(at for at, line in enumerate(lines) if "LATENCY " in line and "TREND" not in line)
        for line in lines[at + 2 : at + 9]:
            assert "━" not in line[:58]
            assert line.split()[0] in ("p50", "p90", "p95", "p99", "p99.9", "max", "mean")


async def test_a_request_in_flight_of_a_client_goes_to_a_server() -> None:
    name = key("/payments", "POST", "gunicorn", "client")
    found = tuple(
        RequestInFlight(name, 5e9, 7, "10.0.0.9", process)  # whose id is not known
        for process in ("", "node")
    )
    async with HttptopApp().run_test(size=(120, 50)) as pilot:
        app = await opened(pilot, replace(busy(), in_flight=found), name)
        lines = [line for line in drawn(app, EndpointDetail) if "gunicorn:7" in line]
        assert [line.split("  to ")[1].strip() for line in lines] == ["10.0.0.9", "node"]
