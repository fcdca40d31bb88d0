"""The page of health: what was missed, own cost, why a process is not seen, messages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from httptop.app import HttptopApp
from httptop.coverage.processes import Holder, Survey
from httptop.model import Health, Snapshot
from httptop.screens.dashboard import Dashboard
from httptop.screens.health import HealthScreen
from httptop.widgets.empty_state import EmptyState
from httptop.widgets.fact_panel import FactPanel
from httptop.widgets.health_title import HealthTitle
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.service_table import ServiceTable
from tests.factory import NOON, OVERHEAD, endpoint, key, snapshot
from tests.screens.fake_run import FakeRun
from tests.screens.handles import drawn, said, settled, show, write

HOSTILE = "a[/b]\\x1b"
FOUND = Survey(
    NOON,
    (
        Holder(1003, "nginx", (80,), tcp_listening=1, tcp_connected=12, parent=1),
        Holder(1004, "nginx", (80,), tcp_listening=1, tcp_connected=1, parent=1003),
        Holder(8, HOSTILE, (8443,), tcp_listening=1, tls_ports=(8443,)),
        Holder(9, "idle", (9000,), tcp_listening=1),
        Holder(99, "httptop", unix_connected=2),
    ),
    unreadable=2,
)
HEALTH = Health(late_ticks=3, overflow_requests=1234)


def shown() -> Snapshot:
    rows = [replace(endpoint(key("/"), status={200: 1234}), pids=(1003, 1004))]
    made = snapshot(rows, health=HEALTH, notes=(f"a note of {HOSTILE}",))
    return replace(made, overhead=replace(OVERHEAD, tables={"endpoints": 0.5}))


def lines(app: HttptopApp, panel: str) -> str:
    widget = app.screen.query_one(f"#{panel}", FactPanel)
    return "\n".join(widget.render_line(y).text for y in range(widget.size.height))


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_it_says_what_is_missed_what_it_costs_and_who_is_not_seen(
    size: tuple[int, int],
) -> None:
    app = HttptopApp(run=FakeRun(survey=lambda: FOUND))
    async with app.run_test(size=size) as pilot:
        await show(pilot, shown())
        await pilot.press("n")
        assert isinstance(app.screen, HealthScreen)
        await settled(pilot)
        assert drawn(app, HealthTitle)[0].startswith(" health  web-1  up 4:12")
        assert "as of 12:04:12" in drawn(app, HealthTitle)[0]
        assert "✓ exact" in lines(app, "missed")
        assert "1.2% cpu" in lines(app, "cost")
        table = drawn(app, ServiceTable)
        assert [line.split()[0].lstrip("▌") for line in table[1:5]] == [
            *(HOSTILE, "idle", "nginx", "httptop")
        ], "without a request first, our own last"
        assert "1 master + 1 worker" in table[3] or size[0] == 80
        assert "1,234" in table[3]
        assert "most likely TLS" in table[1]
        assert f"{HOSTILE}: most likely speaks TLS (port :8443)" in "".join(table)
        title = str(app.screen.query_one(ServiceTable).border_title)
        assert "processes 5 · 2 without a request · as of 12:00:00 · 2 not readable" in title
        await pilot.press("1", "1")
        await pilot.pause()
        told = lines(app, "missed")
        assert "1,234 in ~other" in told
        assert "3 late ticks" in told
        assert "performance.max_endpoints" in told
        assert f"a note of {HOSTILE}" in told
        assert "HTTP/3 and gRPC" in told
        await pilot.press("2")
        assert "50% tables" in lines(app, "cost")
        await pilot.press("q", "y")
        assert isinstance(app.screen, Dashboard)


async def test_processes_are_searched_sorted_and_opened() -> None:
    finds = [FOUND, FOUND, replace(FOUND, taken_at=NOON + 5)]
    app = HttptopApp(run=FakeRun(survey=lambda: finds.pop(0)))
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, shown())
        await pilot.press("y")
        await settled(pilot)
        table = app.screen.query_one(ServiceTable)
        assert [one.holder.pid for one in table.services] == [8, 9, 1003, 99]
        await pilot.press("2", "slash")
        await write(pilot, "NGI")
        assert [one.name for one in table.services] == ["nginx"]
        await pilot.press("enter")
        assert app.focused is table
        await pilot.press("enter")
        assert isinstance(app.screen, Dashboard)
        assert str(app.view.expression) == "pid = 1003,1004"
        await pilot.press("y")
        await settled(pilot)
        await pilot.press("s")
        table = app.screen.query_one(ServiceTable)
        assert table.order[0] == "name"
        assert [one.name for one in table.services] == [HOSTILE, "idle", "nginx", "httptop"]
        await pilot.click(ServiceTable, offset=(60, 1))
        await pilot.press("j", "enter")
        await pilot.pause()
        assert isinstance(app.screen, HealthScreen)
        assert "was counted" in said(app)[0]
        assert said(app)[0] in lines(app, "messages")
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)
        await pilot.press("n", "r")
        await settled(pilot)
        assert "as of 12:00:05" in str(app.screen.query_one(ServiceTable).border_title)
        assert not finds


async def test_messages_are_kept_with_their_times() -> None:
    async with HttptopApp().run_test(size=(80, 24)) as pilot:
        app = await show(pilot, shown())
        app.say("one")
        app.say(f"two {HOSTILE}\nwith more", wrong=True)
        await pilot.press("n", "4")
        await show(pilot, shown())
        text = lines(app, "messages")
        assert text.index("12:04:12") < text.index(f"two {HOSTILE}") < text.index("with more")
        assert "one" in text
        await pilot.press("u")
        assert "no such key: u" in drawn(app, KeyBar)[-1]


async def test_a_look_that_is_refused_is_told_and_a_capture_has_no_processes() -> None:
    def refuse() -> Survey:
        raise OSError("the privileged helper of httptop is gone")

    for run, told in (
        (FakeRun(survey=refuse), "cannot be inspected: the privileged helper of httptop is gone"),
        (FakeRun(is_live=False), "This is a capture"),
    ):
        app = HttptopApp(run=run)
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.press("y")
            await settled(pilot)
            assert told in "".join(drawn(app, ServiceTable))
            cost = str(app.screen.query_one("#cost", FactPanel).border_title)
            assert ("the recorded run's cost" in cost) is not run.is_live
            assert "No figures have arrived yet." in lines(app, "missed")


async def test_while_nothing_is_seen_the_key_is_named() -> None:
    app = HttptopApp(run=FakeRun(survey=lambda: FOUND))
    async with app.run_test(size=(100, 30)) as pilot:
        await show(pilot, snapshot())
        words = "\n".join(drawn(app, EmptyState))
        assert "why a service does not show up" in words
