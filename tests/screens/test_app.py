"""The app: its feed, pause, demo, pages and end. No threads but where the feed is tested."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from textual._xterm_parser import XTermParser
from textual.message import Message
from textual.strip import Strip

from httptop.app import HttptopApp
from httptop.config.settings import Settings, Ui
from httptop.filters import parse
from httptop.filters.on_screen import ScreenFilter, screen_filter
from httptop.model import (
    STATUS_UNKNOWN,
    EndpointKey,
    LookedAt,
    Snapshot,
    StatusLatency,
)
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.pages import ConfirmQuit, Failure, Page
from httptop.widgets.cost_line import CostLine
from httptop.widgets.endpoint_detail import EndpointDetail
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.live_requests import LiveRequests
from tests.factory import busy, endpoint, key, snapshot, with_times
from tests.screens.fake_run import FakeRun
from tests.screens.handles import drawn, settled, show, table


class PushedFeed:
    """A feed without a thread: the test pushes."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.publish: Callable[[Snapshot], None] | None = None
        self.fail: Callable[[BaseException], None] | None = None
        self.stopped = 0
        self.looked_at: list[EndpointKey | None] = []
        self.windows: list[float] = []
        self.looks_in_flight = False
        self.filter = ""

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        self.publish, self.fail = publish, fail
        if self.error is not None:
            raise self.error

    def apply(self, settings: Settings) -> None:
        raise NotImplementedError

    def filter_by(self, ready: ScreenFilter | None) -> None:
        self.filter = "" if ready is None else ready.text

    def metrics(self, timeout_s: float) -> None: ...

    def look_at(self, key: EndpointKey | None) -> None:
        self.looked_at.append(key)

    def set_window(self, seconds: float) -> None:
        self.windows.append(seconds)

    def look_in_flight(self, on: bool) -> None:
        self.looks_in_flight = on

    def stop(self) -> Snapshot | None:
        self.stopped += 1
        return busy(999)


async def test_waiting_snapshots_are_replaced_by_the_newest() -> None:
    app = HttptopApp()
    shown: list[Snapshot] = []
    async with app.run_test(size=(80, 24)) as pilot:
        handle = app.refresh_screens

        def spy() -> None:
            assert app.snapshot is not None
            shown.append(app.snapshot)
            handle()

        app.refresh_screens = spy  # type: ignore[method-assign]
        for tick in range(100):
            app.publish(busy(tick))
        await pilot.pause()
    assert shown[-1].uptime_s == 99
    assert len(shown) < 100


async def test_no_snapshot_waits_but_the_newest_while_the_screen_is_stuck() -> None:
    """As where nobody reads from the terminal: a snapshot of a busy host has megabytes."""
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for tick in range(1000, 1050):
            app.publish(busy(tick))  # the event loop does not run meanwhile
        alive = [one for one in gc.get_objects() if isinstance(one, Snapshot)]
        assert [one.uptime_s for one in alive if one.uptime_s >= 1000] == [1049]
        del alive
        await pilot.pause()
        assert app.snapshot is not None
        assert app.snapshot.uptime_s == 1049


async def test_the_feed_knows_the_filter_of_the_screen() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed, ui=Ui(filter="status = 5xx"))
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, busy())
        assert feed.filter == screen_filter(parse("status = 5xx")).text
        await pilot.press("slash", *"Users", "enter")
        assert feed.filter == screen_filter(parse("status = 5xx"), "users").text
        await pilot.press("escape")
        assert feed.filter == ""


async def test_pause_stops_the_screen_and_not_the_collecting() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        first, second = busy(10), busy(11)
        await show(pilot, first)
        await pilot.press("p")
        await show(pilot, second)
        assert app.snapshot is first
        assert app.newest is second
        await pilot.press("s", "9")  # a paused screen may still be sorted
        assert app.view.sort != "rps"
        await pilot.press("p")
        assert app.snapshot is second


async def test_opening_an_endpoint_and_going_back() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("j", "enter")
        screen = app.screen
        assert isinstance(screen, DetailScreen)
        assert screen.key == app.view.selected
        await show(pilot, busy(300))
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)
        assert app.screen.scene.snapshot is app.snapshot


