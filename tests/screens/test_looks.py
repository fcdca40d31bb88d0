"""Columns at every width, the choice of a request and its page, what was shed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import AppBlur, AppFocus, Key
from textual.pilot import Pilot
from textual.widgets import Static

from httptop.app import HttptopApp
from httptop.config.settings import BY_KEY, DEFAULTS, Ui
from httptop.humanize import Units
from httptop.model import Snapshot, Transaction, clean
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.pages import Page
from httptop.screens.request import RequestScreen
from httptop.view.state import SORTS
from httptop.widgets.columns import COLUMNS, layout
from httptop.widgets.cost_line import CostLine
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.live_requests import LiveRequests
from tests.factory import NOON, OVERHEAD, busy, key, samples, shop, snapshot

HEAD = (
    "HTTP/1.1 503 Service Unavailable",
    "Content-Type: text/[b]plain[/b]",
    clean(b"X-Evil: \x1b[31mred"),
    "no colon here",
)
REQUEST = Transaction(
    serial=7,
    started_at=NOON + 0.25,
    key=key("/users/{id}", "POST"),
    pid=1234,
    path="/users/17[/x]",
    status=503,
    latency_ns=1_234_567,
    request_bytes=310,
    response_bytes=4_200,
    peer="203.0.113.7:40001",
    slow=True,
    response_head=HEAD,
)


async def show(pilot: Pilot[int], snap: Snapshot) -> None:
    app = pilot.app
    assert isinstance(app, HttptopApp)
    app.publish(snap)
    await pilot.pause()


def live(app: HttptopApp) -> LiveRequests:
    return app.screen_stack[0].query_one(LiveRequests)


def page(app: HttptopApp) -> str:
    return str(app.screen.query_one(Static).content)


# Columns

NAMES = tuple(column.sort for column in COLUMNS)


def names(width: int, *asked: str, units: Units = Units()) -> list[str]:  # noqa: B008
    return [column.sort for column, _ in layout(width, asked, units)]


def cells(width: int, *asked: str, units: Units = Units()) -> int:  # noqa: B008
    return sum(cells + 1 for _, cells in layout(width, asked, units)) - 1


def test_every_column_of_the_settings_is_there_and_sorts() -> None:
    item = BY_KEY["ui.columns"].kind.item  # type: ignore[attr-defined]
    assert sorted(item.words) == sorted(NAMES)
    assert set(NAMES) <= SORTS.keys()


def test_our_own_choice_leaves_the_rare_ones_out_unless_there_is_plenty_of_room() -> None:
    rare = {"p90", "p999", "mean", "request_bytes"}
    assert set(names(160)) == set(NAMES) - rare
    assert set(names(300)) == set(NAMES)
    assert {"path", "rps", "p99"} <= set(names(58))


def test_the_path_shrinks_before_columns_fall_out_from_the_end() -> None:
    asked = "path", "rps", "p50", "p90", "p99", "p999", "trend"
    widths = {column.sort: cells for column, cells in layout(54, asked)}
    assert tuple(widths) == asked
    assert widths["path"] == 10
    assert names(51, *asked) == list(asked[:-1])
    assert names(10, *asked) == ["path"]
    assert names(3, "process", "rps") == ["process"]
    assert names(200, "rps", "rps", "path", "rps") == ["rps", "path"]


@given(
    st.integers(20, 400),
    st.lists(st.sampled_from(NAMES), max_size=30),
    st.sampled_from(["auto", "us", "ms", "s"]),
)
def test_columns_never_want_more_than_there_is(width: int, asked: list[str], unit: str) -> None:
    units = Units(unit)  # type: ignore[arg-type]
    if asked or width >= 58:
        assert cells(width, *asked, units=units) <= width
    shown = names(width, *asked, units=units)
    if asked:
        assert shown == list(dict.fromkeys(asked))[: len(shown)]
    if "path" in shown:
        assert cells(width, *asked, units=units) == width or width < 58


@pytest.mark.parametrize("width", [60, 80, 100, 160, 300])
@pytest.mark.parametrize("unit", ["us", "s"])
async def test_lines_are_whole_in_every_unit_and_width(width: int, unit: str) -> None:
    app = HttptopApp(ui=Ui(latency_unit=unit, columns=NAMES))  # type: ignore[arg-type]
    async with app.run_test(size=(width, 40)) as pilot:
        await show(pilot, busy())
        table = app.screen.query_one(EndpointTable)
        for y in range(8):
            line = table.render_line(y)
            assert line.cell_length == table.scrollable_content_region.width
        for y in range(4):
            assert live(app).render_line(y).cell_length == live(app).size.width
        for column, _ in table.columns:
            app.change_view(sort=column.sort)
            await pilot.pause()
        assert app.is_running


# The choice of a request


async def test_choosing_a_request_holds_the_list_and_opens_a_page() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("L", "j", "j")
        held = live(app).requests
        assert app.focused is live(app)
        assert live(app).chosen is held[2]
        assert "held" in str(live(app).border_title)
        assert "open the request" in app.screen.query_one(KeyBar).render_line(0).text
        later = [replace(sample, serial=sample.serial + 500) for sample in samples(shop())]
        await show(pilot, snapshot(shop(), later))
        assert live(app).requests is held  # they stand still under the cursor
        await pilot.press("enter")
        assert isinstance(app.screen, RequestScreen)
        assert app.screen.request is held[2]
        await show(pilot, busy(300))
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)
        assert live(app).chosen is held[2]
        await pilot.press("escape")
        await pilot.pause()
        assert not live(app).held
        assert app.focused is app.screen.query_one(EndpointTable)
        assert live(app).requests is not held


async def test_keys_typed_right_behind_already_choose() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        for letter in "Ljj":
            app.post_message(Key(letter, letter))
        await pilot.pause()
        assert live(app).cursor_row == 2
        await pilot.press("L", "slash", *"aL")
        assert app.view.path_filter == "aL"


async def test_the_cursor_scrolls_and_stays_within_the_list() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("L", "k")
        widget = live(app)
        assert widget.cursor_row == 0
        await pilot.press("G", "j", "pagedown")
        assert widget.cursor_row == len(widget.requests) - 1
        assert widget.render_line(widget.size.height - 1).text.startswith("▌")
        await pilot.press("pageup")
        assert 0 < widget.cursor_row < len(widget.requests) - 1
        await pilot.press("g")
        assert widget.render_line(1).text.startswith("▌")


async def test_another_side_shows_its_own_requests_even_while_held() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("L", "j", "s")
        assert live(app).cursor_row == 1  # the order of endpoints is nothing to it
        await pilot.press("tab")
        assert live(app).held
        assert {sample.key.side for sample in live(app).requests} == {"client"}
        assert live(app).cursor_row == 0


async def test_requests_are_chosen_by_mouse() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.click(LiveRequests, offset=(20, 4))
        assert live(app).cursor_row == 2
        third = live(app).requests[2]
        await pilot.double_click(LiveRequests, offset=(20, 4))
        await pilot.pause()
        assert isinstance(app.screen, RequestScreen)
        assert app.screen.request is third
        await pilot.press("escape")
        await pilot.click(EndpointTable, offset=(20, 4))
        await pilot.pause()
        assert not live(app).held


async def test_a_hidden_list_comes_back_to_be_chosen_from() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 18)) as pilot:
        await show(pilot, busy())
        assert not live(app).display
        await pilot.press("L")
        assert live(app).display
        assert app.focused is live(app)
        await pilot.press("l")
        await pilot.pause()
        assert not live(app).display
        assert app.focused is app.screen.query_one(EndpointTable)
        assert not live(app).held


async def test_without_requests_there_is_nothing_to_open() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("L")
        assert not live(app).held
        await show(pilot, snapshot(shop()))
        await pilot.press("L", "j", "G", "enter")
        assert isinstance(app.screen, Dashboard)
        assert live(app).held
        await pilot.press("L")
        await pilot.pause()
        assert not live(app).held


async def test_a_list_stays_held_while_another_window_has_the_keys() -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("L", "j")
        held = live(app).requests
        app.post_message(AppBlur())
        await pilot.pause()
        await show(pilot, busy(300))
        assert live(app).requests is held
        app.post_message(AppFocus())
        await pilot.pause()
        assert live(app).cursor_row == 1
        assert app.focused is live(app)


# The page of a request


async def test_the_page_of_a_request_says_all_that_is_known() -> None:
    app = HttptopApp(ui=Ui(latency_unit="us", byte_units="si"))
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        app.open_request(REQUEST)
        await pilot.pause()
        text = page(app)
        for known in (
            "POST /users/17[/x] HTTP/1.1",
            "503 Service Unavailable",
            "1235µs  (1,234,567 ns)  slow",
            "2026-01-01 12:00:00.250",
            "server",
            "nginx, pid 1234",
            "203.0.113.7:40001",
            "310 bytes",
            "4.2 kB  (4,200 bytes)",
            "POST /users/{id}",
            *HEAD,
        ):
            assert known in text
        assert "\x1b" not in text
        app.adopt(replace(DEFAULTS, ui=Ui()))
        assert "1.2ms  (1,234,567 ns)" in page(app)
        await pilot.press("j", "k", "enter")
        assert isinstance(app.screen, DetailScreen)
        assert app.screen.key == REQUEST.key


@pytest.mark.parametrize(
    ("status", "said"), [(0, "there was no response"), (200, "not captured"), (799, "799\n")]
)
async def test_what_is_not_known_of_a_request_is_said_so(status: int, said: str) -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        bare = replace(
            REQUEST, status=status, response_head=(), peer=None, response_bytes=None, slow=False
        )
        app.open_request(bare)
        await pilot.pause()
        text = page(app)
        assert said in text
        assert "response bytes  not known" in text
        assert "slow" not in text


# What was shed


async def test_what_was_shed_is_said_in_the_cost_line_and_in_the_notes() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        line = app.screen.query_one(CostLine)
        await show(pilot, busy())
        assert "shed" not in line.render_line(0).text
        shedding = replace(OVERHEAD, shed=("samples", "pids"))
        note = "no samples are taken: httptop takes more than it may"
        await show(pilot, replace(busy(), overhead=shedding, notes=("one", note), recent=()))
        assert "samples are shed" in live(app).render_line(0).text
        strip = line.render_line(0)
        assert "shed: samples, pids" in strip.text
        assert "2 notes (n)" in strip.text
        (mark,) = [segment for segment in strip if "shed" in segment.text]
        assert mark.style is not None
        assert mark.style.color == line.hue("warn").color
        await pilot.press("n")
        assert isinstance(app.screen, Page)
        assert note in str(app.screen.text)


# Themes


async def test_another_theme_repaints_what_is_drawn() -> None:
    async with HttptopApp().run_test(size=(100, 40)) as pilot:
        app = pilot.app
        assert isinstance(app, HttptopApp)
        await show(pilot, busy())
        for kind in (EndpointTable, CostLine, KeyBar, LiveRequests):
            widget = app.screen.query_one(kind)
            app.theme = "httptop-dark"
            await pilot.pause()
            dark = widget.render_line(0)
            app.theme = "httptop-light"
            await pilot.pause()
            light = widget.render_line(0)
            assert light.text == dark.text
            for before, after in zip(dark, light, strict=True):
                assert before.style is not None
                assert after.style is not None
                assert before.style.color != after.style.color
                assert before.style.bgcolor != after.style.bgcolor
