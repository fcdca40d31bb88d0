"""Every way to end, at any moment: no process and no probe is left, and nobody has to help."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from subprocess import Popen
from typing import Final

import pytest

from tests.live.command import (
    HELPER,
    LINKS,
    batch,
    children,
    document,
    eventually,
    held_by,
    readable,
    released,
    running,
    terminal,
    until,
)
from tests.patience import PATIENCE_S, comes

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

#: general.shutdown_timeout as it is by default.
_TIMEOUT_S: Final = 5.0
SOON: Final = {"GENERAL__SHUTDOWN_TIMEOUT": f"{_TIMEOUT_S:g}s"}
_CLOSED: Final = 0
#: What ends a run, and after how many seconds, on a screen.
_MOMENTS: Final = [
    (0.2, signal.SIGHUP),  # later it has the settings read again
    (0.4, _CLOSED),
    (0.6, signal.SIGINT),
    (0.8, _CLOSED),
    (1.0, signal.SIGTERM),
    (1.2, _CLOSED),
]


@contextlib.contextmanager
def marked(name: str) -> Iterator[str]:
    """What to put into SUDO_COMMAND, which processes inherit; none of them is left afterwards."""
    mark = f"{name}-{os.getpid()}"
    yield mark
    assert eventually(lambda: not of(mark)), {pid: _said(pid) for pid in of(mark)}


def of(mark: str) -> set[int]:
    """Return the processes that inherited a mark."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if f"SUDO_COMMAND={mark}".encode() in (entry / "environ").read_bytes():
                    found.add(int(entry.name))
    return found