async def test_an_open_endpoint_that_vanishes_keeps_its_last_figures() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("enter")
        await show(pilot, snapshot([]))
        detail = app.screen.query_one("EndpointDetail")
        assert any("LATENCY" in detail.render_line(y).text for y in range(30))


@pytest.mark.parametrize("width", [80, 120, 160])
async def test_an_open_endpoint_has_the_latencies_of_each_status(width: int) -> None:
    feed = PushedFeed()
    app = HttptopApp(feed=feed)
    by_status = {200: StatusLatency(90, 3e6), 503: StatusLatency(10, 50e6)}
    stats = replace(
        endpoint(key(), status={200: 90, 503: 10, STATUS_UNKNOWN: 1}, unanswered=2),
        latency_by_status=by_status,
    )
    seen = snapshot([stats, endpoint(key("/other"))])
    looked_at = LookedAt(
        stats.key,
        {
            200: replace(by_status[200], p50_ns=2e6, p99_ns=9e6),
            503: replace(by_status[503], p50_ns=47e6, p99_ns=61e6),
        },
    )
    async with app.run_test(size=(width, 60)) as pilot:
        await show(pilot, seen)
        app.open_endpoint(stats.key)
        await pilot.pause()
        assert feed.looked_at == [stats.key]
        page = "\n".join(drawn(app, EndpointDetail))
        assert "LATENCY TREND" in page  # single latencies are not known yet
        assert re.search(r"COUNT +SHARE +MEAN\b", page)
        assert re.search(r"503 .* 10 +9.7% +50.0ms", page)
        await show(pilot, replace(seen, looked_at=looked_at))
        page = "\n".join(drawn(app, EndpointDetail))
        assert re.search(r"COUNT +SHARE +(MEAN +)?P50 +P99\b", page)
        assert re.search(r"200 .* 90 +87% +(3.0ms +)?2.0ms +9.0ms", page)
        assert re.search(r"503 .* 10 +9.7% +(50.0ms +)?47.0ms +61.0ms", page)
        assert re.search(r"none .* 2 +1.9% +(- +)?- +-", page)
        bands = replace(looked_at, bands=((20, 5), (30, 1)))
        for tick in (300, 301):
            await show(pilot, replace(seen, uptime_s=float(tick), looked_at=bands))
        assert "LATENCY OVER TIME" in "\n".join(drawn(app, EndpointDetail))
        other = LookedAt(key("/other"), looked_at.latency_by_status)
        await show(pilot, replace(seen, looked_at=other))
        assert "47.0ms" not in "\n".join(drawn(app, EndpointDetail)), "they are another's"
        await pilot.press("escape")
        assert feed.looked_at == [stats.key, None]


async def test_help_opens_and_closes() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        for key in ("question_mark", "h", "f1"):
            await pilot.press(key)
            assert isinstance(pilot.app.screen, Page)
            await pilot.press("escape")
            assert isinstance(pilot.app.screen, Dashboard)


async def test_the_times_of_an_endpoint_fit_into_a_narrow_page() -> None:
    async with HttptopApp().run_test(size=(80, 60)) as pilot:
        app = await show(pilot, with_times())
        await pilot.press("enter")
        page = drawn(app, EndpointDetail)
        at = next(n for n, line in enumerate(page) if "DURATION" in line)
        assert page[at].split()[-3:] == ["WAIT", "SENDING", "DURATION"]
        assert len(page[at + 1].split()) >= 6  # p50, window, start, wait, sending, duration


async def test_the_dashboard_goes_on_below_a_box() -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await show(pilot, busy())
        assert len(table(app).rows) == 15


@pytest.mark.parametrize("pressed", ["q", "ctrl+c"])
async def test_quitting(pressed: str) -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, busy())
        await pilot.press(pressed)
    assert app.return_code == 0


async def test_ctrl_c_quits_from_a_page_and_while_typing() -> None:
    for before in ("question_mark", "slash"):
        app = HttptopApp()
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press(before)
            await pilot.press("ctrl+c")
            await pilot.pause()
            assert not app.is_running or app._exit


