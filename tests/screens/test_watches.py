"""The screen of watches, the headline's words on them, and what the terminal is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.config.load import check_file
from httptop.config.settings import Settings, Ui, Watches
from httptop.model import Snapshot
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.moments import Moments
from httptop.screens.watches import WatchesScreen
from httptop.widgets.headline import Headline
from httptop.widgets.prompt import Prompt
from httptop.widgets.time_lines import TimeLines
from httptop.widgets.watch_tables import EventTable, WatchTable
from tests.config.effects.test_ui_looks import ME
from tests.factory import endpoint, key, snapshot
from tests.screens.fake_run import FakeRun
from tests.screens.handles import drawn, said, settled, show, write

#: A path as a client may send it.
HOSTILE = "/[red]x[/red]\\x1b]9"
RATES = Watches(("any rate > 5/s for 0s", "comm = nginx rate < 1/s for 0s", "all 5xx > 90%"))


def rates(tick: int, **paths: float) -> Snapshot:
    """Return endpoints of nginx with some rates, and one of another process."""
    rows = [endpoint(key(f"/{path}"), rps=rate) for path, rate in paths.items()]
    return snapshot([*rows, endpoint(key("/x", process="shop"), rps=2.0)], tick=tick)


def watching(watches: Watches = RATES, **ui: object) -> HttptopApp:
    return HttptopApp(watches=watches, ui=replace(Ui(), **ui))  # type: ignore[arg-type]


async def opened(pilot: Pilot[int], *shown: Snapshot) -> HttptopApp:
    for one in shown:
        app = await show(pilot, one)
    await pilot.press("a")
    assert isinstance(app.screen, WatchesScreen)
    return app


def on_one_line(lines: list[str], *parts: str) -> bool:
    return any(all(part in line for part in parts) for line in lines)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_shows_watches_with_their_values_and_events(size: tuple[int, int]) -> None:
    async with watching().run_test(size=size) as pilot:
        app = await opened(pilot, rates(10, a=6.0), rates(13, a=7.0, b=9.0))
        watches, events = drawn(app, WatchTable), drawn(app, EventTable)
        assert on_one_line(watches, "any endpoint · rate", "> 5/s", "9.0/s", "▲ 2, 3s+")
        assert on_one_line(watches, "comm = nginx · rate", "< 1/s", "16.0/s", "ok")
        assert on_one_line(watches, "all · 5xx", "> 90%")
        assert "rate nginx GET /b" in events[1]  # the newest first
        assert on_one_line(
            events, "12:00:10", "server", "rate nginx GET /a", "7.0/s", "3s+, ongoing"
        )
        await show(pilot, rates(15, a=0.1, b=0.1))
        assert on_one_line(drawn(app, EventTable), "rate nginx GET /a", "7.0/s", "3s")
        assert not on_one_line(drawn(app, EventTable), "/a", "ongoing")
        assert on_one_line(drawn(app, EventTable), "server", "comm = nginx", "0.2/s", "ongoing")
        await pilot.press("a")
        assert isinstance(app.screen, Dashboard)


async def test_space_switches_a_watch_off_and_on() -> None:
    async with watching().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, rates(10, a=6.0))
        await pilot.press("space")
        assert on_one_line(drawn(app, WatchTable), "any endpoint · rate", "off")
        assert not on_one_line(drawn(app, EventTable), "ongoing")
        await show(pilot, rates(11, a=9.0))
        assert len(app.watches.events) == 1
        await pilot.press("space")
        await show(pilot, rates(12, a=9.0))
        assert len(app.watches.events) == 2
        await pilot.press("j", "space")
        assert [state.enabled for state in app.watches.states] == [True, False, True]


async def test_n_adds_a_watch_like_the_one_under_the_cursor_and_says_what_is_wrong() -> None:
    async with watching().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, rates(10, a=6.0))
        await pilot.press("n")
        prompt = app.screen.query_one(Prompt)
        assert prompt.field.value == "any rate > 5/s for 0s"
        await pilot.press("ctrl+u")
        await write(pilot, "any rate >")
        await pilot.press("enter")
        assert prompt.is_open
        problem = prompt.query_one("#problem").visual._text  # type: ignore[attr-defined]
        assert "column 11: rate '': a rate such as 10/s is needed" in problem
        await write(pilot, " 4/s for 0s")
        await pilot.press("enter")
        assert _texts(app)[-1] == "any rate > 4/s for 0s"
        assert not prompt.is_open
        table = app.screen.query_one(WatchTable)
        assert (app.focused, table.cursor_row) == (table, 3)
        await show(pilot, rates(11, a=6.0))
        assert app.watches.states[3].on == 1
        await pilot.press("n", "enter")
        assert len(_texts(app)) == 4
        assert said(app)[-1] == "That is watched already."
        await pilot.press("n", "q", "escape")
        assert len(_texts(app)) == 4
        assert isinstance(app.screen, WatchesScreen)


async def test_x_removes_a_watch_and_w_saves_what_is_left() -> None:
    saved: list[dict[str, object]] = []

    def save(made: Mapping[str, object]) -> str:
        saved.append(dict(made))
        return "/file"

    app = HttptopApp(watches=RATES, run=FakeRun(save=save))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, rates(10, a=6.0))
        await pilot.press("j", "x")
        assert _texts(app) == [RATES.rules[0], RATES.rules[2]]
        await pilot.press("x", "x", "x")
        assert _texts(app) == []
        assert not any(event.on for event in app.watches.events)
        await pilot.press("escape", "w")
        await settled(pilot)
        assert saved == [{"watches.rules": ()}]
        await pilot.press("w")
        await settled(pilot)
        assert len(saved) == 1


async def test_there_are_not_more_watches_than_may_be() -> None:
    rules = tuple(f"all rate > {n}/s" for n in range(32))
    async with watching(Watches(rules)).run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, rates(10, a=6.0))
        await pilot.press("n", "1", "enter")
        assert app.screen.query_one(Prompt).is_open
        assert len(_texts(app)) == 32


async def test_enter_on_an_event_opens_its_endpoint() -> None:
    async with watching().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, rates(10, a=6.0), rates(12, a=6.0, b=9.0))
        await pilot.press("tab", "j", "enter")
        assert isinstance(app.screen, DetailScreen)
        assert app.screen.key == key("/a")
        assert "12:00:10, 2s ago: NOT LIVE" in drawn(app, TimeLines)[0]
        await pilot.press("escape")
        assert isinstance(app.screen, WatchesScreen)
        app.moments = Moments(app)  # which has kept nothing
        await pilot.press("enter")
        assert said(app) == ["12:00:10, when it began, is no longer kept."]
        assert isinstance(app.screen, DetailScreen)


async def test_enter_on_an_event_of_several_endpoints_shows_these() -> None:
    async with watching().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, rates(10, a=0.5))
        await pilot.press("tab", "enter")
        assert isinstance(app.screen, Dashboard)
        assert str(app.view.expression) == "comm = nginx"
        assert app.view.side == "server"


async def test_enter_on_a_watch_goes_to_its_newest_event() -> None:
    async with watching().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, rates(10, a=6.0), rates(12, a=0.2))
        await pilot.press("enter")
        assert app.focused is app.screen.query_one(EventTable)
        assert app.screen.query_one(EventTable).cursor_row == 1
        await pilot.press("tab", "G", "enter")
        assert said(app) == ["This watch has had no event."]


async def test_the_cursor_stays_with_its_event() -> None:
    async with watching().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, rates(10, a=6.0), rates(12, a=6.0, b=9.0))
        await pilot.press("tab", "j")
        await show(pilot, rates(13, a=6.0, b=9.0, c=9.0, d=8.0))
        events = app.screen.query_one(EventTable)
        assert events.events[events.cursor_row].subject == key("/a")


async def test_watches_go_on_while_the_screen_is_paused() -> None:
    async with watching().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, rates(10, a=1.5))
        await pilot.press("p")
        await show(pilot, rates(11, a=9.0))
        await pilot.press("a")
        assert on_one_line(drawn(app, EventTable), "/a", "9.0/s")


async def test_names_are_never_markup() -> None:
    async with watching(Watches((f"path = '{HOSTILE}' rate > 1/s for 0s",))).run_test(
        size=(120, 40)
    ) as pilot:
        app = await opened(pilot, snapshot([endpoint(key(HOSTILE), rps=6.0)]))
        assert any(HOSTILE in line for line in drawn(app, WatchTable))
        assert any(HOSTILE in line for line in drawn(app, EventTable))


async def test_what_a_watch_is_written_with_does_not_reach_the_terminal_as_it_is() -> None:
    rule = "path = '/a\x1b[31m' rate < 1/s for 0s"
    async with watching(Watches((rule, "path ~ '/*' rate > 1/s for 0s"))).run_test() as pilot:
        app = await opened(pilot, rates(10, a=6.0))
        lines = drawn(app, WatchTable) + drawn(app, EventTable)
        assert on_one_line(lines, r"path = /a\x1b[31m")
        assert "\x1b" not in "".join(lines)


async def test_the_headline_says_what_a_watch_says_and_opens_it() -> None:
    async with watching().run_test(size=(140, 40)) as pilot:
        app = await show(pilot, rates(10, a=6.0))
        assert "watch: rate 6.0/s (over 5/s): nginx GET /a, 0s+" in drawn(app, Headline)[0]
        await pilot.click(Headline, offset=(8, 0))
        assert isinstance(app.screen, DetailScreen)
        await pilot.press("escape")
        await show(pilot, rates(20, a=0.1, b=0.2))
        assert "watch: rate 0.3/s (below 1/s): comm = nginx, 0s" in drawn(app, Headline)[0]
        await pilot.click(Headline, offset=(8, 0))
        assert isinstance(app.screen, WatchesScreen)


# What the terminal is told


def recorded(app: HttptopApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    monkeypatch.setattr(app._driver, "write", sent.append)
    return sent


@pytest.mark.setting("ui.alert")
@pytest.mark.parametrize(
    ("alert", "told"),
    [
        ("none", []),
        ("bell", ["\a"]),
        (
            "notify",
            ["\x1b]9;httptop: rate 6.0/s (over 5/s): nginx GET /a, server side and 1 more\a"],
        ),
    ],
)
async def test_the_terminal_is_told_once_if_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, alert: str, told: list[str]
) -> None:
    app = watching(alert=alert)
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, rates(10, a=1.5, b=1.5))
        sent = recorded(app, monkeypatch)
        for tick in range(11, 15):
            await show(pilot, rates(tick, a=6.0, b=7.0))
        assert [text for text in sent if text == "\a" or "]9;" in text] == told


async def test_nothing_that_is_told_has_control_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = watching(alert="notify")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        sent = recorded(app, monkeypatch)
        hostile = endpoint(key("/\x07\x1b]0;x\x9c" + "a" * 500), rps=6.0)  # as no snapshot has it
        await show(pilot, snapshot([hostile]))
        (told,) = [text for text in sent if "]9;" in text]
        assert told[4:-1].isprintable()
        assert len(told) < 300


@pytest.mark.setting("watches.rules")
def test_watches_come_from_the_file_and_may_change(tmp_path: Path) -> None:
    def settings(text: str) -> Settings:
        (tmp_path / "config.toml").write_text(text)
        return check_file(tmp_path / "config.toml", ME).settings

    written = settings('[watches]\nrules = ["any rate > 7/s", "all p99 > 1s for 1m"]\n')
    app = HttptopApp(watches=written.watches)
    assert _texts(app) == ["any rate > 7/s", "all p99 > 1s for 1m"]
    app.watches.replace([])
    assert _texts(app) == []
    with pytest.raises(Exception, match=r"watches.rules.*column 5.*one of p50"):
        settings('[watches]\nrules = ["all nonsense"]\n')
    rules = ", ".join(f'"all rate > {n}/s"' for n in range(33))
    with pytest.raises(Exception, match="at most 32"):
        settings(f"[watches]\nrules = [{rules}]\n")


async def test_a_reload_changes_the_watches() -> None:
    async with watching().run_test(size=(120, 40)) as pilot:
        app = await show(pilot, rates(10, a=6.0))
        app.adopt(replace(Settings(), watches=Watches(("all rate > 1/s",))))
        assert _texts(app) == ["all rate > 1/s"]
        assert not any(event.on for event in app.watches.events)


def _texts(app: HttptopApp) -> list[str]:
    return [str(state.watch) for state in app.watches.states]
