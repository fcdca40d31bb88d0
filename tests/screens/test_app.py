"""Keys, mouse and snapshots against the app's state. No threads but where the feed is tested."""

import re
from collections.abc import Callable

import pytest
from textual.events import Key, MouseScrollDown
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from httptop.app import HttptopApp
from httptop.config.settings import Settings, Ui
from httptop.model import STATUS_UNKNOWN, Health, Snapshot, clean
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.pages import ConfirmQuit, Failure, Page
from httptop.widgets.cost_line import CostLine
from httptop.widgets.endpoint_detail import EndpointDetail
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.live_requests import LiveRequests
from httptop.widgets.status_breakdown import StatusBreakdown
from tests.factory import busy, endpoint, key, samples, snapshot
from tests.screens.fake_run import FakeRun


def table(app: HttptopApp) -> EndpointTable:
    return app.screen_stack[0].query_one(EndpointTable)


def lines(app: HttptopApp, kind: type[Widget] = EndpointTable) -> list[str]:
    """Return what a widget draws, line by line."""
    widget = app.screen.query_one(kind)
    return [widget.render_line(y).text for y in range(widget.size.height)]


async def show(pilot: Pilot[int], snap: Snapshot) -> None:
    app = pilot.app
    assert isinstance(app, HttptopApp)
    app.publish(snap)
    await pilot.pause()


async def test_a_snapshot_fills_the_table() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        assert app.snapshot is None
        snap = busy()
        await show(pilot, snap)
        assert app.snapshot is snap
        assert len(table(app).rows) == 15
        assert "/static/{id}" in lines(app)[1]


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


async def test_selection_follows_the_endpoint_across_sorts_and_new_rows() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("j", "j", "j")
        chosen = app.view.selected
        assert chosen is not None
        assert table(app).cursor_row == 3
        await pilot.press("2")
        assert app.view.sort == "method"
        assert table(app).cursor_key == chosen
        old = busy()
        more = [endpoint(key(f"/new/{i}"), rps=5_000 + i) for i in range(30)]
        await pilot.press("4")
        await show(pilot, snapshot([*old.endpoints, *more]))
        assert app.view.selected == chosen
        assert table(app).cursor_key == chosen
        assert table(app).cursor_row == 33
        top = table(app).scroll_offset.y
        assert top <= 33 < top + table(app).size.height  # still in sight


async def test_a_vanished_endpoint_hands_the_selection_to_its_neighbour() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("j", "j")
        gone, heir = table(app).rows[2].key, table(app).rows[3].key
        await show(pilot, snapshot([row for row in busy().endpoints if row.key != gone]))
        assert app.view.selected == heir
        assert table(app).cursor_row == 2


async def test_moving_stops_at_the_ends() -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, busy())
        await pilot.press("G")
        assert table(app).cursor_row == 14
        await pilot.press("down", "pagedown")
        assert table(app).cursor_row == 14
        assert table(app).scroll_offset.y > 0
        await pilot.press("g", "up")
        assert table(app).cursor_row == 0
        assert table(app).scroll_offset.y == 0
        await pilot.press("end", "home", "pagedown")
        assert 0 < table(app).cursor_row < 14


async def test_filtering_as_one_types() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("slash", *"users")
        assert app.view.path_filter == "users"
        assert len(table(app).rows) == 3
        assert "3 of 15" in str(table(app).border_title)
        await pilot.press("enter")
        assert app.focused is table(app)
        assert app.view.path_filter == "users"
        await pilot.press("slash")
        assert app.screen.query_one(Input).value == "users"
        await pilot.press("escape")
        assert app.view.path_filter == ""
        assert len(table(app).rows) == 15
        assert app.focused is table(app)


async def test_keys_are_letters_while_a_filter_is_typed() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("slash", *"qpsr?1/")
        assert app.view.path_filter == "qpsr?1/"
        assert not app.view.paused
        assert app.view.sort == "rps"
        assert app.is_running
        await pilot.press("escape", "slash", "x", "enter", "escape")
        assert app.view.path_filter == ""


async def test_letters_typed_right_behind_the_slash_are_the_filter() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        for letter in ("slash", "u", "s", "slash"):
            app.post_message(Key(letter, "/" if letter == "slash" else letter))
        await pilot.pause()
        assert app.view.path_filter == "us/"
        assert app.view.sort == "rps"


