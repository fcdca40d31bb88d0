"""What a run tells the service manager that started it, and when."""

from __future__ import annotations

import os
import queue
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from httptop.cli import main
from httptop.collect.feed import Feed
from httptop.linux.service_manager import take_manager
from httptop.run.service import status
from httptop.run.session import Session
from tests.config.effects.conftest import ScriptedFeed
from tests.factory import snapshot_at
from tests.patience import PATIENCE_S


def test_it_is_told_of_ticks_of_reloads_and_of_the_end(
    home: Path,
    tmp_path: Path,
    live: Callable[[Callable[..., Feed]], None],
    told: queue.Queue[str],
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        heard: list[list[str]] = []

        def hears() -> None:
            heard.append(manager.recv(1 << 16).decode().split("\n"))

        def script(feed: ScriptedFeed) -> None:
            for at in (1, 2, 5, 6):  # it is told every five seconds
                feed.publish(snapshot_at(at))
            hears()
            hears()
            os.kill(os.getpid(), signal.SIGHUP)
            hears()
            hears()
            assert told.get(timeout=PATIENCE_S).endswith("nothing changed")
            os.kill(os.getpid(), signal.SIGTERM)
            hears()

        live(lambda settings, scope: ScriptedFeed(script))  # noqa: ARG005
        named = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"}
        with Session(take_manager(named)) as session:
            assert main(["--quiet", "--log-file", str(home / "log")], session) == 0
        started, sixth, reloading, again, end = heard
        assert started == ["READY=1", "WATCHDOG=1", f"STATUS={status(snapshot_at(1))}"]
        assert sixth == ["WATCHDOG=1", f"STATUS={status(snapshot_at(6))}"]
        assert reloading[0] == "RELOADING=1"
        assert again == ["READY=1"]
        assert end == ["STOPPING=1"]
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            hears()
