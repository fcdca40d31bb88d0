"""Time travel by keys: a moment in the past, and back to now."""

from __future__ import annotations

from httptop.app import HttptopApp
from httptop.config.settings import Watches
from httptop.widgets.dashboard_head import TitleLine
from httptop.widgets.headline import Headline
from httptop.widgets.heat_map import HeatMap
from httptop.widgets.rate_graph import RateGraph
from httptop.widgets.time_lines import TimeLines
from tests.factory import busy
from tests.screens.handles import drawn, said, show


async def test_back_and_forth() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        for tick in range(250, 330):
            app = await show(pilot, busy(tick))

        def at() -> float:
            assert app.snapshot is not None
            return app.snapshot.uptime_s

        await pilot.press("left_square_bracket")
        assert (at(), app.view.paused) == (328, True)
        (title,), (line,) = drawn(app, TitleLine), drawn(app, TimeLines)
        assert "12:05:28, 1s ago: NOT LIVE" in title
        assert line.startswith(" 12:04:10 ")
        assert " now " in line
        assert not app.screen.query_one(Headline).display
        for graph in (RateGraph, HeatMap):
            assert any(line.endswith(" 12:05:28") for line in drawn(app, graph))
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert at() == 326
        await pilot.press("right_square_bracket")
        assert at() == 327
        await pilot.press("left_curly_bracket")
        assert at() == 267
        app = await show(pilot, busy(330))
        assert at() == 267  # what arrives does not change it
        await pilot.press("right_curly_bracket")
        assert at() == 327
        await pilot.press("full_stop")
        assert (at(), app.view.paused) == (330, False)
        assert app.screen.query_one(Headline).display
        assert not app.screen.query_one(TimeLines).display


async def test_a_click_goes_there_and_marks_are_seen_on_every_page() -> None:
    app = HttptopApp(watches=Watches(rules=("all rate > 1/s for 0s",)))
    async with app.run_test(size=(120, 40)) as pilot:
        for tick in range(250, 280):
            await show(pilot, busy(tick))
        await pilot.press("b", "p")
        assert "⚑" in drawn(app, TimeLines)[0]
        lines = app.screen.query_one(TimeLines)
        await pilot.click(offset=(lines._line_at[0], lines.region.y))
        assert app.snapshot is not None
        assert app.snapshot.uptime_s == 250
        await pilot.press("right_square_bracket")
        assert "▲⣿┃" in drawn(app, TimeLines)[0]
        for key in ("enter", "i"):
            await pilot.press(key)
            title, line = drawn(app, TimeLines)
            assert "12:04:11, 28s ago: NOT LIVE" in title
            assert line.startswith(" 12:04:10 ▲⣿┃")
        await pilot.press("right_curly_bracket")
        assert "0s ago: NOT LIVE" in drawn(app, TimeLines)[0]


async def test_the_past_is_played_at_the_pace_of_what_arrives() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        for tick in range(250, 280):
            app = await show(pilot, busy(tick))

        async def next_at(tick: int) -> tuple[float, bool]:
            await show(pilot, busy(tick))
            assert app.snapshot is not None
            return app.snapshot.uptime_s, app.view.paused

        await pilot.press("P")
        assert "This is now" in said(app)[-1]
        await pilot.press(*["left_square_bracket"] * 9, "P")
        assert "▶ 12:04:30, 9s ago: NOT LIVE" in drawn(app, TitleLine)[0]
        assert await next_at(280) == (271, True)
        await pilot.press("p")  # stays there
        assert await next_at(281) == (271, True)
        await pilot.press("P", "right_parenthesis", "right_parenthesis")
        assert "▶ ×4 12:04:31" in drawn(app, TitleLine)[0]
        assert [await next_at(tick) for tick in (282, 283)] == [(275, True), (279, True)]
        await pilot.press(*["left_parenthesis"] * 9)
        assert [(await next_at(tick))[0] for tick in (284, 285)] == [279, 280]
        await pilot.press(*["right_parenthesis"] * 9)
        lines = app.screen.query_one(TimeLines)
        await pilot.click(offset=(lines._line_at[0], lines.region.y))  # plays on from there
        assert "▶ ×64 12:04:10" in drawn(app, TitleLine)[0]
        assert await next_at(286) == (286, False)  # has caught up
        await pilot.press("p")
        assert await next_at(287) == (286, True)


async def test_the_ends_are_said() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, busy(250))
        app = await show(pilot, busy(251))
        said: list[str] = []
        app.say = lambda text, **_: said.append(text)  # type: ignore[method-assign]
        await pilot.press("right_square_bracket", "right_curly_bracket")
        assert not app.view.paused
        await pilot.press("left_square_bracket", "left_square_bracket", "left_curly_bracket")
        assert said == ["This is the newest moment."] * 2 + ["Nothing older is kept."] * 2


async def test_without_snapshots_there_is_no_past() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        await pilot.press("left_square_bracket", "left_curly_bracket")
        app = pilot.app
        assert isinstance(app, HttptopApp)
        assert not app.view.paused
