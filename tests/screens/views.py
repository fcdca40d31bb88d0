"""Every view of the screen: the keys that lead to it, what it is called, and its way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.coverage.processes import Holder, Survey
from httptop.screens.dashboard import Dashboard
from httptop.view.grouping import GROUPINGS
from tests.factory import NOON
from tests.screens.fake_run import FakeRun
from tests.screens.handles import settled


@dataclass(frozen=True)
class Shown:
    """A view."""

    name: str
    keys: tuple[str, ...]  # from the dashboard
    title: str  # some text that says what it is
    back: str  # some text that says how to leave it


_GROUPS: Final = tuple(
    Shown(f"by {name}", ("g", str(digit)), name, "Esc endpoints")
    for digit, (by, name) in enumerate(GROUPINGS.items(), start=1)
    if by != "endpoint"
)
VIEWS: Final = (
    Shown("overview", (), "endpoints", "q quit"),
    Shown("panel of rates", ("1",), "requests/s", "Esc all panels"),
    Shown("panel of latencies", ("2",), "latency", "Esc all panels"),
    Shown("panel of endpoints", ("3",), "endpoints", "Esc all panels"),
    Shown("panel of live requests", ("4",), "live requests", "Esc resume"),
    Shown("live requests held", ("4", "j"), "held", "Esc resume"),
    *_GROUPS,
    Shown("path tree", ("f5", "space", "j", "space"), "path tree", "Esc endpoints"),
    Shown("endpoint", ("enter",), "LATENCY", "Esc back"),
    Shown("endpoint, failed", ("enter", "s", "j"), " failed ", "Esc back"),
    Shown("endpoint, in flight", ("enter", "s", "s", "s"), " in flight ", "Esc back"),
    Shown("request", ("4", "enter"), "Request", "Esc back"),
    Shown("in flight", ("i", "space", "j"), "in flight now", "Esc back"),
    Shown("compare", ("b", "b", "space"), "against the", "Esc back"),
    Shown("time travel", ("left_square_bracket",), "NOT LIVE", ". now"),
    Shown("watches", ("a",), "watches", "Esc back"),
    Shown("watch to add", ("a", "n"), "watch", "Esc cancel"),
    Shown("health", ("n",), "seen and missed", "Esc back"),
    Shown("export", ("e",), "export what is shown", "Esc closes"),
    Shown("help", ("question_mark",), "help", "Esc closes"),
    Shown("palette", ("colon",), "actions of this page", "Esc closes"),
    Shown("path filter", ("slash", "a"), "path", "Esc"),
    Shown("filter editor", ("f", *"comm = "), "filter", "Esc"),
    Shown("sort menu", ("s",), "sort by:", "Esc close"),
    Shown("group menu", ("g",), "group by:", "Esc close"),
    Shown("only menu", ("equals_sign",), "only:", "Esc close"),
    Shown("only one status", ("equals_sign", "s"), "status", "Esc close"),
    Shown("hide menu", ("exclamation_mark",), "hide:", "Esc close"),
    Shown("merge", ("m",), "count together", "Esc cancel"),
)


def controls() -> FakeRun:
    """Return a run that can do all that a view asks of it."""
    return FakeRun(
        start_demo=lambda: None,
        save=lambda _: "/file",
        change=lambda _: None,
        export=lambda *_: "/file",
        survey=lambda: Survey(NOON, (Holder(1003, "nginx", (80,), tcp_listening=1),), 1),
    )


async def go(pilot: Pilot[int], view: Shown) -> HttptopApp:
    """Press the keys of a view."""
    app = pilot.app
    assert isinstance(app, HttptopApp)
    for key in view.keys:
        await pilot.press(key)
    dashboard = app.screen_stack[0]
    assert isinstance(dashboard, Dashboard)
    if view.back == "Esc all panels" and dashboard._panels.filling is None:
        await pilot.press(view.keys[-1])  # where there is room the first press chooses it only
    await settled(pilot)
    return app


async def leave(pilot: Pilot[int]) -> None:
    """Go back to the dashboard as it was."""
    app = pilot.app
    assert isinstance(app, HttptopApp)
    if app.view.paused:
        await pilot.press("full_stop")
    presses = 0
    while not _at_start(app):
        await pilot.press("escape")
        presses += 1
        assert presses < 5


def _at_start(app: HttptopApp) -> bool:
    screen = app.screen
    return type(screen) is Dashboard and not (
        screen._menu is not None
        or screen._open_line is not None
        or screen._panels.filling is not None
        or screen._live.held
        or app.view.grouping.on
        or app.view.filtered
    )
