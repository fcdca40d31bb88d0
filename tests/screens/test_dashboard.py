"""The dashboard by keys and mouse: rows, selection, order, sides, sizes, drawing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from textual.events import MouseScrollDown
from textual.strip import Strip

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.model import STATUS_UNKNOWN, Health, SinkStats, Snapshot
from httptop.printable import clean
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.view.menus import SORT_LETTERS
from httptop.view.sorts import descends
from httptop.view.state import rows
from httptop.widgets.columns import COLUMNS
from httptop.widgets.cost_line import CostLine
from httptop.widgets.dashboard_head import FiguresLine, TitleLine
from httptop.widgets.endpoint_detail import EndpointDetail
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_editor import FilterEditor
from httptop.widgets.headline import Headline
from httptop.widgets.heat_map import HeatMap
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.live_requests import LiveRequests
from httptop.widgets.rate_graph import RateGraph
from httptop.widgets.too_small import TooSmall
from tests.factory import OVERHEAD, busy, endpoint, key, samples, snapshot
from tests.screens.handles import drawn, show, table

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


async def test_a_snapshot_fills_the_table() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        assert app.snapshot is None
        snap = busy()
        await show(pilot, snap)
        assert app.snapshot is snap
        assert len(table(app).rows) == 15
        assert "/static/{id}" in drawn(app)[1]


def sunk(path: str) -> Snapshot:
    """Return the busy snapshot with thirty busier endpoints, and with one that is hardly any."""
    old = [replace(row, rps=0.01) if row.key.path == path else row for row in busy().endpoints]
    return snapshot([*old, *(endpoint(key(f"/new/{i}"), rps=5_000 + i) for i in range(30))])


async def test_the_cursor_keeps_its_line_while_endpoints_move() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("j", "j", "j")
        chosen = table(app).cursor_key
        assert chosen is not None
        assert table(app).cursor_row == 3
        await show(pilot, sunk(chosen.path))
        assert table(app).cursor_row == 3
        assert table(app).cursor_key == key("/new/26")
        assert table(app).scroll_offset.y == 0
        await pilot.press("j", "enter")  # from where the cursor is
        assert isinstance(app.screen, DetailScreen)
        assert app.screen.key == key("/new/25")


async def test_the_cursor_follows_an_endpoint_where_that_is_asked_for() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("j", "j", "j", "F")
        chosen = table(app).cursor_key
        assert chosen is not None
        assert "following" in str(table(app).border_title)
        await show(pilot, sunk(chosen.path))
        assert table(app).cursor_key == chosen
        top = table(app).scroll_offset.y
        assert 0 < top <= table(app).cursor_row < top + table(app).size.height
        assert f"▲ {top} above" in str(table(app).border_title)
        await pilot.press("s", "m")
        assert table(app).cursor_key == chosen
        await pilot.press("s", "r", "k")  # another one is followed from now on
        other = table(app).cursor_key
        await show(pilot, busy())
        assert table(app).cursor_key == other != chosen
        await pilot.press("F")
        row = table(app).cursor_row
        assert "following" not in str(table(app).border_title)
        await show(pilot, sunk("/none"))
        assert table(app).cursor_row == row


async def test_an_endpoint_that_is_gone_is_followed_no_longer() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("j", "j", "F")
        gone = table(app).rows[2].key
        await show(pilot, snapshot([row for row in busy().endpoints if row.key != gone]))
        await pilot.pause()
        assert not app.view.follows
        assert table(app).cursor_row == 2
        await show(pilot, busy())
        assert table(app).cursor_row == 2


async def test_another_order_begins_at_its_top() -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, busy())
        await pilot.press("G")
        assert "above" in str(table(app).border_title)
        await pilot.press("s", "9")
        await pilot.pause()
        assert (table(app).cursor_row, table(app).scroll_offset.y) == (0, 0)
        assert "above" not in str(table(app).border_title)
        await pilot.press("G", "r")
        await pilot.pause()
        assert (table(app).cursor_row, table(app).scroll_offset.y) == (0, 0)


async def test_a_key_moves_the_cursor_to_where_it_was_once() -> None:
    """The view has that endpoint already; the cursor has to move all the same."""
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, busy())
        await pilot.press("G", "r", "G")
        last = table(app).cursor_key
        await pilot.press("r", "r", "G")
        assert table(app).cursor_row == len(table(app).rows) - 1
        assert table(app).cursor_key == last


async def test_moving_stops_at_the_ends() -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, busy())
        await pilot.press("G")
        assert table(app).cursor_row == 14
        await pilot.press("down", "pagedown")
        assert table(app).cursor_row == 14
        assert table(app).scroll_offset.y > 0
        await pilot.press("home", "up")
        assert table(app).cursor_row == 0
        assert table(app).scroll_offset.y == 0
        await pilot.press("end", "home", "pagedown")
        assert 0 < table(app).cursor_row < 14


async def test_sides() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        await pilot.press("j")
        chosen = app.view.selected
        await pilot.press("tab")
        assert app.view.side == "client"
        title = drawn(app, TitleLine)[0]
        assert " CLIENT side 3 " in title
        assert " server 15 (Tab)" in title
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
        await pilot.press("greater_than_sign")
        assert app.view.sort == names[at + 1]
        await pilot.press("less_than_sign", "less_than_sign")
        assert app.view.sort == names[at - 1]
        for _ in names:
            await pilot.press("greater_than_sign")
        assert app.view.sort == names[at - 1]
        await pilot.press("r")
        assert app.view.descending


@pytest.mark.parametrize("letter", sorted(set(SORT_LETTERS.values())))
async def test_a_letter_sorts_and_reverses(letter: str) -> None:
    (name,) = [name for name, other in SORT_LETTERS.items() if other == letter]
    async with HttptopApp(ui=Ui(sort="1xx" if name != "1xx" else "rps")).run_test(
        size=(80, 24)
    ) as pilot:
        app = await show(pilot)
        await pilot.press("s", letter)
        assert (app.view.sort, app.view.descending) == (name, descends(name))
        await pilot.press("f6", letter)
        assert (app.view.sort, app.view.descending) == (name, not descends(name))
        assert [row.key for row in table(app).rows] == [row.key for row in rows(busy(), app.view)]


async def test_the_key_bar_shows_the_orders() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        app = await show(pilot)
        await pilot.press("s")
        line, *others = drawn(app, KeyBar)
        assert len(others) == 1
        assert others[-1].endswith("Esc close")
        assert line.startswith(" sort by:  r reverse  9 P99  e ERR%  i IN FL  o OLDEST  d CHANGE ")
        await pilot.click(KeyBar, offset=(line.index("P99"), 0))
        assert (app.view.sort, app.view.descending) == ("p99", True)
        await pilot.press("s", "y")  # no letter of it, and not the page of the key y
        assert (app.view.sort, app.screen) == ("p99", app.screen_stack[0])


async def test_sorting_by_mouse() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        header = drawn(app)[0]
        x = header.index("P99") + 1  # the border
        await pilot.click(EndpointTable, offset=(x + 1, 1))
        assert (app.view.sort, app.view.descending) == ("p99", True)
        assert "▼P99" in drawn(app)[0]
        await pilot.click(EndpointTable, offset=(x + 1, 1))
        assert (app.view.sort, app.view.descending) == ("p99", False)
        assert "▲P99" in drawn(app)[0]


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
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        footer = app.screen.query_one("KeyBar")
        x = footer.render_line(0).text.index("pause")
        await pilot.click("KeyBar", offset=(x, 0))
        assert app.view.paused


async def test_footer_names_the_keys_that_work() -> None:
    async with HttptopApp().run_test(size=(140, 40)) as pilot:
        app = await show(pilot)
        assert " f filter " in drawn(app, KeyBar)[0]
        await pilot.press("equals_sign", "p")
        assert "Esc clear filters" in drawn(app, KeyBar)[0]
        await pilot.press("f")
        assert "Tab complete" in drawn(app, KeyBar)[0]
        x = drawn(app, KeyBar)[0].index("keep the filter")
        await pilot.click(KeyBar, offset=(x, 0))
        assert not app.screen.query_one(FilterEditor).is_open


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
        assert any("/a[/b]" in line for line in drawn(app))
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
    async with HttptopApp().run_test(size=(140, 50)) as pilot:
        app = await show(pilot, snapshot([endpoint(key(), status={200: 5, STATUS_UNKNOWN: 3})]))
        await pilot.press("enter")
        detail = "\n".join(drawn(app, EndpointDetail))
        assert re.search(r" \? +unknown +3 ", detail)
        assert not re.search(r" 0 +3 ", detail)


async def test_losses_are_loud() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        assert "0 lost" in drawn(app, CostLine)[0]
        await show(pilot, busy(health=Health(lost_samples=12)))
        assert "12 samples lost" in drawn(app, CostLine)[0]
        assert "0 lost" not in drawn(app, CostLine)[0]
        sink = SinkStats("recording", "ended", sent=5, dropped=1, error="the disk is full")
        await show(pilot, replace(busy(), sinks=(sink,)))
        assert "0 lost" in drawn(app, CostLine)[0]
        assert "recording has ended" in drawn(app, CostLine)[0]


async def test_a_small_terminal_is_told_the_size_it_needs() -> None:
    app = HttptopApp()
    async with app.run_test(size=(50, 12)) as pilot:
        await show(pilot, busy())
        assert app.screen.has_class("-too-small")
        text = "\n".join(drawn(app, TooSmall))
        assert "httptop needs 60x15" in text
        assert "this terminal has 50x12" in text
        await pilot.resize_terminal(100, 40)
        await pilot.pause()
        assert not app.screen.has_class("-too-small")
        assert table(app).size.height > 5


async def test_every_line_is_as_wide_as_the_terminal() -> None:
    async with HttptopApp().run_test(size=(60, 15)) as pilot:
        app = await show(pilot)
        assert not app.screen.query_one(LiveRequests).display
        for size in [(60, 15), (80, 24), (100, 30), (200, 60), (300, 100)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert app.size == size
            assert "PATH" in drawn(app)[0]
            widget = table(app)
            assert {"path", "rps", "p99"} <= {column.sort for column, _ in widget.columns}
            for y in range(widget.size.height):
                width = widget.scrollable_content_region.width
                assert widget.render_line(y).cell_length == width > size[0] - 4


@pytest.mark.parametrize("symbols", ["braille", "block", "ascii"])
async def test_symbols(symbols: str) -> None:
    app = HttptopApp(ui=Ui(symbols=symbols))  # type: ignore[arg-type]
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, busy())
        text = "".join(drawn(app))
        assert ("⣿" in text or "⣶" in text or "⣤" in text) == (symbols == "braille")
        await pilot.press("enter")
        assert isinstance(app.screen, DetailScreen)


@pytest.mark.parametrize("unit", ["us", "s"])
async def test_lines_are_whole_in_every_unit_and_width(unit: str) -> None:
    columns = tuple(column.sort for column in COLUMNS)
    app = HttptopApp(ui=Ui(latency_unit=unit, columns=columns))  # type: ignore[arg-type]
    async with app.run_test(size=(60, 40)) as pilot:
        await show(pilot)
        widget, live = table(app), app.screen.query_one(LiveRequests)
        for width in (60, 80, 100, 160, 300):
            await pilot.resize_terminal(width, 40)
            await pilot.pause()
            for y in range(4):
                assert live.render_line(y).cell_length == live.size.width > width - 4
            for column, _ in widget.columns:
                app.change_view(sort=column.sort)
                for y in range(8):
                    cells = widget.scrollable_content_region.width
                    assert widget.render_line(y).cell_length == cells > width - 4


async def test_what_was_shed_is_said_in_the_cost_line() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        line = app.screen.query_one(CostLine)
        await show(pilot, busy())
        assert "shed" not in line.render_line(0).text
        shedding = replace(OVERHEAD, shed=("samples", "pids"))
        note = "no samples are taken: httptop takes more than it may"
        await show(pilot, replace(busy(), overhead=shedding, notes=("one", note), recent=()))
        assert "no samples for now" in app.screen.query_one(LiveRequests).render_line(0).text
        strip = line.render_line(0)
        assert "shed: samples, pids" in strip.text
        assert "2 notes (n)" in strip.text
        (mark,) = [segment for segment in strip if "shed" in segment.text]
        assert mark.style is not None
        assert mark.style.color == line.hue("warn").color


async def test_a_tick_and_a_key_paint_the_table_once(monkeypatch: pytest.MonkeyPatch) -> None:
    paint, painted = EndpointTable.paint, [0]

    def counted(widget: EndpointTable, width: int, height: int, /) -> list[Strip]:
        painted[0] += 1
        return paint(widget, width, height)

    monkeypatch.setattr(EndpointTable, "paint", counted)
    app = HttptopApp()
    async with app.run_test(size=(100, 24)) as pilot:
        await show(pilot, busy(300))
        for key_ in ("j", "G", "k", "home"):  # with and without scrolling
            painted[0] = 0
            await pilot.press(key_)
            await pilot.pause()
            assert painted[0] == 1, key_
        painted[0] = 0
        await show(pilot, busy(300))
        assert painted[0] == 1


async def test_the_headline_opens_the_endpoint_that_it_names() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, busy())
        (line,) = drawn(app, Headline)
        assert "x slower, p99 91.2→738ms: nginx GET /search, for 40s" in line
        await pilot.click(Headline, offset=(8, 0))
        await pilot.pause()
        assert isinstance(app.screen, DetailScreen)
        assert "/search" in "\n".join(drawn(app, EndpointDetail))


async def test_the_headline_says_that_nothing_stands_out() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        app = await show(pilot, snapshot([endpoint(key())]))
        assert drawn(app, Headline)[0].strip() == "nothing stands out"
        await pilot.click(Headline, offset=(8, 0))
        assert isinstance(app.screen, Dashboard)


@pytest.mark.parametrize(
    ("size", "graphs"), [((100, 30), True), ((99, 30), False), ((100, 29), False)]
)
async def test_graphs_where_there_is_room(size: tuple[int, int], graphs: bool) -> None:
    async with HttptopApp().run_test(size=size) as pilot:
        app = await show(pilot, busy())
        shown = {kind: app.screen.query_one(kind).region.height for kind in (RateGraph, HeatMap)}
        assert all((height > 4) == graphs for height in shown.values())
        assert (app.screen.query_one(FiguresLine).region.height == 1) == (not graphs)
        if graphs:
            for kind in shown:
                assert drawn(app, kind)[-1].rstrip().endswith("now")
