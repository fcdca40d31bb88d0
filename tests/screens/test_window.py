"""The window by its keys, idle endpoints, and what a filter leaves of all requests."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from textual.content import Content

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.filters import parse
from httptop.filters.on_screen import screen_filter
from httptop.model import NO_LATENCY, Filtered, Snapshot, Totals
from httptop.screens.detail import DetailScreen
from httptop.widgets.dashboard_head import FiguresLine, TitleLine
from httptop.widgets.detail_title import DetailTitle
from httptop.widgets.endpoint_detail import EndpointDetail
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.heat_map import HeatMap
from httptop.widgets.rate_graph import RateGraph
from tests.factory import OVERHEAD, busy, endpoint, key, latency, shop, snapshot
from tests.screens.fake_run import FakeRun
from tests.screens.handles import drawn, said, show, table
from tests.screens.test_app import PushedFeed

SIZE = (120, 40)


def _title(app: HttptopApp) -> str:
    return drawn(app, TitleLine)[0]


def _border(app: HttptopApp) -> str:
    title = app.screen.query_one(EndpointTable).border_title
    assert isinstance(title, str)
    return Content.from_markup(title).plain


def _rates(app: HttptopApp) -> list[float]:
    return [row.rps for row in table(app).rows]


async def test_plus_and_minus_change_the_window() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("plus")  # nothing is shown yet
        assert feed.windows == []
        await show(pilot, busy())
        assert "window 10s (- +)" in _title(app)
        await pilot.press("plus", "plus")
        assert feed.windows == [60.0, 300.0]
        assert "window 5m (covers 10s)" in _title(app)
        rates = _rates(app)
        await pilot.press("plus")
        assert "since start 12:00:00 (- +)" in _title(app)
        assert _rates(app) == [row.requests / 252 for row in table(app).rows] != rates
        await pilot.press("plus")
        assert said(app) == ["There is no longer window."]
        assert "since start 12:00:00 (- +)" in _title(app)
        await pilot.press("minus")
        assert "window 5m" in _title(app)
        assert _rates(app) == rates
        await pilot.press("minus", "minus")
        assert feed.windows == [60.0, 300.0, 60.0, 10.0]  # 300 it was already
        await pilot.press("minus")
        assert said(app)[-1] == "There is no shorter window."
        assert feed.windows == [60.0, 300.0, 60.0, 10.0]


@pytest.mark.parametrize(
    ("width", "running", "growing", "paused"),
    [
        (60, "window 10s", "10s of 1m", ". now"),
        (80, "window 10s (- +)", "window 10s of 1m", "window 10s"),
        (120, "window 10s (- +)", "window 1m (covers 10s) (- +)", "window 10s"),
    ],
)
async def test_the_window_is_named_at_every_width(
    width: int, running: str, growing: str, paused: str
) -> None:
    app = HttptopApp()
    async with app.run_test(size=(width, 24)) as pilot:
        await show(pilot, replace(busy(), host="a-host-with-a-long-name.example.org"))
        assert _title(app).endswith(f" {running}")
        await pilot.press("p")
        assert _title(app).endswith(f" {paused}")
        assert "NOT LIVE" in _title(app)
        await pilot.press("p", "plus")
        assert _title(app).endswith(f" {growing}")


async def test_the_window_of_the_settings_is_one_of_them() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, replace(busy(), window_s=30.0, covered_s=30.0))
        await pilot.press("plus")
        await show(pilot, replace(busy(), window_s=60.0, covered_s=31.0))
        await pilot.press("minus", "minus")
        assert feed.windows == [60.0, 30.0, 10.0]


async def test_the_window_is_that_of_the_snapshot_as_soon_as_one_has_it() -> None:
    """So an earlier snapshot is never said to be of a window that came later."""
    app = HttptopApp(PushedFeed())
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, busy())
        await pilot.press("plus")
        await show(pilot, busy(253))  # made before the feed knew of it
        assert "window 1m (covers 10s)" in _title(app)
        await pilot.press("p")
        await show(pilot, replace(busy(254), window_s=60.0, covered_s=12.0))
        assert "window 10s" in _title(app)
        await pilot.press("plus")
        assert "window 5m (covers 10s)" in _title(app)
        await pilot.press("minus", "p")
        assert "window 1m (covers 12s)" in _title(app)


async def test_a_click_changes_the_window() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, busy())
        await pilot.click(TitleLine, offset=(_title(app).index("(- +)") + 3, 0))
        assert feed.windows == [60.0]


@pytest.mark.parametrize(
    "why",
    ["A capture has figures of one window", "The window stays as it is while the run is recorded"],
)
async def test_where_snapshots_are_written_the_window_stays(why: str) -> None:
    feed = PushedFeed()
    app = HttptopApp(feed, run=FakeRun(fixed_window=why))
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, busy())
        await pilot.press("plus")
        assert said(app) == [f"{why}: 10s, and since start."]
        assert "since start" in _title(app)
        await pilot.press("plus")
        await pilot.press("minus")
        assert "window 10s" in _title(app)
        await pilot.press("minus")
        assert "window 10s" in _title(app)
        assert len(said(app)) == 4
        assert feed.windows == []


async def test_a_window_that_would_take_too_much_memory_is_not_offered() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=SIZE) as pilot:
        taking = replace(OVERHEAD, window_bytes=2 << 20)
        await show(pilot, replace(busy(), overhead=taking))
        await pilot.press("plus")
        assert feed.windows == [60.0]
        await show(pilot, replace(busy(), window_s=60.0, covered_s=30.0, overhead=taking))
        await pilot.press("plus")
        assert [text for text in said(app) if "no window of 5m" in text and "15 MiB" in text]
        assert "since start" in _title(app)
        assert feed.windows == [60.0]


async def test_the_page_of_an_endpoint_is_of_the_same_window() -> None:
    feed = PushedFeed()
    app = HttptopApp(feed)
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, busy())
        await pilot.press("enter")
        assert isinstance(app.screen, DetailScreen)
        assert drawn(app, DetailTitle)[0].endswith("window 10s")
        page = [line for line in drawn(app, EndpointDetail) if line.lstrip().startswith("LAST")]
        assert page[0].split() == [
            "LAST", "10s", "req/s", "1930", "errors", "0%", "in", "flight", "0",
        ]  # fmt: skip
        since = next(line for line in drawn(app, EndpointDetail) if "SINCE START" in line)
        assert since.split()[:6] == ["SINCE", "START", "requests", "115,830", "errors", "0"]
        await pilot.press("plus")
        assert feed.windows == [60.0]
        await show(pilot, replace(busy(), window_s=60.0, covered_s=11.0))
        assert drawn(app, DetailTitle)[0].endswith("window 1m (covers 11s)")
        assert any("LAST 11s" in line for line in drawn(app, EndpointDetail))
        await pilot.press("plus", "plus")
        assert drawn(app, DetailTitle)[0].endswith("since start 12:00:00")
        page = drawn(app, EndpointDetail)
        assert not any("LAST" in line for line in page)
        row = app.snapshot and app.snapshot.endpoints[1]
        assert row
        assert any(f"req/s {row.requests / 252:.0f}" in line for line in page)


def _with_idle() -> Snapshot:
    idle = [
        replace(endpoint(key(f"/idle/{name}"), rps=0.0, status={200: 9}), latency=NO_LATENCY)
        for name in "ab"
    ]
    return snapshot([*idle, *shop()])


async def test_idle_endpoints_are_last_dim_and_hidden_by_a_key() -> None:
    app = HttptopApp(ui=Ui(sort="path"))
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, _with_idle())
        rows = [row.key.path for row in table(app).rows]
        assert rows[-2:] == ["/idle/a", "/idle/b"]
        assert "17 · 2 idle · by PATH" in _border(app)
        hues = [
            {segment.style for segment in table(app).render_line(1 + at) if segment.text.strip()}
            for at in (0, 15)
        ]
        quiet = {table(app).hue("muted"), table(app).hue("faint")}
        assert hues[1] <= quiet
        assert not hues[0] <= quiet
        await pilot.press("z")
        assert len(table(app).rows) == 15
        assert "17 · 2 idle hidden · by PATH" in _border(app)
        await pilot.press("z")
        assert len(table(app).rows) == 17


async def test_the_title_says_what_part_of_all_requests_a_filter_leaves() -> None:
    app = HttptopApp()
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, busy())
        assert " = " not in _border(app)
        await pilot.press("slash", *"users", "enter")
        shown = sum(_rates(app))
        assert shown == pytest.approx(612.5)
        assert "3 of 15 · 612 of 3360/s = 18%" in _border(app)
        await pilot.press("plus", "plus", "plus")
        assert "3 of 15 · 146 of 800/s = 18%" in _border(app)


@pytest.mark.parametrize("width", [80, 120])
async def test_the_head_is_of_what_the_filter_picks_and_says_where_it_is_not(width: int) -> None:
    def head(app: HttptopApp) -> str:
        if width < 100:
            return drawn(app, FiguresLine)[0]
        graphs = [app.screen.query_one(kind) for kind in (RateGraph, HeatMap)]
        titles = [text for graph in graphs for text in (graph.border_title, graph.border_subtitle)]
        return " ".join(Content.from_markup(str(title)).plain for title in titles)

    app = HttptopApp()
    async with app.run_test(size=(width, 40)) as pilot:
        await show(pilot, busy())
        assert "3360 of" not in head(app)
        assert " all" not in head(app)
        await pilot.press("slash", *"users", "enter")
        # Until the next tick, in a replay and in the past only rows are known.
        assert "612 of 3360/s = 18%" in head(app)
        known = [
            "in flight  of all requests",
            "latency  not known of the filter  of all requests",
        ]
        if width < 100:
            known = ["P50 -", "P99 -"]
        assert [text for text in known if text not in head(app)] == []
        few = Totals(
            latency=latency(7.0, 50), trend_rps=(9.0,), trend_classes=((0, 0, 9, 0, 0, 0),)
        )
        snap = busy()
        filtered = Filtered(screen_filter(None, "users").text, snap.uptime_s - 4, {"server": few})
        await show(pilot, replace(snap, filtered=filtered))
        known = ["errors ", "in flight  since the filter, ", "p50 7.0ms", "since the filter, "]
        if width < 100:
            known = ["P50 7.0ms"]
        assert [text for text in known if text not in head(app)] == []
        assert " all" not in head(app)
        # By status, latencies are known of the rows together only: the head says so, and the table.
        await pilot.press("escape", "f", *"status = 200", "enter")
        filtered = replace(filtered, filter=screen_filter(parse("status = 200")).text)
        rows = [replace(row, window_status={200: 7, 500: 2}) for row in snap.endpoints]
        await show(pilot, replace(snap, endpoints=tuple(rows), filtered=filtered))
        assert "no latency by row" in _border(app)
        if width >= 100:
            assert "of all picked together since the filter, " in head(app)


async def test_rows_are_said_to_be_with_a_status() -> None:
    app = HttptopApp(ui=Ui(filter="status = 5xx and comm = nginx"))
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, busy())
        assert "3 of 15 with status = 5xx · " in _border(app)
    app = HttptopApp(ui=Ui(filter='status = 5xx or path = "/[red]x[/y]"'))
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, busy())
        assert "with status = 5xx or path = /[red]x[/y] · " in _border(app)
    long = " or ".join(f"status = {code}" for code in range(500, 512))
    app = HttptopApp(ui=Ui(filter=long, symbols="ascii"))
    async with app.run_test(size=SIZE) as pilot:
        await show(pilot, busy())
        assert "with status = 500 or status = 501" in _border(app)
        assert _border(app).isascii()
        assert len(_border(app)) < 110


async def test_shares_errors_and_what_is_oldest() -> None:
    app = HttptopApp()
    async with app.run_test(size=SIZE) as pilot:
        hangs = replace(
            endpoint(key("/hangs"), rps=40.0, status={200: 30, 500: 10}, in_flight=2),
            oldest_in_flight_ns=38.2e9, window_requests=40, window_errors=10,
        )  # fmt: skip
        await show(pilot, snapshot([hangs, endpoint(key("/quick"), rps=60.0, status={200: 60})]))
        header, first, second = drawn(app)[:3]
        at = {title: header.index(title) + len(title) for title in ("SHARE", "ERR%", "OLDEST")}
        assert first[: at["SHARE"]].endswith("60%")
        assert second[: at["SHARE"]].endswith("40%")
        assert second[: at["ERR%"]].endswith(" 25%")
        assert first[: at["ERR%"]].endswith(" ·")
        assert second[: at["OLDEST"]].endswith(" 38.2s")
        assert first[: at["OLDEST"]].endswith(" -")
        began = replace(hangs, oldest_in_flight_ns=0.0)
        await show(pilot, snapshot([began]))
        assert drawn(app)[1][: at["OLDEST"]].endswith(" <1ms")


async def test_a_percentile_of_few_requests_is_dim() -> None:
    def some(path: str, count: int) -> Snapshot:
        row = endpoint(key(path), rps=5.0)
        return snapshot([replace(row, latency=replace(row.latency, count=count))])

    app = HttptopApp(ui=Ui(columns=("path", "p99", "p999")))
    async with app.run_test(size=SIZE) as pilot:
        for count, dim in ((99, [True, True]), (100, [False, True]), (1000, [False, False])):
            await show(pilot, some("/a", count))
            quiet = table(app).hue("muted").color
            latencies = [
                segment.style is not None and segment.style.color == quiet
                for segment in table(app).render_line(1)
                if segment.text.strip().endswith("ms")
            ]
            assert latencies == dim


async def test_a_share_has_a_bar_where_there_is_room() -> None:
    app = HttptopApp()
    async with app.run_test(size=(200, 40)) as pilot:
        rows = [endpoint(key(f"/{name}"), rps=rps) for name, rps in (("a", 30.0), ("b", 10.0))]
        await show(pilot, snapshot(rows))
        bars = [re.search(r" ([━╸]+) +(75|25)%", line) for line in drawn(app)[1:3]]
        assert [len(found[1]) for found in bars if found] == [5, 2]
