"""The screen is drawn on standard output, and its keys come from a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
PROGRAM = """
import fcntl, os, sys, termios
if os.isatty(1):
    fcntl.ioctl(1, termios.TIOCSCTTY, 0)
from httptop.console import can_draw, read_keys
print("can" if can_draw(os.environ) else "can not", file=sys.stderr)
if can_draw(os.environ):
    read_keys()
    from httptop.app import HttptopApp
    class App(HttptopApp):
        def on_ready(self):
            self.say("r\\u00e9ady")
    App().run()
"""


def run(*, keys_on_terminal: bool, output_on_terminal: bool, **environ: str) -> tuple[str, str]:
    """Return what the terminal got, and standard error, of a run that q ends."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=theirs if keys_on_terminal else subprocess.DEVNULL,
        stdout=theirs if output_on_terminal else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", **environ},
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        drawn = b""
        try:
            while True:
                drawn += os.read(ours, 1 << 16)
                if b"ady" in drawn:
                    os.write(ours, b"q")
        except OSError:  # the last who had it is gone
            pass
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert process.wait(PATIENCE_S) == 0
    os.close(ours)
    return drawn.decode(), errors


@pytest.mark.parametrize("keys_on_terminal", [True, False])
def test_standard_error_gets_messages_alone(keys_on_terminal: bool) -> None:
    """Keys come from the controlling terminal where standard input is another file."""
    drawn, errors = run(keys_on_terminal=keys_on_terminal, output_on_terminal=True)
    assert errors == "can\n"
    assert "\x1b[?1049h" in drawn
    assert "httptop" in drawn
    assert "réady" in drawn


def test_what_a_locale_has_no_bytes_for_is_drawn_all_the_same() -> None:
    drawn, errors = run(
        keys_on_terminal=True, output_on_terminal=True, LC_ALL="C", PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
    )  # fmt: skip
    assert errors == "can\n"
    assert "╭" in drawn


def test_without_a_terminal_there_is_no_screen() -> None:
    drawn, errors = run(keys_on_terminal=True, output_on_terminal=False)
    assert (drawn, errors) == ("", "can not\n")
