"""A capture on the screen: it never looks live, and its keys play it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from httptop.app import HttptopApp
from httptop.capture.outline import Outline
from httptop.config.settings import Ui
from httptop.view.moment import Rate, Recording
from httptop.widgets.cost_line import CostLine
from httptop.widgets.dashboard_head import TitleLine
from httptop.widgets.headline import Headline
from httptop.widgets.time_lines import TimeLines
from tests.factory import NOON, busy
from tests.screens.handles import drawn, said, show


class FakePlayer:
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        self.recording = Recording("web-1", 3, True, 1.0)
        self.outline = Outline()
        self.asked: list[tuple[Any, ...]] = []
        self.changed: Callable[[], object] = lambda: None

    def tell(self, changed: Callable[[], object]) -> None:
        self.changed = changed

    def make_outline(self) -> None:
        self.asked.append(("make_outline",))

    def pause(self) -> None:
        self.asked.append(("pause",))
        self.recording = replace(self.recording, playing=not self.recording.playing)

    def change_speed(self, step: int) -> None:
        self.asked.append(("change_speed", step))

    def step(self, steps: int) -> None:
        self.asked.append(("step", steps))

    def seek(self, seconds: float) -> None:
        self.asked.append(("seek", seconds))

    def seek_to(self, at: float, *, stays: bool = False) -> None:
        self.asked.append(("seek_to", at, stays))


async def test_it_says_what_it_is_and_where() -> None:
    player = FakePlayer()
    async with HttptopApp(player=player).run_test(size=(140, 40)) as pilot:
        app = await show(pilot, busy(252))
        (title,) = drawn(app, TitleLine)
        assert "REPLAY of web-1  ▶ 2026-01-01 12:04:12, 0s of 0s   p pause  [ ] tick" in title
        assert "●" not in title
        assert drawn(app, CostLine)[0].startswith(" recorded run's cost ")
        assert app.screen.query_one(Headline).display
        player.outline = Outline(
            {"server": tuple(Rate(NOON + n, float(n)) for n in range(200, 500))}
        )
        player.recording = replace(player.recording, playing=False, speed=4.0)
        player.changed()
        await pilot.pause()
        (title,), (line,) = drawn(app, TitleLine), drawn(app, TimeLines)
        assert "❚❚ 2026-01-01 12:04:12, 52s of 4m59s ×4 " in title
        assert line.startswith(" 12:03:20 ")
        assert " 12:08:19 " in line
        player.recording = replace(player.recording, busy="reading, at 12:05:00", pace_s=0.3)
        player.changed()
        await pilot.pause()
        assert " reading, at 12:05:00 " in drawn(app, TitleLine)[0]
        player.recording = replace(player.recording, busy="", ended=True, speed=1.0)
        await show(pilot, busy(499))
        (title,) = drawn(app, TitleLine)
        assert "■ END 2026-01-01 12:08:19 one every 0.3s " in title
        assert "p again" in title
        await pilot.press("right_square_bracket")
        await pilot.pause()
        assert said(app)[-1] == "This is the end of the capture."
        for key in ("enter", "escape", "a"):
            await pilot.press(key)
            assert "END" in drawn(app, TitleLine if key == "escape" else TimeLines)[0]


async def test_its_keys_play_it() -> None:
    player = FakePlayer()
    async with HttptopApp(player=player).run_test(size=(120, 40)) as pilot:
        for tick in (250, 251, 252):
            app = await show(pilot, busy(tick))
        asked = {
            "p": ("pause",),
            "P": ("pause",),
            "left_square_bracket": ("step", -1),
            "right_square_bracket": ("step", 1),
            "left_curly_bracket": ("seek", -60),
            "right_curly_bracket": ("seek", 60),
            "left_parenthesis": ("change_speed", -1),
            "right_parenthesis": ("change_speed", 1),
            "full_stop": ("seek_to", float("inf"), False),
        }
        await pilot.press(*asked)
        assert player.asked == [("make_outline",), *asked.values()]
        assert not app.view.paused  # what is played is shown at once
        lines = app.screen.query_one(TimeLines)
        await pilot.click(offset=(lines._line_at[0], lines.region.y))
        assert player.asked[-1] == ("seek_to", NOON + 250, False)
        assert app.moments.go_to(NOON + 251)  # as for an event
        assert player.asked[-1] == ("seek_to", NOON + 251, True)
        player.recording = replace(player.recording, number=0)
        await pilot.press("left_curly_bracket")
        await pilot.pause()
        assert said(app)[-1] == "This is the start of the capture."


async def test_each_step_is_drawn_however_seldom_the_screen_is() -> None:
    player = FakePlayer()
    async with HttptopApp(player=player, ui=Ui(refresh_s=60.0)).run_test(size=(120, 40)) as pilot:
        app = await show(pilot, busy(252))
        await show(pilot, busy(253))
        assert "12:04:12" in drawn(app, TitleLine)[0]
        player.recording = replace(player.recording, playing=False)
        await show(pilot, busy(254))
        assert "12:04:14" in drawn(app, TitleLine)[0]


async def test_going_back_forgets_what_was_later() -> None:
    async with HttptopApp(player=FakePlayer()).run_test(size=(120, 40)) as pilot:
        app = await show(pilot, busy(300))
        await show(pilot, busy(260))
        assert app.snapshot is not None
        assert app.snapshot.uptime_s == 260
        assert "12:04:20, 0s of 40s" in drawn(app, TitleLine)[0]