async def test_pause_stops_the_screen_and_not_the_collecting() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        first, second = busy(10), busy(11)
        await show(pilot, first)
        await pilot.press("p")
        await show(pilot, second)
        assert app.snapshot is first
        assert app.newest is second
        await pilot.press("s")  # a paused screen may still be sorted
        assert app.view.sort != "rps"
        await pilot.press("p")
        assert app.snapshot is second


async def test_sides() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("j")
        chosen = app.view.selected
        await pilot.press("tab")
        assert app.view.side == "client"
        assert len(table(app).rows) == 3
        await pilot.press("c")
        assert app.view.side == "server"
        assert table(app).cursor_key == chosen


async def test_sorting_by_keys() -> None:
    app = HttptopApp()
    async with app.run_test(size=(160, 50)) as pilot:
        await show(pilot, busy())
        names = [column.sort for column, _ in table(app).columns]
        at = names.index("rps")
        await pilot.press("s")
        assert app.view.sort == names[at + 1]
        await pilot.press("less_than_sign", "S")
        assert app.view.sort == names[at - 1]
        await pilot.press("1", "r")
        assert (app.view.sort, app.view.descending) == ("process", True)
        await pilot.press("0")
        assert app.view.sort == names[9]
        for _ in names:
            await pilot.press("s")
        assert app.view.sort == names[9]


async def test_sorting_by_mouse() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        header = lines(app)[0]
        x = header.index("P99") + 1  # the border
        await pilot.click(EndpointTable, offset=(x + 1, 1))
        assert (app.view.sort, app.view.descending) == ("p99", True)
        assert "▼P99" in lines(app)[0]
        await pilot.click(EndpointTable, offset=(x + 1, 1))
        assert (app.view.sort, app.view.descending) == ("p99", False)
        assert "▲P99" in lines(app)[0]


async def test_selecting_and_opening_by_mouse() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.click(EndpointTable, offset=(20, 5))
        assert table(app).cursor_row == 3
        assert app.view.selected == table(app).rows[3].key
        await pilot.double_click(EndpointTable, offset=(20, 6))
        await pilot.pause()
        assert isinstance(app.screen, DetailScreen)
        assert app.screen.key == table(app).rows[4].key


async def test_the_wheel_scrolls_and_keeps_the_selection() -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, busy())
        await pilot.press("j")
        chosen = app.view.selected
        await pilot._post_mouse_events([MouseScrollDown], EndpointTable, (20, 5), button=0)
        await pilot.pause()
        top = table(app).scroll_offset.y
        assert top > 0
        await show(pilot, busy(253))
        assert table(app).scroll_offset.y == top
        assert app.view.selected == chosen


async def test_footer_keys_can_be_clicked() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        footer = app.screen.query_one("KeyBar")
        x = footer.render_line(0).text.index("pause")
        await pilot.click("KeyBar", offset=(x, 0))
        assert app.view.paused


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


@pytest.mark.parametrize("pressed", ["question_mark", "h", "f1"])
async def test_help_opens_and_closes(pressed: str) -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(pressed)
        assert isinstance(app.screen, Page)
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)


async def test_the_dashboard_goes_on_below_a_page() -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        await show(pilot, busy())
        assert len(table(app).rows) == 15


@pytest.mark.parametrize(("pressed", "status"), [("q", 0), ("ctrl+c", 0)])
async def test_quitting(pressed: str, status: int) -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, busy())
        await pilot.press(pressed)
    assert app.return_code == status


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


