"""Other processes: whether they are there and work, and how to end one of ours."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

#: Inode of the first process id namespace, a constant of the kernel (PROC_PID_INIT_INO).
FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/PID/stat behind the name: time in user mode, and in the kernel.
_USER, _KERNEL = 11, 12


def is_process(pid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether there is a process of this number; that of a thread is none."""
    try:
        status = (proc / str(pid) / "status").read_text("utf-8", "replace")
    except OSError:
        return False
    return f"\nTgid:\t{pid}\n" in status


def in_first_pid_namespace() -> bool:
    """Return whether processes have the numbers here that the kernel gives them itself."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino == FIRST_PID_NAMESPACE
    except OSError:
        return False


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
