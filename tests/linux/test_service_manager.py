"""What a service manager hears: real sockets of its kind, with nobody behind them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.linux.service_manager import ServiceManager, take_manager
from tests.patience import PATIENCE_S


@pytest.fixture(params=["file", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """Return a manager's socket, that of a file or an abstract one."""
    name = str(tmp_path / "notify") if request.param == "file" else f"\0httptop-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(name)
        bound.settimeout(PATIENCE_S)
        yield bound


def named(bound: socket.socket) -> str:
    """Return the name of a socket as a manager gives it."""
    name = bound.getsockname()
    return "@" + name[1:].decode() if isinstance(name, bytes) else str(name)


def taken(bound: socket.socket, watchdog: str = "30000000") -> ServiceManager:
    manager = take_manager({"NOTIFY_SOCKET": named(bound), "WATCHDOG_USEC": watchdog})
    assert manager is not None
    return manager


def lines(bound: socket.socket) -> list[str]:
    return bound.recv(1 << 16).decode().split("\n")


def test_it_hears_how_a_service_lives(heard: socket.socket) -> None:
    manager = taken(heard)
    manager.alive(1.0, "STATUS=one\nSTOPPING=1")
    assert lines(heard) == ["READY=1", "WATCHDOG=1", "STATUS=one STOPPING=1"]
    manager.alive(1.0, "STATUS=" + "ü" * 2000)
    (more,) = (heard.recv(1 << 16),)
    assert more.startswith(b"WATCHDOG=1\nSTATUS=")
    assert len(more) == 2048
    manager.reloading()
    reloading, moment = lines(heard)
    assert reloading == "RELOADING=1"
    assert moment.removeprefix("MONOTONIC_USEC=").isdecimal()
    manager.reloaded(1.0)
    assert lines(heard) == ["READY=1"]
    manager.stopping()
    manager.stopping()
    manager.reloading()
    manager.reloaded(1.0)
    manager.alive(1.0, "STATUS=last")
    assert [lines(heard), lines(heard)] == [["STOPPING=1"], ["WATCHDOG=1", "STATUS=last"]]
    manager.close()


def test_a_reload_does_not_end_the_start(heard: socket.socket) -> None:
    manager = taken(heard)
    manager.reloading()
    manager.reloaded(1.0)
    manager.alive(1.0, "STATUS=one")
    assert lines(heard)[0] == "READY=1"


def test_the_watchdog_waits_for_three_ticks_if_they_are_long(heard: socket.socket) -> None:
    manager = taken(heard)
    manager.alive(60.0, "STATUS=one")
    assert "WATCHDOG_USEC=180000000" in lines(heard)
    manager.reloaded(1.0)
    assert lines(heard) == ["READY=1", "WATCHDOG_USEC=30000000"]
    assert manager.watchdog_s == 30.0
    unwatched = taken(heard, "")
    unwatched.alive(60.0, "STATUS=one")
    assert lines(heard) == ["READY=1", "WATCHDOG=1", "STATUS=one"]


def test_children_and_other_processes_have_no_manager(heard: socket.socket) -> None:
    variables = {"NOTIFY_SOCKET": named(heard), "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}
    manager = take_manager(variables)
    assert variables == {}
    assert manager is not None
    assert manager.watchdog_s == 0.0  # it is for another process
    assert take_manager({}) is take_manager({"NOTIFY_SOCKET": "vsock:2:1234"}) is None


def test_one_that_does_not_read_or_is_gone_holds_nobody_up(heard: socket.socket) -> None:
    manager = taken(heard)
    for _ in range(1000):  # more than its queue holds
        manager.alive(1.0, "STATUS=one")
    heard.close()
    manager.alive(1.0, "STATUS=two")
    with pytest.raises(OSError, match=r"Connection refused|No such file"):
        taken(heard) if heard.fileno() >= 0 else take_manager({"NOTIFY_SOCKET": "/nowhere/notify"})
