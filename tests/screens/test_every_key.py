"""Every key of every action does on the dashboard what it is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.coverage.processes import Survey
from httptop.filters import parse
from httptop.screens.detail import DetailScreen
from httptop.screens.export_box import ExportBox
from httptop.screens.health import HealthScreen
from httptop.screens.in_flight import InFlightScreen
from httptop.screens.pages import Page
from httptop.screens.palette import Palette
from httptop.screens.watches import WatchesScreen
from httptop.view.keys import ACTIONS
from httptop.view.moment import Moment
from httptop.view.state import View
from httptop.widgets.filter_bar import FilterBar
from httptop.widgets.filter_editor import FilterEditor
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.prompt import Prompt
from tests.factory import NOON, many
from tests.screens.fake_run import FakeRun
from tests.screens.handles import drawn, said, settled, show, table

#: The row of the cursor before a key is pressed, of how many, and the filter.
ROW, ROWS = 40, 90
FILTER = "comm != none and latency >= 0ms"

Effect = Callable[[HttptopApp, View], bool]


def page(app: HttptopApp) -> int:
    return table(app).page_rows()


def taken_at(app: HttptopApp) -> float:
    return 0.0 if app.snapshot is None else app.snapshot.taken_at


def shown(app: HttptopApp) -> Moment:
    moment = app.moments.shown
    assert moment is not None
    return moment


def title(app: HttptopApp) -> str:
    screen = app.screen
    return screen.page_title if isinstance(screen, Page) else ""


#: What must be true after a key of an action, of the app and of the view as it was before.
EFFECTS: dict[str, Effect] = {
    "down": lambda app, _: table(app).cursor_row == ROW + 1,
    "up": lambda app, _: table(app).cursor_row == ROW - 1,
    "page_down": lambda app, _: table(app).cursor_row == ROW + page(app),
    "page_up": lambda app, _: table(app).cursor_row == ROW - page(app),
    "first": lambda app, _: table(app).cursor_row == 0,
    "last": lambda app, _: table(app).cursor_row == ROWS - 1,
    "open": lambda app, before: (
        isinstance(app.screen, DetailScreen) and app.screen.key == before.selected
    ),
    "fold": lambda app, _: table(app).cursor_row == ROW + page(app),
    "group": lambda app, _: drawn(app, KeyBar)[0].startswith(" group by:  1 endpoint "),
    "tree": lambda app, _: app.view.grouping.by == "path",
    "follow": lambda app, _: app.view.follows,
    "path": lambda app, _: app.screen.query_one(FilterBar).is_open,
    "filter": lambda app, _: app.screen.query_one(FilterEditor).is_open,
    "only": lambda app, _: drawn(app, KeyBar)[0].startswith(" only:  p process "),
    "hide": lambda app, _: drawn(app, KeyBar)[0].startswith(" hide:  p process "),
    "drop_last": lambda app, _: str(app.view.expression) == "comm != none",
    "drop": lambda app, _: "1 to 9 remove that filter" in drawn(app, KeyBar)[0],
    "clear": lambda app, _: not app.view.filtered,
    "side": lambda app, _: app.view.side == "client",
    "sort": lambda app, _: drawn(app, KeyBar)[0].startswith(" sort by:  r reverse "),
    "sort_next": lambda app, _: app.view.sort == "share",
    "sort_back": lambda app, _: app.view.sort == "path",
    "reverse": lambda app, before: app.view.descending != before.descending,
    "wider": lambda app, _: app.view.window_s == 60,
    "narrower": lambda app, _: said(app) == ["There is no shorter window."],
    "idle": lambda app, _: app.view.idle_hidden,
    "baseline": lambda app, _: (
        app.baseline_control.baseline is not None and "baseline" in said(app)[0]
    ),
    "in_flight": lambda app, _: isinstance(app.screen, InFlightScreen),
    "watches": lambda app, _: isinstance(app.screen, WatchesScreen),
    "earlier": lambda app, _: app.view.paused and taken_at(app) == NOON + 40,
    "later": lambda app, _: app.view.paused and taken_at(app) == NOON + 100,
    "much_earlier": lambda app, _: app.view.paused and taken_at(app) == NOON + 40,
    "much_later": lambda app, _: app.view.paused and taken_at(app) == NOON + 100,
    "now": lambda app, _: not app.view.paused and taken_at(app) == NOON + 100,
    "pause": lambda app, _: app.view.paused,
    "play": lambda app, _: shown(app).playing,
    "slower": lambda app, _: shown(app).speed == 0.5,
    "faster": lambda app, _: shown(app).speed == 2,
    "merge": lambda app, _: app.screen.query_one(Prompt).is_open,
    "split": lambda app, _: app.screen.query_one(Prompt).is_open,
    "save": lambda app, _: said(app) == ["Saved ui.filter to /file"],
    "health": lambda app, _: isinstance(app.screen, HealthScreen),
    "demo": lambda app, _: "are running" in app.demo_state,
    "export": lambda app, _: isinstance(app.screen, ExportBox),
    "help": lambda app, _: title(app) == "help",
    "palette": lambda app, _: isinstance(app.screen, Palette),
    "suspend": lambda app, _: "not suspended" in said(app)[0],
    "quit": lambda app, _: app.return_code == 0,
    "quit_now": lambda app, _: app.return_code == 0,
}
#: The key before that of an action.
PAST = ("later", "much_later", "now", "play", "slower", "faster")
BEFORE = dict.fromkeys(PAST, "left_square_bracket")
#: Actions whose effect the tests of another file show.
ELSEWHERE = {"redraw": "test_terminal.py"}


def test_no_action_is_without_a_test() -> None:
    keys = {action.name: action.keys for action in ACTIONS}
    assert EFFECTS.keys() | ELSEWHERE.keys() == keys.keys()
    for name, file in ELSEWHERE.items():
        text = Path(__file__).with_name(file).read_text()
        assert all(f'press("{key}")' in text for key in keys[name])


@pytest.mark.parametrize(
    ("name", "key"),
    [(action.name, key) for action in ACTIONS for key in action.keys if action.name in EFFECTS],
)
async def test_each_key_has_its_effect(
    name: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httptop.screens.terminal_app.has_job_control", lambda: False)
    controls: Any = FakeRun(
        start_demo=lambda: None,
        save=lambda _: "/file",
        change=lambda _: None,
        survey=lambda: Survey(NOON, (), 0),
    )
    app = HttptopApp(run=controls)
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(app, pilot)
        if name in BEFORE:
            await pilot.press(BEFORE[name])
            await pilot.pause()
        before = app.view
        await pilot.press(key)
        if name not in ("quit", "quit_now"):
            await settled(pilot)
        assert EFFECTS[name](app, before)


async def begin(app: HttptopApp, pilot: Pilot[int]) -> None:
    """Show a long list with the cursor in its middle, filtered by two parts that hide nothing."""
    for tick in (1, 40, 100):
        await show(pilot, many(ROWS, tick))
    app.change_view(expression=parse(FILTER))
    app.change_view(selected=table(app).rows[ROW].key, moves=1)
    await pilot.pause()
    assert (table(app).cursor_row, len(table(app).rows)) == (ROW, ROWS)
