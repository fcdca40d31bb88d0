"""What the terminal shows after any course of events is what a full repaint would show."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.color import ColorSystem
from textual._context import visible_screen_stack
from textual.driver import Driver
from textual.pilot import Pilot
from textual.strip import Strip

from bench.recording_driver import RecordingDriver
from httptop.app import HttptopApp
from httptop.model import Snapshot
from httptop.printable import clean
from httptop.view.keys import ACTIONS
from tests.factory import busy, endpoint, key, samples, snapshot
from tests.screens.emulator import Emulator
from tests.screens.fake_run import FakeRun

SIZES = ((80, 24), (120, 40), (200, 60), (60, 12), (99, 29), (30, 5))
#: What would end the run, or stop it.
NOT_PRESSED = {"suspend", "quit", "quit_now"}
KEYS = [key for action in ACTIONS if action.name not in NOT_PRESSED for key in action.keys]
TYPED = ["a", "b", "5", "x", "left", "end", "equals_sign", "tab", "enter", "escape"]
COLORS = {
    "truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT,
    "standard": ColorSystem.STANDARD, None: ColorSystem.TRUECOLOR,
}  # fmt: skip
#: What happens less often.
RARELY = ("size", "theme", "toast", "mouse", "lost")
NAMES = (
    "/日本/{id}", "/ファイル", "/e\u0301té", "/한국어/a",
    "/👩‍👩‍👧/x", "/❤️", "/naïve", "/plain/{id}",
)  # fmt: skip


class Terminal:
    """An app on an emulator."""

    def __init__(self, app: HttptopApp, pilot: Pilot[int], emulator: Emulator) -> None:
        self.app, self.pilot, self.emulator = app, pilot, emulator

    async def resize(self, width: int, height: int) -> None:
        self.emulator.resize(width, height)
        await self.pilot.resize_terminal(width, height)

    def wanted(self) -> list[list[Any]]:
        """Return the cells after a full repaint by Textual alone."""
        app = self.app
        visible_screen_stack.set(app._background_screens)
        chops = app.screen._compositor._render_chops(app.screen.region, lambda _: True)
        anew = Emulator(self.emulator.width, self.emulator.height)
        colors = COLORS[app.console.color_system]
        for y, line in enumerate(chops):
            for x, strip in line.items():
                anew.feed(f"\x1b[{y + 1};{x + 1}H")
                missing = strip.cell_length
                for text, style, _ in strip:
                    # Strip.render would take what other tests had rendered in other colours.
                    codes = "" if style is None else Strip.render_ansi(style, colors)
                    anew.feed(f"\x1b[0{codes and ';'}{codes}m{text}")
                    missing -= cell_len(text)
                anew.feed(" " * missing)
        return anew.cells

    async def check(self, after: object) -> None:
        """Compare; what was just changed by a timer may take a moment to be drawn."""
        for _ in range(20):
            await self.pilot.pause()
            wanted = self.wanted()
            if self.emulator.cells == wanted:
                return
        for y, (shown, line) in enumerate(zip(self.emulator.cells, wanted, strict=True)):
            for x, (cell, other) in enumerate(zip(shown, line, strict=True)):
                assert cell == other, f"after {after}, line {y}, column {x}"


@asynccontextmanager
async def terminal(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Terminal]:
    """Run an app on an emulator."""
    emulator = Emulator(*size)

    class Driven(RecordingDriver):
        def write(self, data: str) -> None:
            emulator.feed(data)

    class App(HttptopApp):
        def get_driver_class(self) -> type[Driver]:
            return Driven

    app = App(run=FakeRun(start_demo=lambda: None))
    async with app.run_test(headless=False, size=size) as pilot:
        yield Terminal(app, pilot, emulator)


def traffic(tick: int, chance: random.Random) -> Snapshot:
    """Return a few endpoints whose figures and order change a little, and whose names are wide."""
    rows = [
        endpoint(
            key(clean(path.encode()), process=clean(chance.choice(NAMES).encode(), 15)),
            rps=chance.choice((0.0, 3.0, 40.0 + n, chance.random() * 900)),
            p50_ms=chance.choice((0.2, 5.0, 2_000.0)),
            seed=n,
        )
        for n, path in enumerate(NAMES * chance.choice((0, 1, 1, 9)))
    ]
    rows += [replace(row, key=replace(row.key, side="client")) for row in rows[::3]]
    return snapshot(rows, samples(rows, 30) if rows else (), tick)


async def test_ctrl_l_draws_what_something_else_has_overwritten() -> None:
    async with terminal() as screen:
        screen.app.publish(busy())
        await screen.check("a tick")
        screen.emulator.resize(*screen.app.size)
        screen.app.publish(busy(253))
        await screen.pilot.pause()
        assert "?" * 40 in "".join(screen.emulator.text())  # only what changes is sent
        await screen.pilot.press("ctrl+l")
        await screen.check("Ctrl-L")


async def test_a_terminal_that_was_resized_and_back_is_drawn() -> None:
    """As is one that was suspended: the driver says its size then, as at the start."""
    async with terminal((100, 30)) as screen:
        screen.app.publish(busy())
        await screen.check("a tick")
        await screen.resize(100, 30)
        await screen.check("a resize")


@pytest.mark.parametrize(
    ("seed", "kind", "colors"),
    [
        (0, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        (1, {"TERM": "xterm-256color", "COLORTERM": ""}, "256"),
        (2, {"TERM": "linux", "COLORTERM": ""}, "standard"),
    ],
)
async def test_whatever_happens_every_cell_is_right(
    seed: int, kind: dict[str, str], colors: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in kind.items():
        monkeypatch.setenv(name, value)
    chance = random.Random(seed)
    async with terminal() as screen:
        app, pilot = screen.app, screen.pilot
        assert app.console.color_system == colors
        for step in range(50):
            match what := chance.choice(("tick", "tick", "key", "key", "key", "type", *RARELY)):
                case "tick":
                    app.publish(traffic(step, chance))
                case "key":
                    await pilot.press(what := chance.choice(KEYS))
                case "type":
                    await pilot.press(what := chance.choice(TYPED))
                case "size":
                    await screen.resize(*chance.choice(SIZES))
                case "theme":
                    app.theme = chance.choice(sorted(app.available_themes))
                case "toast":
                    app.say(chance.choice(NAMES) * 3)
                case "mouse":
                    at = chance.randrange(app.size.width), chance.randrange(app.size.height)
                    await pilot.click(offset=at)
                case "lost":
                    screen.emulator.resize(*app.size)
                    await pilot.press("ctrl+l")
            await screen.check(f"step {step}, {what}")
