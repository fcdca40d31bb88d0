"""What the screen of the processes looks like."""

from __future__ import annotations

from collections.abc import Callable

from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.coverage.processes import Holder, Survey
from tests.factory import NOON, endpoint, key, snapshot
from tests.screens.fake_run import FakeRun


def test_coverage(snap_compare: Callable[..., bool]) -> None:
    """The gravest gaps first, each with what would help; what is seen with its count."""
    holders = (
        Holder(1003, "nginx", (80,), tcp_listening=1, tcp_connected=12),
        Holder(8, "a[/b]\\x1b", (8443,), tcp_listening=1, tls_ports=(8443,)),
        Holder(40, "gunicorn", (8000,), tcp_listening=1, tls_libraries=("libssl.so.3",)),
        Holder(41, "old-agent", (), tcp_connected=1, bits32=True),
        Holder(42, "node", (3000,), tcp_listening=1, tcp_connected=4, io_uring=2),
        Holder(43, "dbus-daemon", (), ("/run/dbus/system_bus_socket",), 0, 1, 0, 31),
    )
    app = HttptopApp(
        run=FakeRun(survey=lambda: Survey(NOON, holders, 1)), watching="every process of this host"
    )
    app.animation_level = "none"

    async def before(pilot: Pilot[int]) -> None:
        app.publish(snapshot([endpoint(key("/"), status={200: 1234}, seed=3)]))
        await app.workers.wait_for_complete()
        app.action_coverage()
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()

    assert snap_compare(app, terminal_size=(100, 34), run_before=before)
