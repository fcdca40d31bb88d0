"""The demo started by a launcher: both ends of their socket, the launcher a child process."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from httptop.demo import launched, supervisor
from httptop.demo.launched import LaunchedDemo, serve
from httptop.errors import HttptopError
from httptop.linux.wakeup import Wakeup

Launch = Callable[[], LaunchedDemo]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Makes a launcher and returns httptop's end; both are gone afterwards."""
    made: list[tuple[LaunchedDemo, int]] = []

    def make() -> LaunchedDemo:
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            try:
                ours.close()
                serve(theirs.detach())
            finally:
                os._exit(0)
        theirs.close()
        made.append((LaunchedDemo(ours.detach()), child))
        return made[-1][0]

    yield make
    for demo, child in made:
        demo.stop()
        os.waitpid(child, 0)


@pytest.fixture
def stop() -> Iterator[Wakeup]:
    made = Wakeup()
    yield made
    made.close()


def services() -> list[int]:
    """Return the processes that our launcher has started."""
    launcher = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()[-1]
    started = Path(f"/proc/{launcher}/task/{launcher}/children").read_text()
    return [int(pid) for pid in started.split()]


def test_it_starts_tells_of_the_first_response_and_ends_with_all(
    launch: Launch, stop: Wakeup
) -> None:
    with launch() as demo:
        demo.start()  # once more changes nothing
        assert demo.wait_for_response(30, stop.reader)
        assert demo.wait_for_response(0, stop.reader)
        started = services()
        assert len(started) == 4
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    demo.stop()


def test_one_that_is_never_started_ends(launch: Launch) -> None:
    launch().stop()


def test_why_it_could_not_be_started_is_told(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError(11, "no process to be had")

    monkeypatch.setattr(supervisor.Demo, "start", fail)
    with pytest.raises(HttptopError, match="no process to be had"):
        launch().start()


def test_a_launcher_that_is_gone_or_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    demo = LaunchedDemo(ours.detach())
    monkeypatch.setattr(launched, "_START_PATIENCE_S", 0.01)
    with pytest.raises(HttptopError, match="does not answer"):
        demo.start()
    theirs.close()
    with pytest.raises(HttptopError, match=r"does not answer|is gone"):
        demo.start()
    demo.stop()


def test_to_wait_for_a_response_ends(stop: Wakeup) -> None:
    ours, theirs = socket.socketpair()
    demo = LaunchedDemo(ours.detach())
    assert not demo.wait_for_response(0.01, stop.reader)
    stop.set()
    assert not demo.wait_for_response(3600, stop.reader)
    stop.clear()
    theirs.close()
    assert not demo.wait_for_response(3600, stop.reader)
    demo.stop()
