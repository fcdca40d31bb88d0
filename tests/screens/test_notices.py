"""What the user is told: one message at a time, above the keys, and that figures are late."""

from __future__ import annotations

import pytest

from httptop.app import HttptopApp
from httptop.screens.dashboard import Dashboard
from httptop.screens.in_flight import InFlightScreen
from httptop.screens.messages import StartStep
from httptop.widgets.cost_line import CostLine
from httptop.widgets.dashboard_head import TitleLine
from httptop.widgets.empty_state import EmptyState
from httptop.widgets.key_bar import KeyBar
from tests.factory import busy
from tests.screens.fake_run import FakeRun
from tests.screens.handles import drawn, show

#: As others may have it.
HOSTILE = "[red]x[/red]\x1b]0;t\x07 " + "word " * 60


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_a_message_stands_above_the_keys_until_esc_or_the_next(size: tuple[int, int]) -> None:
    async with HttptopApp().run_test(size=size) as pilot:
        app = await show(pilot)
        table = app.screen.query_one("EndpointTable")
        rows = table.size.height
        app.say("one")
        app.say("Something is wrong: [x]", wrong=True)
        await pilot.pause()
        told, keys = drawn(app, KeyBar)
        assert told.startswith(" ▲ Something is wrong: [x]")
        assert told.endswith("Esc")
        assert keys.startswith(" Enter open")
        assert not app.screen.query_one(CostLine).display
        assert table.size.height == rows, "it hides own cost alone"
        app.change_view(path_filter="users")
        await pilot.press("escape")
        assert len(drawn(app, KeyBar)) == 1
        assert app.view.path_filter == "users", "it ended the message alone"
        app.say("done")
        await pilot.press("escape")
        assert app.view.path_filter == ""
        assert len(drawn(app, KeyBar)) == 1
        assert app.notices.newest_first[0].lines == ("done",)


async def test_a_long_message_takes_two_lines_and_no_more_and_nothing_of_it_is_obeyed() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        app = await show(pilot)
        app.say(f"{HOSTILE}\nand more", wrong=True)
        await pilot.pause()
        lines = drawn(app, KeyBar)
        assert len(lines) == 3
        assert "[red]x[/red]\\x1b]0;t\\x07" in lines[0]
        assert lines[1].endswith("…")
        assert "\x1b" not in "".join(lines)
        await pilot.press("i")
        assert isinstance(app.screen, InFlightScreen)
        await show(pilot)
        assert drawn(app, KeyBar)[:2] == lines[:2], "it stands on the page that is shown"
        await pilot.press("escape", "escape")
        assert isinstance(app.screen, Dashboard)
        assert len(drawn(app, KeyBar)) == 1


async def test_figures_that_are_late_are_said_to_be_old() -> None:
    now_s = 0.0

    def look(app: HttptopApp) -> str:
        app.look_at_age()
        return drawn(app, TitleLine)[0]

    app = HttptopApp(run=FakeRun(), clock=lambda: now_s)
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot)
        assert "old" not in look(app)
        now_s = 2.0
        fresh = look(app)
        assert "●" in fresh
        now_s = 3.4
        assert "▲ 3s old" in look(app)
        assert "●" not in look(app)
        await pilot.press("i")
        app.look_at_age()
        assert drawn(app, KeyBar)[0].startswith(" 3s old ")
        await pilot.press("escape")
        now_s = 70.0
        assert "1m10s old" in look(app)
        await show(pilot, busy(322))
        assert "old" not in drawn(app, TitleLine)[0]
        now_s = 90.0
        await pilot.press("p")
        assert "old" not in look(app), "it says that it is paused"


async def test_a_start_says_what_it_does_and_for_how_long() -> None:
    times = [0.0]
    app = HttptopApp(clock=lambda: times[-1])
    async with app.run_test(size=(100, 30)) as pilot:

        async def words(step: str, after_s: float) -> str:
            app.post_message(StartStep(step))
            await pilot.pause()
            times.append(times[-1] + after_s)
            app.look_at_start()
            return "\n".join(drawn(app, EmptyState))

        assert "Starting..." in await words("", 0.6)
        found = await words("compile_once", 4.2)
        assert "Compiling the probes, 4 s" in found
        assert "later starts do not wait for this" in found
        assert "each start does this" in await words("compile", 1.0)
        assert "Loading the probes into the kernel\n" in await words("load", 0.1) + "\n"
        await show(pilot)
        app.look_at_start()
        assert not app.screen.query_one(EmptyState).display


async def test_figures_of_a_capture_are_not_late() -> None:
    now_s = 0.0
    app = HttptopApp(run=FakeRun(is_live=False), clock=lambda: now_s)
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot)
        now_s = 90.0
        app.look_at_age()
        assert "old" not in drawn(app, TitleLine)[0]
