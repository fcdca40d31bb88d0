"""What the screen costs: bytes to the terminal, and the CPU time of keys with many rows.

A real app draws on a terminal that keeps what it is sent (bench/recording_driver.py). Ticks are as
of a busy host: some 15 % of the cells change. It runs in a process of its own (``python -m
bench.screen`` prints JSON); bytes do not depend on the machine, so tests/bench/test_screen.py holds
them to the same goals.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")

from bench.context import Context
from bench.figures import Figure, Goal, spread
from bench.snapshots import idle, live, many

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from bench.recording_driver import RecordingDriver
    from httptop.app import HttptopApp
    from httptop.model import Snapshot

SIZES: Final = ((80, 24), (120, 40), (200, 60))
#: Bytes a tick, by width: the largest screen has 2.5 times as many cells as 120x40.
TICK_GOALS: Final = {80: Goal("<=", 8_000.0), 120: Goal("<=", 8_000.0), 200: Goal("<=", 12_000.0)}
KEY_GOAL: Final = Goal("<=", 3_000.0)
IDLE_GOAL: Final = Goal("<=", 200.0)
TICKS: Final = 20
_WARM_UP: Final = 4
#: Keys that change a few lines, and keys that change most of the screen.
SMALL: Final = ("j", "k", "p")
LARGE: Final = ("tab", "enter", "question_mark")

ROWS: Final = 5_000
_CPU_GOAL: Final = Goal("<=", 60.0)
_TIMES: Final = 6


@dataclass
class Sent:
    """Bytes to the terminal."""

    ticks: list[int] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)
    keys: dict[str, list[int]] = field(default_factory=dict)
    changed: list[float] = field(default_factory=list)  # share of the cells that a tick changes


class Screen:
    """An app on a terminal that keeps what it is sent."""

    def __init__(self, app: HttptopApp, pilot: Pilot[int]) -> None:
        self.app, self._pilot = app, pilot

    @property
    def _driver(self) -> RecordingDriver:
        from bench.recording_driver import RecordingDriver

        driver = self.app._driver
        assert isinstance(driver, RecordingDriver)
        return driver

    async def settled(self) -> int:
        """Wait until all is drawn; return the bytes since the last time."""
        await self._pilot.pause()
        return len(self._driver.take().encode())

    async def pressed(self, key: str) -> int:
        """Press a key; return the bytes."""
        await self._pilot.press(key)
        return await self.settled()

    def lines(self) -> list[str]:
        """Return the text of the screen."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]


@asynccontextmanager
async def screen(size: tuple[int, int]) -> AsyncIterator[Screen]:
    """Run an app on a terminal of that size."""
    from textual.driver import Driver

    from bench.recording_driver import RecordingDriver
    from httptop.app import HttptopApp

    class App(HttptopApp):
        def get_driver_class(self) -> type[Driver]:
            return RecordingDriver

    app = App()
    async with app.run_test(headless=False, size=size) as pilot:
        found = Screen(app, pilot)
        await found.settled()
        yield found


async def sent_at(size: tuple[int, int], ticks: int = TICKS) -> Sent:
    """Return what ticks, keys and an idle host send."""
    found = Sent()
    async with screen(size) as on:
        for tick in range(_WARM_UP + ticks):
            before = on.lines()
            on.app.publish(live(tick))
            found.ticks.append(await on.settled())
            found.changed.append(_changed(before, on.lines()))
        del found.ticks[:_WARM_UP], found.changed[:_WARM_UP]
        for key in (*SMALL, *LARGE):
            sizes = found.keys[key] = [await on.pressed(key)]
            match key:
                case "enter" | "question_mark":
                    sizes.append(await on.pressed("escape"))
                case "j" | "k":
                    sizes += [await on.pressed(key) for _ in range(2)]
                case _:
                    sizes.append(await on.pressed(key))
        since = _WARM_UP + ticks - 1
        on.app.publish(idle(since + 1, since))
        await on.settled()
        for tick in range(since + 2, since + 2 + ticks):
            on.app.publish(idle(tick, since))
            found.idle.append(await on.settled())
    return found


def _changed(before: list[str], after: list[str]) -> float:
    """Return the share of the cells whose character has changed."""
    old, new = "".join(before), "".join(after)
    return sum(a != b for a, b in zip(old, new, strict=True)) / len(old)


async def key_costs(rows: int, times: int = _TIMES) -> dict[str, list[float]]:
    """Return the CPU milliseconds of keys that have all rows looked at again."""
    snapshots = [_two_sides(many(rows, tick)) for tick in range(_WARM_UP)]
    gc.collect()
    gc.freeze()  # the prepared snapshots are not the app's; a collection must not walk them
    found: dict[str, list[float]] = {"Tab": [], "p": [], "Esc": []}
    async with screen((120, 40)) as on:
        for snapshot in snapshots:
            on.app.publish(snapshot)
            await on.settled()

        async def cost(key: str) -> float:
            before = time.process_time()
            await on.settled()
            waiting = time.process_time() - before
            await on.pressed(key)
            return (time.process_time() - before - 2 * waiting) * 1e3

        for _ in range(times):
            found["Tab"].append(await cost("tab"))
            found["p"].append(await cost("p"))
            on.app.change_view(path_filter="resource-1")
            found["Esc"].append(await cost("escape"))
            if on.app.view.filtered:
                raise RuntimeError("Esc did not remove the filter")
    gc.unfreeze()
    return found


def _two_sides(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot half of whose rows are of the client's side."""
    rows = tuple(
        replace(row, key=replace(row.key, side="client")) if at % 2 else row
        for at, row in enumerate(snapshot.endpoints)
    )
    return replace(snapshot, endpoints=rows)


def measure(run: Context) -> list[Figure]:
    """Measure in a process of its own."""
    run.say("bytes and keys of the screen")
    ended = subprocess.run(
        [sys.executable, "-m", "bench.screen", str(run.choose(TICKS, 8))],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr[-600:])
    found = json.loads(ended.stdout)
    figures = [figure for of_size in found["sent"] for figure in _sent_figures(of_size)]
    section = f"CPU of a key with {ROWS:,} endpoints at 120x40"
    figures += [
        Figure(section, key, "ms", spread(costs), _CPU_GOAL) for key, costs in found["keys"].items()
    ]
    return figures


def _sent_figures(found: dict[str, Any]) -> list[Figure]:
    width, height = found["size"]
    section = f"bytes to the terminal at {width}x{height}"
    cells = f"{statistics.median(found['changed']):.0%} of the cells change"
    figures = [
        Figure(section, "a tick", "B", spread(found["ticks"]), TICK_GOALS[width], cells),
        Figure(section, "an idle tick", "B", spread(found["idle"]), IDLE_GOAL),
    ]
    for key, sizes in found["keys"].items():
        goal, note = (KEY_GOAL, "") if key in SMALL else (None, "and back, the whole screen")
        figures.append(Figure(section, f"key {key}", "B", spread(sizes), goal, note))
    return figures


def main() -> None:
    """Print what was sent at each size, and what keys cost."""
    ticks = int(sys.argv[1]) if len(sys.argv) > 1 else TICKS
    sent = [
        {"size": size, **dataclasses.asdict(asyncio.run(sent_at(size, ticks)))} for size in SIZES
    ]
    print(json.dumps({"sent": sent, "keys": asyncio.run(key_costs(ROWS))}))


if __name__ == "__main__":
    main()
