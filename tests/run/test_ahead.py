"""What is imported ahead: all of it, so that a run whose code is out of reach misses nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httptop
from tests.patience import PATIENCE_S

#: Imports ahead, then does on the screen all that can be done; prints what it imported meanwhile.
PROGRAM = """
import asyncio, contextlib, io, sys, time

from httptop.optional_modules import leave_out

leave_out()
import httptop.cli, httptop.__main__
from httptop.run.ahead import import_ahead
import_ahead(screen={screen})
ahead = set(sys.modules)
{program}
print(*sorted(set(sys.modules) - ahead))
"""

DRIVE = """
import textual.drivers.headless_driver, textual.pilot  # the test's own
from tests import factory
from tests.screens.fake_run import FakeRun
ahead = set(sys.modules)

from httptop.app import HttptopApp
from httptop.coverage.processes import survey
from httptop.view.keys import ACTIONS

def fails(*_):
    raise OSError("no")

async def drive():
    run = FakeRun(
        start_demo=fails,
        save=fails,
        change=lambda _: None,
        export=lambda *_: "",
        survey=lambda: survey(time.time()),
    )
    app = HttptopApp(run=run)
    async with app.run_test(size=(100, 30)) as pilot:
        app.publish(factory.busy(notes=("a note",)))
        await pilot.pause()
        await pilot.double_click("EndpointTable", offset=(10, 5))
        for action in ACTIONS:
            if action.name in ("quit", "quit_now"):
                continue
            for key in (action.keys[0], "1", "pagedown", "enter", "escape", "escape"):
                app.simulate_key(key)  # pilot.press() would wait a tenth of a second
                await asyncio.sleep(0.005)
        for letter in "tsjc":
            app.simulate_key("e")
            app.simulate_key(letter)
            await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.resize_terminal(20, 5)
        app.fail(OSError("the feed failed"))
        await pilot.pause()
        app.call_later(lambda: 1 / 0)
        with contextlib.redirect_stderr(io.StringIO()):
            await pilot.pause(0.1)

with contextlib.suppress(ZeroDivisionError):
    asyncio.run(drive())
"""

WRITE = """
from tests import factory
ahead = set(sys.modules)

from httptop.output.json import to_json
from httptop.output.text import to_text

assert to_json(factory.busy()) and to_text(factory.busy(), 100)
"""


def gained(program: str, *, screen: bool) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(program=program, screen=screen)],
        cwd=Path(httptop.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


def test_nothing_is_left_to_import_whatever_is_done_on_the_screen() -> None:
    assert gained(DRIVE, screen=True) == set()


def test_nothing_is_left_to_import_for_a_run_that_prints() -> None:
    assert gained(WRITE, screen=False) == set()


def test_what_only_a_screen_needs_is_not_imported_without_one() -> None:
    told = "print(*(name for name in ('textual', 'rich', 'bcc') if name in ahead))"
    assert gained(told, screen=False) == set()
    assert gained(told, screen=True) == {"rich", "textual"}