class PushedFeed:
    """A feed without a thread: the test pushes."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.publish: Callable[[Snapshot], None] | None = None
        self.fail: Callable[[BaseException], None] | None = None
        self.stopped = 0

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        self.publish, self.fail = publish, fail
        if self.error is not None:
            raise self.error

    def apply(self, settings: Settings) -> None:
        raise NotImplementedError

    def stop(self) -> Snapshot | None:
        self.stopped += 1
        return busy(999)


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
    assert app.final_snapshot is not None
    assert app.final_snapshot.uptime_s == 999


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
        await app.workers.wait_for_complete()
        await pilot.pause()
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
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "no port is free" in app.demo_state
        assert app.is_running


async def test_live_requests_grow_vanish_and_come_back() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        live = app.screen.query_one(LiveRequests)
        normal = live.size.height
        await pilot.press("l")
        assert live.size.height > normal
        await pilot.press("l")
        assert not live.display
        await pilot.press("l")
        assert live.size.height == normal


HOSTILE = (
    b"/a[/b]",
    b"/items?f[bold]=1",
    b"/[red]x[/red]",
    b"/\x1b[31mred\x1b]0;title\x07",
    b"/\xff\xfe\x00\n\r\t",
    "/日本語/パス/とても長い道".encode(),
    "/\u202eevil\u200b".encode(),
    b"/" + b"A" * 5_000,
    b"[/]",
    b"\\[x]",
)


async def test_hostile_paths_are_shown_as_they_are_and_keep_the_columns_aligned() -> None:
    rows = [
        endpoint(key(clean(raw), process=clean(raw[:15], 15)), rps=50.0 - i)
        for i, raw in enumerate(HOSTILE)
    ]
    app = HttptopApp(watching="[bold]all[/]")
    async with app.run_test(size=(120, 45)) as pilot:
        await show(pilot, snapshot(rows, samples(rows), notes=("[red]note[/x]",)))
        widget = table(app)
        for y in range(len(rows) + 1):
            strip = widget.render_line(y)
            assert strip.cell_length == widget.scrollable_content_region.width
            text = "".join(segment.text for segment in strip)
            assert all(c.isprintable() for c in text)
        assert any("/a[/b]" in line for line in lines(app))
        live = app.screen.query_one(LiveRequests)
        for y in range(live.size.height):
            assert live.render_line(y).cell_length == live.size.width
        await pilot.press("n", "escape")
        for row in rows:
            app.open_endpoint(row.key)
            await pilot.pause()
            app.pop_screen()
        await pilot.press("slash", "ctrl+u", *"[/b]", "enter")
        assert len(widget.rows) == 1
        assert app.is_running


async def test_outcomes_that_are_unknown_are_called_so() -> None:
    app = HttptopApp()
    async with app.run_test(size=(140, 50)) as pilot:
        await show(pilot, snapshot([endpoint(key(), status={200: 5, STATUS_UNKNOWN: 3})]))
        breakdown = "\n".join(lines(app, StatusBreakdown))
        assert "unknown 3" in breakdown
        assert "0 3" not in breakdown
        await pilot.press("enter")
        drawn = "\n".join(lines(app, EndpointDetail))
        assert re.search(r" \? +unknown +3 ", drawn)
        assert not re.search(r" 0 +3 ", drawn)


async def test_losses_are_loud() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        assert "0 lost" in lines(app, CostLine)[0]
        await show(pilot, busy(health=Health(lost_samples=12)))
        assert "12 samples lost" in lines(app, CostLine)[0]
        assert "0 lost" not in lines(app, CostLine)[0]


async def test_a_small_terminal_is_told_the_size_it_needs() -> None:
    app = HttptopApp()
    async with app.run_test(size=(50, 12)) as pilot:
        await show(pilot, busy())
        assert app.screen.has_class("-too-small")
        await pilot.resize_terminal(100, 40)
        await pilot.pause()
        assert not app.screen.has_class("-too-small")
        assert table(app).size.height > 5


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (100, 30), (200, 60), (300, 100)])
async def test_every_line_is_as_wide_as_the_terminal(size: tuple[int, int]) -> None:
    app = HttptopApp()
    async with app.run_test(size=size) as pilot:
        await show(pilot, busy())
        assert "PATH" in lines(app)[0]
        widget = table(app)
        assert {"path", "rps", "p99"} <= {column.sort for column, _ in widget.columns}
        for y in range(widget.size.height):
            strip = widget.render_line(y)
            assert strip.cell_length == widget.scrollable_content_region.width


@pytest.mark.parametrize("symbols", ["braille", "block", "tty"])
async def test_symbols(symbols: str) -> None:
    app = HttptopApp(ui=Ui(symbols=symbols))  # type: ignore[arg-type]
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        drawn = "".join(lines(app))
        assert ("⣿" in drawn or "⣶" in drawn or "⣤" in drawn) == (symbols == "braille")
        await pilot.press("enter")
        assert isinstance(app.screen, DetailScreen)


@pytest.mark.parametrize("theme", ["httptop-dark", "httptop-light", "nord", "dracula"])
async def test_themes(theme: str) -> None:
    app = HttptopApp(ui=Ui(theme=theme))
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        assert app.theme == theme


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown sort column 'speed'"):
        HttptopApp(ui=Ui(sort="speed"))
    with pytest.raises(ValueError, match="unknown theme 'pink'"):
        HttptopApp(ui=Ui(theme="pink"))
