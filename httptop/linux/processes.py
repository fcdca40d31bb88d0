"""Other processes: whether they are there and work, and how to end one of ours."""

from __future__ import annotations

import os
import subprocess
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/PID/stat behind the name: time in user mode, and in the kernel.
_USER, _KERNEL = 11, 12


def cpu_time_s(pid: int) -> float:
    """Return the CPU time of a process and its threads, in steps of a clock tick (10 ms).

    0 where there is no such process.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[_USER]) + int(fields[_KERNEL])) / _TICKS_PER_S


def end_child(child: subprocess.Popen[bytes], patience_s: float) -> None:
    """Wait for a child that was told to end, and kill it where it does not do so in time."""
    try:
        child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
