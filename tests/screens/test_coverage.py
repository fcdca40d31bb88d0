"""The screen that says why a service does not show up."""

from __future__ import annotations

from textual.widgets import Static

from httptop.app import HttptopApp
from httptop.coverage.processes import Holder, Survey
from httptop.screens.coverage import CoverageScreen
from httptop.screens.dashboard import Dashboard
from httptop.widgets.empty_state import EmptyState
from tests.factory import NOON, endpoint, key, snapshot
from tests.screens.fake_run import FakeRun

FOUND = Survey(
    NOON,
    (
        Holder(1003, "nginx", (80,), tcp_listening=1, tcp_connected=12),
        Holder(8, "a[/b]\\x1b", (8443,), tcp_listening=1, tls_ports=(8443,)),
    ),
    unreadable=2,
)


def shown(app: HttptopApp) -> str:
    return "\n".join(str(widget.render()) for widget in app.screen.query(Static))


async def looked(app: HttptopApp) -> None:
    await app.workers.wait_for_complete()


async def test_it_opens_looks_and_goes_back() -> None:
    app = HttptopApp(run=FakeRun(survey=lambda: FOUND), watching="every process of this host")
    async with app.run_test(size=(100, 30)) as pilot:
        app.publish(snapshot([endpoint(key("/"), status={200: 1234}, seed=3)]))
        await pilot.pause()
        await pilot.press("y")
        assert isinstance(app.screen, CoverageScreen)
        await looked(app)
        text = shown(app)
        assert "as of 12:00:00" in text
        assert [row.holder.pid for row in app.screen.rows] == [8, 1003]
        assert "a[/b]\\x1b" in text
        assert "≤ 1,234" in text
        assert "2 others could not be inspected" in text
        assert "Traced: every process of this host." in text
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)


async def test_it_looks_again_when_asked() -> None:
    finds = [FOUND, Survey(NOON + 5, ())]
    app = HttptopApp(run=FakeRun(survey=lambda: finds.pop(0)))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("y")
        await looked(app)
        await pilot.press("r")
        await looked(app)
        assert "as of 12:00:05" in shown(app)
        assert "0 processes" in shown(app)
        assert not finds


async def test_a_look_that_is_refused_is_told() -> None:
    def refuse() -> Survey:
        raise OSError("the privileged helper of httptop is gone")

    app = HttptopApp(run=FakeRun(survey=refuse))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("y")
        await looked(app)
        assert "cannot be inspected: the privileged helper of httptop is gone" in shown(app)


async def test_a_capture_has_no_processes() -> None:
    app = HttptopApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("y")
        assert "This is a capture" in shown(app)


async def test_while_nothing_is_seen_the_key_is_named() -> None:
    app = HttptopApp(run=FakeRun(survey=lambda: FOUND))
    async with app.run_test(size=(100, 30)) as pilot:
        app.publish(snapshot())
        await pilot.pause()
        empty = app.screen.query_one(EmptyState)
        words = "\n".join(strip.text for strip in empty.paint(80, 20))
        assert "why a service does not show up" in words