async def test_quitting_may_be_confirmed() -> None:
    app = HttptopApp(ui=Ui(confirm_quit=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
        assert isinstance(app.screen, ConfirmQuit)
        await pilot.press("n")
        assert isinstance(app.screen, Dashboard)
        await pilot.press("q", "y")
    assert app.return_code == 0


async def test_the_feed_is_started_shown_and_stopped_once() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        assert feed.publish is not None
        feed.publish(busy(5))
        await pilot.pause()
        assert app.snapshot is not None
        assert app.snapshot.uptime_s == 5
    app.stop_feed()
    assert feed.stopped == 1


async def test_a_failed_feed_is_told_and_returned() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        assert feed.fail is not None
        feed.fail(RuntimeError("the ring buffer [went] away"))
        await pilot.pause()
        assert isinstance(app.screen, Failure)
        assert app.screen.text == "the ring buffer [went] away"
        await pilot.press("q")
    assert app.return_code == 1
    assert feed.stopped == 1


async def test_a_feed_that_cannot_start_is_a_failure_too() -> None:
    app = HttptopApp(PushedFeed(OSError("no probes")))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, Failure)
        await pilot.press("ctrl+c")
    assert app.return_code == 1


async def test_the_demo_starts_once_and_says_so() -> None:
    started: list[int] = []
    app = HttptopApp(run=FakeRun(start_demo=lambda: started.append(1)))
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, snapshot())
        await pilot.press("d")
        await settled(pilot)
        await pilot.press("d")
        assert started == [1]
        assert "run" in app.demo_state


async def test_a_demo_that_fails_says_why() -> None:
    def broken() -> None:
        raise OSError("no port is free")

    app = HttptopApp(run=FakeRun(start_demo=broken))
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, snapshot())
        await pilot.press("d")
        await settled(pilot)
        assert "no port is free" in app.demo_state
        assert app.is_running


async def test_another_theme_repaints_what_is_drawn() -> None:
    async with HttptopApp(ui=Ui(theme="high-contrast")).run_test(size=(100, 40)) as pilot:
        app = await show(pilot)
        assert app.theme == "high-contrast"
        kinds = (EndpointTable, CostLine, KeyBar, LiveRequests)

        def first_lines() -> list[Strip]:
            return [app.screen.query_one(kind).render_line(0) for kind in kinds]

        app.theme = "dark"
        await pilot.pause()
        dark = first_lines()
        app.theme = "light"
        await pilot.pause()
        for before, after in zip(dark, first_lines(), strict=True):
            assert before.text == after.text
            for one, other in zip(before, after, strict=True):
                assert one.style is not None
                assert other.style is not None
                assert one.style.color != other.style.color
                assert one.style.bgcolor != other.style.bgcolor


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown sort column 'speed'"):
        HttptopApp(ui=Ui(sort="speed"))
    with pytest.raises(ValueError, match="unknown theme 'pink'"):
        HttptopApp(ui=Ui(theme="pink"))


def keys_of(data: str) -> list[Message]:
    """Return the keys that the terminal's bytes mean."""
    parser = XTermParser()
    return [*parser.feed(data), *parser.feed("")]


async def test_esc_and_a_letter_right_behind_it_are_two_keys() -> None:
    async with HttptopApp().run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        await pilot.press("slash", "u", "s")
        assert app.view.path_filter == "us"
        for event in keys_of("\x1bj"):
            app.post_message(event)
        await pilot.pause()
        assert app.view.path_filter == ""
        assert app.view.selected is not None
        await pilot.press("question_mark")
        for event in keys_of("\x1bG"):
            app.post_message(event)
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        assert app.view.selected == table(app).rows[-1].key
        await pilot.press("s")  # a menu, of which p is a letter
        for event in keys_of("\x1bp"):
            app.post_message(event)
        await pilot.pause()
        assert app.view.paused
        assert app.view.sort == "rps"


async def test_a_key_of_the_users_own_with_alt_is_not_two() -> None:
    app = HttptopApp(ui=Ui(keys=("pause=alt+x",), filter="path = /a"))
    async with app.run_test(size=(100, 30)) as pilot:
        await show(pilot)
        await pilot.press("alt+x")
        assert app.view.paused
        assert app.view.filtered
