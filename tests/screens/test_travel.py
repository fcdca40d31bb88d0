"""Time travel by keys: a moment in the past, and back to now."""

from __future__ import annotations

from httptop.app import HttptopApp
from httptop.widgets.dashboard_head import TitleLine
from tests.factory import busy
from tests.screens.handles import drawn, show


async def test_back_and_forth() -> None:
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        for tick in range(250, 330):
            app = await show(pilot, busy(tick))

        def at() -> float:
            assert app.snapshot is not None
            return app.snapshot.uptime_s

        await pilot.press("left_square_bracket")
        assert (at(), app.view.paused) == (328, True)
        (title,) = drawn(app, TitleLine)
        assert "PAUSED at 12:05:28, 0:01 ago" in title
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
