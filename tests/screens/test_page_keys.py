"""Every key that a page or a box has of its own does what it is for; so does each menu's letter.

The keys of the dashboard, which most pages have, too, are in test_every_key.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, OptionList

from httptop.app import HttptopApp
from httptop.model import Snapshot
from httptop.screens.commands import own_bindings
from httptop.screens.compare import CompareScreen
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.health import HealthScreen
from httptop.screens.pages import ConfirmQuit, Failure
from httptop.view.grouping import GROUPINGS
from httptop.view.menus import GROUP_LETTERS, SORT_LETTERS
from httptop.widgets.endpoint_detail import EndpointDetail
from httptop.widgets.filter_editor import FilterEditor
from httptop.widgets.in_flight_table import InFlightTable
from httptop.widgets.prompt import Prompt
from httptop.widgets.text_page import TextPage
from httptop.widgets.watch_tables import EventTable
from tests.factory import parties, waiting
from tests.screens.handles import show, table
from tests.screens.views import VIEWS, controls, go, leave

Check = Callable[[HttptopApp], bool]
STATUSES = dict.fromkeys((200, 201, 204, 301, 302, 304, 400, 404, 500), 10)


def shown() -> Snapshot:
    """Return the shop at work: the first row has nine statuses, and what a menu can choose."""
    snap = waiting()
    first, *rest = sorted(snap.endpoints, key=lambda row: -row.rps)
    first = replace(
        parties(first, 1),
        key=replace(first.key, user="root", port=8080),
        status=STATUSES,
        requests=90,
        containers=("web",),
    )
    recent = tuple(
        replace(one, key=first.key) if one.key.path == first.key.path else one
        for one in snap.recent
    )
    return replace(snap, endpoints=(first, *rest), recent=recent)


def gone(app: HttptopApp) -> bool:
    return type(app.screen) is Dashboard


def there(kind: type[Any], **state: Any) -> Check:
    """Return whether a widget of the screen has fields of these values."""
    return lambda app: all(
        getattr(app.screen.query_one(kind), name) == value for name, value in state.items()
    )


def highlighted(n: int) -> Check:
    return there(OptionList, highlighted=n)


def watches(app: HttptopApp) -> int:
    return len(app.watches.states)


def filling(n: int) -> Check:
    def check(app: HttptopApp) -> bool:
        screen = app.screen
        assert isinstance(screen, HealthScreen)
        panel = screen._panels.filling
        return panel is not None and panel[0].panel == n

    return check


def chosen(n: int) -> Check:
    def check(app: HttptopApp) -> bool:
        screen = app.screen
        assert isinstance(screen, HealthScreen)
        return screen._panels.chosen[0].panel == n

    return check


#: Of each view that has keys of its own: what is true after a key of an action.
EFFECTS: dict[str, dict[str, Check]] = {
    "endpoint": {
        "app.pop_screen": gone,
        "neighbour(1)": lambda app: app.view.selected == table(app).rows[1].key,
        "neighbour(-1)": lambda app: (
            app.screen.query_one(EndpointDetail).key == table(app).rows[0].key
        ),
        "requests": lambda app: app.screen.query_one(EndpointDetail).requests.choice == "failed",
    },
    "request": {
        "app.pop_screen": gone,
        "endpoint": lambda app: isinstance(app.screen, DetailScreen),
        "copy": lambda app: "curl" in app.notices.newest_first[0].lines[0],
        "scroll(1)": there(TextPage, scroll_y=1),
        "scroll(-1)": there(TextPage, scroll_y=1),
    },
    "in flight": {"app.pop_screen": gone, "fold": there(InFlightTable, unfolded=False)},
    "compare": {
        "app.pop_screen": gone,
        "fold": lambda app: isinstance(app.screen, CompareScreen) and not app.screen._all,
        "again": lambda app: "baseline" in app.notices.newest_first[0].lines[0],
        "drop": lambda app: gone(app) and app.baseline_at is None,
        "toggle_side": lambda app: app.view.side == "client",
    },
    "watches": {
        "app.pop_screen": gone,
        "switch": lambda app: not app.watches.states[0].enabled,
        "other_box": there(EventTable, has_focus=True),
        "add": there(Prompt, is_open=True),
        "remove": lambda app: watches(app) == 2,
    },
    "health": {
        "back": gone,
        "app.pop_screen": gone,
        "look": lambda app: "as of" in str(app.screen.query_one("ServiceTable").border_title),
        "search": lambda app: isinstance(app.focused, Input),
        "sort": lambda app: isinstance(app.screen, HealthScreen) and app.screen._order != "why",
        "panel(1)": chosen(1),
        "panel(2)": chosen(2),
        "panel(3)": filling(3),
        "panel(4)": chosen(4),
    },
    "export": {
        "dismiss(None)": gone,
        **{f"take({n})": gone for n in range(4)},  # test_export.py looks at what it exports
    },
    "help": {
        "dismiss": gone,
        "scroll(1)": there(TextPage, scroll_y=1),
        "scroll(-1)": there(TextPage, scroll_y=1),
    },
    "palette": {
        "dismiss(None)": gone,
        "move(1)": highlighted(1),
        "move(-1)": lambda app: (app.screen.query_one(OptionList).highlighted or 0) > 9,
    },
    "filter editor": {
        "cancel": lambda app: not app.screen.query_one(FilterEditor).is_open,
        "take": lambda app: len(app.screen.query_one(FilterEditor).query_one(Input).value) > 7,
        "choose(1)": lambda app: app.screen.query_one(FilterEditor).advice.selected == 1,
        "choose(-1)": lambda app: app.screen.query_one(FilterEditor).advice.selected > 1,
    },
    "path filter": {"cancel": lambda app: app.view.path_filter == ""},
    "merge": {"cancel": lambda app: not app.screen.query_one(Prompt).is_open},
    "only one status": {
        "dismiss(None)": lambda app: gone(app) and not app.view.filtered,
        "move(1)": highlighted(1),
        "move(-1)": lambda app: (app.screen.query_one(OptionList).highlighted or 0) > 7,
        **{
            f"take({n})": lambda app: str(app.view.expression).startswith("status = ")
            for n in range(9)
        },
    },
}
#: The classes whose keys these are.
CLASSES = {
    "endpoint": ("DetailScreen",),
    "request": ("RequestScreen", "TextPage"),
    "in flight": ("InFlightScreen", "InFlightTable"),
    "compare": ("CompareScreen",),
    "watches": ("WatchesScreen", "WatchTable"),
    "health": ("HealthScreen",),
    "export": ("ExportBox",),
    "help": ("Page",),
    "palette": ("Palette",),
    "filter editor": ("FilterEditor",),
    "path filter": ("InputLine",),
    "only one status": ("ValueChooser",),
}
#: Keys before that of an action, and the size of the view that has room for all its panels.
BEFORE = {"scroll(-1)": ("j", "j")}
SIZES = {"health": (120, 40)}
#: Keys of the dashboard behind a box or below a line, which test_every_key.py has.
_DASHBOARDS = {f"panel({digit})" for digit in range(10)}


@pytest.mark.parametrize("view", EFFECTS)
async def test_each_key_of_a_page_has_its_effect(view: str) -> None:
    """All keys of all its own actions, each from the page as it opens; none is left out."""
    opened = next(one for one in VIEWS if one.name == view)
    app = HttptopApp(run=controls())
    async with app.run_test(size=SIZES.get(view, (80, 24))) as pilot:
        await show(pilot, shown())
        await go(pilot, opened)
        watched = [state.watch for state in app.watches.states]
        own = {
            (key, binding.action)
            for node, binding in own_bindings(app.screen)
            if binding.id is None and not (type(node) is Dashboard and type(app.focused) is Input)
            for key in binding.key.split(",")
        }
        own = {(key, does) for key, does in own if does not in _DASHBOARDS or view == "health"}
        assert EFFECTS[view].keys() == {does for _, does in own}
        for key, does in sorted(own):
            await pilot.press(*BEFORE.get(does, ()), key)
            await pilot.pause()
            assert EFFECTS[view][does](app), (key, does)
            app.watches.replace([])
            app.watches.replace(watched)
            await restart(pilot)
            await go(pilot, opened)


async def restart(pilot: Pilot[int]) -> None:
    """Have the app as it was, without leaving it."""
    app = pilot.app
    assert isinstance(app, HttptopApp)
    while len(app.screen_stack) > 1:
        app.pop_screen()
    app.change_view(side="server", selected=None, expression=None)
    app.baseline_control.drop()
    await leave(pilot)


def test_every_class_with_keys_of_its_own_is_here() -> None:
    """Or has its keys tested elsewhere: the digits of the dashboard choose panels."""
    found: set[str] = set()
    kinds: list[type[Any]] = [Widget]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        own = kind.__dict__.get("BINDINGS", ()) if kind.__module__.startswith("httptop.") else ()
        if any(binding.id is None for binding in own):
            found.add(kind.__name__)
    boxes = {"ConfirmQuit", "Failure"}
    assert found - boxes == {name for names in CLASSES.values() for name in names} | {"Dashboard"}


def group_letters(app: HttptopApp) -> list[tuple[str, str]]:
    """Return the orders that groups have a column for, and their letters."""
    screen = app.screen
    assert isinstance(screen, Dashboard)
    return [(name, GROUP_LETTERS[name]) for name in GROUP_LETTERS if name in screen._groups.titles]


async def test_each_letter_of_each_menu() -> None:
    app = HttptopApp(run=controls())
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot, shown())
        for name, letter in SORT_LETTERS.items():
            reversed_ = name == app.view.sort
            await pilot.press("s", letter)
            assert app.view.sort == name, letter
            assert not (reversed_ and app.view.descending)
        for digit, by in enumerate(GROUPINGS, start=1):
            await pilot.press("g", str(digit))
            assert app.view.grouping.by == by
            for name, letter in group_letters(app) if by == "process" else ():
                await pilot.press("s", letter)
                assert app.view.grouping.sort == name
        await pilot.press("g", "1", "s", "r", "j", "g", "g")
        assert table(app).cursor_row == 0
        for sign in ("equals_sign", "exclamation_mark"):
            for letter, field in zip(
                "pasihrmuc",
                ("comm", "path", "status", "pid", "peer", "port", "method", "user", "container"),
                strict=True,
            ):
                app.change_view(selected=table(app).rows[0].key, moves=app.view.moves + 1)
                await pilot.press(sign, letter)
                if type(app.screen) is not Dashboard:  # several values: which one?
                    await pilot.press("1")
                await pilot.pause()
                assert str(app.view.expression).removeprefix("not ").startswith(field), letter
                app.change_view(expression=None)
                await pilot.pause()


async def test_the_question_before_the_end() -> None:
    app = HttptopApp()
    answers: list[bool | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await show(pilot)
        for key in ("y", "enter", "q", "n", "escape"):
            await app.push_screen(ConfirmQuit(), answers.append)
            await pilot.press(key)
            await pilot.pause()
            assert gone(app)
    assert answers == [True, True, True, False, False]


async def test_each_key_of_a_failure_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    app = HttptopApp()
    ended: list[object] = []
    async with app.run_test(size=(80, 24)) as pilot:
        app.fail(RuntimeError("no"))
        await pilot.pause()
        assert isinstance(app.screen, Failure)
        with monkeypatch.context() as patch:
            patch.setattr(app, "exit", lambda *_, **how: ended.append(how["return_code"]))
            await pilot.press("escape", "enter", "q")
    assert ended == [1, 1, 1]
