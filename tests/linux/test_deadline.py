"""The time by which the process has ended, whatever it waits for."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final

import pytest

from tests.patience import PATIENCE_S

_BEGINS: Final = """
import queue, re, signal, sys, threading
from httptop.linux.deadline import Deadline
deadline = Deadline()
signal.signal(signal.SIGTERM, lambda *_: deadline.set(0.3))
full = queue.Queue(1)
full.put(0)
"""
_WAITS: Final = {
    "for a queue that nobody empties": "print(flush=True)\nfull.put(0)",
    "for a thread that holds the interpreter's lock": """
deadline.set(0.3)
print(flush=True)
threading.Thread(target=lambda: re.match("(a+)+$", "a" * 40 + "!")).start()
threading.Event().wait()""",
}


@pytest.mark.parametrize("waits", _WAITS.values(), ids=_WAITS.keys())
def test_it_ends_a_process_that_waits(waits: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _BEGINS + waits], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        time.sleep(0.05)
        process.terminate()
        assert process.wait(PATIENCE_S) == 1
        assert process.stderr.read() == b""


def test_one_that_is_cancelled_ends_nothing() -> None:
    """In a process of its own: on a busy machine it may lose the CPU between two lines."""
    program = _BEGINS + (
        "import os, time\n"
        "before = os.listdir('/proc/self/fd')\n"
        "deadline.cancel()\n"
        "deadline.set(1.0)\n"
        "deadline.set(0.0001)  # it is set already\n"
        "deadline.cancel()\n"
        "deadline.cancel()\n"
        "time.sleep(1.2)\n"
        "print(len(os.listdir('/proc/self/fd')) - len(before))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=PATIENCE_S)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"0\n", b"")


def test_it_ends_one_without_a_descriptor_left() -> None:
    """What is said then goes to standard error."""
    program = _BEGINS + (
        "import os, resource\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "deadline.set(0.1)\nfull.put(0)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=PATIENCE_S)
    assert ran.returncode == 1
