"""Look at other processes: whether they have ended, their CPU time; end a child."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import subprocess
from pathlib import Path
from typing import Final

#: Inode of the first process id namespace, a constant of the kernel (PROC_PID_INIT_INO).
FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/PID/stat after the name: time in user mode, and in the kernel.
_USER, _KERNEL, _STARTED = 11, 12, 19


class Process:
    """One process, not whoever has its id later."""

    def __init__(self, pid: int, *, hold: bool = True) -> None:
        """Find the process that has an id now; raise :class:`ProcessLookupError` if none has.

        ``hold``: keep a descriptor of it, which costs one and makes it cheap to see its end.
        """
        self.pid = pid
        self._fd: int | None = None
        try:
            self._fd = os.pidfd_open(pid)
        except (ProcessLookupError, ValueError, OverflowError):
            raise ProcessLookupError(pid) from None
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):  # another thread of a process
                raise ProcessLookupError(pid) from None
        try:
            #: Its id in the namespace that /proc shows.
            self._shown = pid if self._fd is None else _shown_pid(self._fd)
            self.name = Path(f"/proc/{self._shown}/comm").read_bytes().rstrip(b"\n")
            #: When it was started, in nanoseconds since boot; it may have been up to 10 ms later.
            self.started_ns = self._started_ns()
            found = self._started_ns() == self.started_ns and not self.has_ended
        except OSError:
            found = False
        if not (found and hold):
            self.close()
        if not found:
            raise ProcessLookupError(pid)

    def _started_ns(self) -> int:
        with open(f"/proc/{self._shown}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return int(fields[_STARTED]) * (1_000_000_000 // _TICKS_PER_S) - _boot_offset_ns()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        if self._fd is not None:
            waiting = select.poll()
            waiting.register(self._fd, select.POLLIN)
            return bool(waiting.poll(0))
        try:
            return self._started_ns() != self.started_ns
        except OSError:
            return True

    def close(self) -> None:
        """Let go of it; idempotent."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _shown_pid(pidfd: int) -> int:
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    return int(text.partition("\nPid:\t")[2].partition("\n")[0])


def _boot_offset_ns(offsets: Path = Path("/proc/self/timens_offsets")) -> int:
    """Return what the time namespace of this process adds to the time since boot."""
    with contextlib.suppress(OSError):
        for line in offsets.read_text().splitlines():
            name, seconds, nanoseconds = line.split()
            if name in ("boottime", "7"):
                return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return 0


def shows_others(proc: Path = Path("/proc")) -> bool:
    """Return whether /proc has the process ids of another namespace than ours."""
    try:
        return os.readlink(proc / "self") != str(os.getpid())
    except OSError:
        return False


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
