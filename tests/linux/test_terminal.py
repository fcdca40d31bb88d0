"""SIGHUP ends a run whose terminal is gone, and has the settings read again otherwise."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from httptop.linux.terminal import Terminal
from tests.patience import PATIENCE_S

_PROGRAM = """
import os, signal, sys
from httptop.linux.terminal import Terminal
terminal = Terminal()
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def hang_up(*_):
    os.write(out, b"gone\\n" if terminal.gone else b"there\\n")
    if terminal.gone:
        os._exit(0)
signal.signal(signal.SIGHUP, hang_up)
os.write(out, b"ready\\n")
while True:
    signal.pause()
"""


def _wait_for(file: Path, word: str, process: int) -> None:
    """Wait until the process wrote a word, or failed."""
    for _ in range(2000):
        with contextlib.suppress(FileNotFoundError):
            if word in file.read_text().split():
                return
        done, status = os.waitpid(process, os.WNOHANG)
        assert not done, f"ended with {status}: {file.read_text()}"
        time.sleep(0.01)
    raise AssertionError(f"never said {word}")


@pytest.mark.parametrize("stdin", ["terminal", "null"])
def test_a_signal_with_and_without_the_terminal(stdin: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    process, terminal = pty.fork()
    if process == 0:
        if stdin == "null":
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(sys.executable, [sys.executable, "-c", _PROGRAM, str(said)])
    _wait_for(said, "ready", process)
    os.kill(process, signal.SIGHUP)
    _wait_for(said, "there", process)
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert (status, said.read_text().split()) == (0, ["ready", "there", "gone"])


def test_a_service_has_none_to_lose() -> None:
    program = (
        "from httptop.linux.terminal import Terminal; "
        "terminal = Terminal(); print(terminal.gone, terminal.wait_until_gone())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("False False\n", "")


def test_it_is_there_now() -> None:
    assert not Terminal().gone
