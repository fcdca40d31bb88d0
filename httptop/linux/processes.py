"""Look at other processes: whether they exist, their CPU time; end a child."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

#: Inode of the first process id namespace, a constant of the kernel (PROC_PID_INIT_INO).
FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/PID/stat after the name: time in user mode, and in the kernel.
_USER, _KERNEL = 11, 12


def is_process(pid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether ``pid`` is the id of a process, not of another thread of one."""
    try:
        status = (proc / str(pid) / "status").read_text("utf-8", "replace")
    except OSError:
        return False
    return f"\nTgid:\t{pid}\n" in status


def own_pid_namespace(proc: Path = Path("/proc")) -> int | None:
    """Return the number of the namespace that process ids here belong to.

    None: they are those of the first one, which the kernel uses, or that is unknown.
    """
    try:
        number = os.stat(proc / "self/ns/pid").st_ino
    except OSError:
        return None
    return None if number == FIRST_PID_NAMESPACE else number


def cpu_time_s(pid: int) -> float:
    """Return the CPU time of a process and its threads, in steps of a clock tick (10 ms).

    It is 0 if there is no such process.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[_USER]) + int(fields[_KERNEL])) / _TICKS_PER_S


def end_child(child: subprocess.Popen[bytes], patience_s: float) -> None:
    """Wait for a child that was told to end; kill it if it does not end in time."""
    try:
        child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