def _said(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/status").read_text()
    return ""


def state(pid: int) -> str:
    """Return the state of a process: R, S, T..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


@contextlib.contextmanager
def watched(end: FileIO) -> Iterator[None]:
    """Read a terminal as its user would."""
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            if comes(end, 0.02):
                try:
                    end.read(65536)
                except OSError:
                    return

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def ends(run: Popen[str], within_s: float = _TIMEOUT_S) -> int:
    """Return the status of a run that ends in time."""
    return run.wait(within_s + PATIENCE_S)


def loader_of(run: Popen[str]) -> int:
    """Return the loader of a run that has just been started."""
    found: list[int] = []

    def looked() -> bool:
        for pid in children(run.pid).values():
            with contextlib.suppress(OSError):
                if b"httptop.bpf.build.loader" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return bool(found)

    assert eventually(looked)
    return found[0]


@pytest.mark.parametrize(("at_s", "how"), _MOMENTS)
def test_a_screen_ends_at_any_moment_of_its_start(at_s: float, how: int) -> None:
    with marked(f"at-{at_s}") as mark, terminal(SUDO_COMMAND=mark, **SOON) as (run, end):
        with watched(end):
            time.sleep(at_s)
            if how:
                run.send_signal(how)
                assert ends(run) in (0, -how)
        if not how:
            end.close()
            assert ends(run) in (0, -signal.SIGHUP)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_batch_run_ends_while_its_loader_is_stopped(number: signal.Signals) -> None:
    """At once: it kills the loader, and waits for nothing that it would have to do."""
    with marked("loader") as mark, running("-b", SUDO_COMMAND=mark, **SOON) as run:
        os.kill(loader_of(run), signal.SIGSTOP)
        time.sleep(0.6)
        run.send_signal(number)
        assert ends(run) in (0, -number)


def test_the_loader_ends_with_a_run_that_is_killed() -> None:
    with marked("killed") as mark, running("-b", SUDO_COMMAND=mark, **SOON) as run:
        loader = loader_of(run)
        os.kill(loader, signal.SIGSTOP)
        assert eventually(lambda: state(loader) == "T")
        run.kill()
        assert ends(run) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_helper_ends_with_the_run(number: signal.Signals) -> None:
    """Although httptop, which is no longer root, may not kill it: the kernel does."""
    with marked("helper") as mark, batch(SUDO_COMMAND=mark, **SOON) as run:
        helper, held = children(run.pid)[HELPER], held_by(run.pid)
        assert held[LINKS]
        os.kill(helper, signal.SIGSTOP)
        assert eventually(lambda: state(helper) == "T")
        run.send_signal(number)
        # Waiting for the helper may take all of the time to end: then the timer ends the run.
        assert ends(run) in ((0, 1) if number == signal.SIGTERM else (-number,))
        released(held)


def test_a_terminal_that_nobody_reads_holds_nothing_up() -> None:
    """The thread that writes to it waits for ever, and so does who waits for that thread."""
    with marked("stalled") as mark:
        settings = {"GENERAL__SHUTDOWN_TIMEOUT": "1s", "GENERAL__TICK": "0.1s"}
        with terminal(SUDO_COMMAND=mark, **settings) as (run, end):
            until(end, "\x1b[?1049h")
            writes = f"/proc/{run.pid}/task"

            def stands() -> bool:
                end.write(b"\x0c")  # Ctrl-L: on a quiet host there is little else to draw
                waits = [Path(f"{writes}/{task}/wchan").read_text() for task in os.listdir(writes)]
                return any("n_tty_write" in where or "wait_woken" in where for where in waits)

            assert eventually(stands)
            run.send_signal(signal.SIGTERM)
            assert ends(run, 1.0) in (0, 1)


def test_a_helper_that_is_late_or_gone_is_told_and_no_old_cost_is_shown() -> None:
    with batch("-d", "0.1", "-p", str(os.getpid())) as run:
        helper = children(run.pid)[HELPER]

        def await_cost(*, known: bool, note: str = "") -> None:
            for _ in range(10 * int(PATIENCE_S)):
                one = document(run)
                told = "".join(one.get("notes", ()))
                if ("bpf_cpu_percent" in one["overhead"]) == known and note in told:
                    assert ("helper of httptop" in told) == bool(note)
                    return
            pytest.fail(f"{note or 'a cost'} never came")

        await_cost(known=True)
        os.kill(helper, signal.SIGSTOP)
        await_cost(known=False, note="does not answer")
        os.kill(helper, signal.SIGCONT)
        await_cost(known=True)
        os.kill(helper, signal.SIGKILL)
        await_cost(known=False, note="is gone")
        run.send_signal(signal.SIGTERM)
        assert json.loads(run.communicate(timeout=PATIENCE_S)[0].splitlines()[-1])["final"]
        assert run.returncode == 0


def test_a_screen_that_is_suspended_comes_back() -> None:
    python, environ = readable()
    # Without traffic, which others on this host may have, it says what it watches.
    shell = '"$0" -P -m httptop -p $$; echo "it ended with $?"; fg; echo "it ended with $?"'
    ours, theirs = os.openpty()
    with (
        marked("suspended") as mark,
        Popen(
            ["setsid", "-cw", "bash", "-m", "-c", shell, python],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd="/",
            env={**environ, "SUDO_COMMAND": mark},
        ) as run,
        open(ours, "r+b", buffering=0) as end,  # closed first: it hangs up what still runs
    ):  # fmt: skip
        os.close(theirs)
        until(end, "\x1b[?1049h")
        until(end, "Watching")
        end.write(b"\x1a")
        until(end, "\x1b[?1049l")
        until(end, f"it ended with {128 + signal.SIGTSTP - 1}")
        until(end, "\x1b[?1049h")
        until(end, "Watching")
        end.write(b"q")
        until(end, "it ended with 0")
        assert run.wait(PATIENCE_S) == 0


def test_a_screen_without_a_shell_is_not_suspended() -> None:
    with terminal("-p", str(os.getpid())) as (run, end):
        until(end, "Watching")
        end.write(b"\x1a")
        until(end, "not suspended")
        end.write(b"q")
        with watched(end):
            assert run.wait(PATIENCE_S) == 0
