"""On every screen, what goes to a terminal that can do less: ASCII, no colours."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import pytest
from textual.driver import Driver
from textual.pilot import Pilot

from bench.recording_driver import RecordingDriver
from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.console import has_no_colors, is_ascii_only
from httptop.model import Snapshot
from httptop.screens.plain import plain
from httptop.view.keys import ACTIONS
from tests.factory import endpoint, key, samples, with_parties
from tests.screens.emulator import Emulator
from tests.screens.fake_run import FakeRun

#: What would end the run, or stop it.
NOT_PRESSED = {"suspend", "quit", "quit_now"}
NAMES = "/日本/{id}", "/ünïcode…", "/e\u0301té", "/👩‍👩‍👧/x", "/▶—×µ"
RENDITION = re.compile(r"\x1b\[([0-9;]*)m")


class Seen:
    """A run on a terminal that keeps what it gets."""

    def __init__(self, app: HttptopApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot, self.sent = app, pilot, ""

    async def take(self) -> str:
        """Return what was sent since the last time."""
        await self.pilot.pause()
        sent = cast(RecordingDriver, self.app._driver).take()
        self.sent += sent
        return sent


@asynccontextmanager
async def seen(*, symbols: str = "braille", no_color: bool = False) -> AsyncIterator[Seen]:
    class App(HttptopApp):
        def get_driver_class(self) -> type[Driver]:
            return RecordingDriver

    run = FakeRun(change=lambda _: None, export=lambda *_: "/x", save=lambda _: "/x")
    app = App(run=run, ui=Ui(symbols=symbols, filter="path ~ *"), no_color=no_color)  # type: ignore[arg-type]
    async with app.run_test(headless=False, size=(120, 40)) as pilot:
        yield Seen(app, pilot)


def hostile() -> Snapshot:
    """Return the shop with names that are not ASCII, notes and losses."""
    shown = with_parties()
    rows = [endpoint(key(name, process="näme"), rps=900.0 + n) for n, name in enumerate(NAMES)]
    health = replace(shown.health, lost_samples=3)
    return replace(
        shown,
        endpoints=(*shown.endpoints, *rows),
        recent=(*samples(rows, 20), *shown.recent),
        health=health,
        notes=("a nöte",),
    )


async def walk(run: Seen) -> None:
    """See every screen: each action from the dashboard, and from a page of an endpoint."""
    app, pilot = run.app, run.pilot
    await run.take()
    app.publish(hostile())
    await run.take()
    for action in ACTIONS:
        if action.name in NOT_PRESSED:
            continue
        await pilot.press(action.keys[0])
        await run.take()
        for _ in range(5):
            if len(app.screen_stack) == 1:
                break
            await pilot.press("escape")
        await pilot.press("escape")
    await pilot.press("enter", "enter", "escape", "question_mark")
    app.say("ein Wörtchen…")
    await run.take()
    app.fail(RuntimeError("größer"))
    await run.take()
    for size in ((80, 24), (60, 15), (40, 10)):
        await pilot.resize_terminal(*size)
        await run.take()


async def test_ascii_is_all_that_a_terminal_gets_that_knows_nothing_else() -> None:
    async with seen(symbols="ascii") as run:
        await walk(run)
        assert len(run.sent) > 100_000
        found = re.search("[^\0-\x7f]", run.sent)
        assert found is None, run.sent[found.start() - 60 : found.end()]
        assert "/??/{id}" not in run.sent  # of two cells each
        assert "/????/{id}" in run.sent


async def test_without_colours_attributes_say_what_is_chosen() -> None:
    async with seen(no_color=True) as run:
        await walk(run)
        asked = {part for all_ in RENDITION.findall(run.sent) for part in all_.split(";")}
        assert asked <= {
            "",
            "0",
            "1",
            "2",
            "3",
            "4",
            "7",
            "9",
            "22",
            "23",
            "24",
            "27",
            "29",
            "39",
            "49",
        }
        assert {"1", "2", "7"} <= asked


async def test_without_colours_the_cursor_and_what_fails_can_be_seen() -> None:
    async with seen(no_color=True) as run:
        run.app.publish(hostile())
        await run.pilot.press("escape", "g")
        emulator = Emulator(120, 40)
        emulator.feed(await run.take())
        text = emulator.text()
        at = next(y for y, line in enumerate(text) if "▌" in line)
        assert "/static/{id}" in text[at]
        assert "reverse" in emulator.cells[at][10][1].attributes
        graph = "".join(line[:59] for line in text[3:10])
        assert "5" in graph  # of what failed, in the graph of requests by status


@pytest.mark.parametrize(
    ("text", "shown"),
    [("abc", "abc"), ("12µs…", "12us~"), ("╭─│", "+-|"), ("日é\u0301", "???"), ("⣿", "?")],
)
def test_texts_in_ascii_are_as_wide(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("environ", "ascii_only", "no_colors"),
    [
        ({"TERM": "xterm-256color", "LANG": "de_DE.UTF-8"}, False, False),
        ({"TERM": "xterm"}, False, False),
        ({"TERM": "xterm", "LANG": "C"}, True, False),
        ({"TERM": "xterm", "LANG": "C", "LC_CTYPE": "C.UTF-8"}, True, False),  # by Python
        ({"TERM": "xterm", "LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}, True, False),
        ({"TERM": "xterm", "LANG": "de_DE@euro"}, True, False),
        ({"TERM": "xterm", "LANG": "en_US.utf8", "NO_COLOR": "1"}, False, True),
        ({"TERM": "xterm", "LANG": "en_US.utf8", "NO_COLOR": ""}, False, False),
        ({"TERM": "linux", "LANG": "en_US.UTF-8"}, True, False),
        ({"TERM": "vt220", "LANG": "en_US.UTF-8"}, True, True),
    ],
)
def test_the_environment_says_what_a_terminal_can_do(
    environ: dict[str, str], ascii_only: bool, no_colors: bool
) -> None:
    assert (is_ascii_only(environ), has_no_colors(environ)) == (ascii_only, no_colors)
