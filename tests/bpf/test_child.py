"""How long a load may take: as long as its process works. The process is a stand-in."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.bpf.build.child import Loading, Patience, Plan
from httptop.collect.source import Interrupted
from httptop.errors import Unavailable
from httptop.linux.wakeup import Wakeup

#: Reads the plan, works, or does not, and gives a reply without descriptors.
CHILD = """
import socket, sys, time
channel = socket.socket(fileno=int(sys.argv[1]))
sys.stdin.read()
{work}
channel.send(
    b'{{"front": "none", "maps": [], "programs": [], "loops": true, "attach": [], "events": {{}}, '
    b'"refused": {{}}}}'
)
"""
BUSY = "while time.process_time() < 1.5: pass"
IDLE = "time.sleep(3600)"
#: A child has to be without progress for so long in two looks, half a second from each other.
SOON = Patience(quiet_s=0.1, stalled_s=0.4)


def loading(work: str) -> Loading:
    made = Loading([sys.executable, "-c", CHILD.format(work=work)])
    made.give(Plan({}))
    return made


@pytest.fixture
def stop() -> Iterator[Wakeup]:
    made = Wakeup()
    yield made
    made.close()


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_it_waits_for_a_child_that_works_and_says_so_once() -> None:
    told: list[str] = []
    patience = Patience(quiet_s=0.1, stalled_s=60)
    probes = loading(BUSY).wait(tell=told.append, patience=patience)
    assert probes.front == "none"
    assert told == [
        "the probes are still being compiled and loaded after 0.1 s; "
        "that takes long on a slow or busy machine"
    ]


def test_a_quick_child_needs_no_words() -> None:
    told: list[str] = []
    assert loading("").wait(tell=told.append).front == "none"
    assert told == []


def test_a_child_says_what_it_does_meanwhile() -> None:
    steps: list[str] = []
    said = "\n".join(
        f'channel.send(b\'{{"doing": "{step}"}}\')' for step in ("compile_once", "load")
    )
    assert loading(said).wait(tell=lambda _: None, doing=steps.append).front == "none"
    assert steps == ["compile_once", "load"]


def test_a_child_that_does_nothing_is_given_up() -> None:
    child = loading(IDLE)
    with pytest.raises(Unavailable, match=r"has used no CPU time for 0\.4 s \([0-9.]+ s in all\)"):
        child.wait(tell=lambda _: None, patience=SOON)
    assert gone(child.pid)


def test_a_child_that_ends_is_not_waited_for() -> None:
    child = loading("sys.exit('the compiler is gone')")
    with pytest.raises(Unavailable, match="ended early: the compiler is gone"):
        child.wait()
    assert gone(child.pid)


def test_the_wait_can_be_ended(stop: Wakeup) -> None:
    child = loading(IDLE)
    stop.set()
    began_s = time.monotonic()
    with pytest.raises(Interrupted):
        child.wait(stop=stop.reader)
    assert gone(child.pid)
    assert time.monotonic() - began_s < 30
