"""A real httptop in a process of its own: in batch mode, or with its screen on a pty."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.context import Context
from bench.proc import rss_bytes, tree

SCREEN: Final = (140, 45)
_WAIT_S: Final = 30.0


class Program:
    """A running httptop; a thread reads its output, so that it never waits for us."""

    def __init__(
        self, run: Context, flags: tuple[str, ...], *, stdin: int, stdout: int, stderr: int | None
    ) -> None:
        """Start it; ``stderr`` None: kept, to be told where httptop fails."""
        script = Path(sys.executable).with_name("httptop")
        command = [str(script)] if script.exists() else [sys.executable, "-P", "-m", "httptop"]
        config = run.work / "httptop.toml"  # not the one that this host may have
        config.touch()
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HTTPTOP_")
        } | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        self._errors = (run.work / "httptop.stderr").open("w+b")
        self.started_s = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, "--config", str(config), *flags],
            stdin=stdin,
            stdout=stdout,
            stderr=self._errors if stderr is None else stderr,
            env=environment,
            start_new_session=True,
        )
        self.pid = self.process.pid

    def pids(self) -> list[int]:
        """Return its processes."""
        return tree(self.pid)

    def await_that(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds; raise RuntimeError with httptop's words if it never does."""
        end = time.monotonic() + _WAIT_S
        while not holds():
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(f"httptop did not show {what}: {self._words()}")
            time.sleep(0.002)

    def _words(self) -> str:
        self._errors.flush()
        self._errors.seek(0)
        return self._errors.read()[-600:].decode("utf-8", "replace") or "it said nothing"

    def end(self) -> None:
        """End it as a user does, or harder."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
        self._errors.close()


class Batch(Program):
    """httptop printing JSON."""

    def __init__(self, run: Context, *flags: str) -> None:
        read, write = os.pipe()
        super().__init__(
            run,
            ("-b", "--format", "json", *flags),
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=None,
        )
        os.close(write)
        self.snapshots = 0
        self.last: dict[str, Any] = {}
        self._paths: dict[str, float] = {}
        self._thread = threading.Thread(target=self._read, args=(read,), daemon=True)
        self._thread.start()

    def _read(self, descriptor: int) -> None:
        with open(descriptor, "rb") as stream:
            for line in stream:
                now = time.perf_counter()
                self.last = json.loads(line)
                for row in self.last["endpoints"]:
                    self._paths.setdefault(row["path"], now)
                self.snapshots += 1

    def await_path(self, path: str) -> float:
        """Wait for a row with this path; return the seconds from exec to it."""
        self.await_that(lambda: path in self._paths, f"a row {path}")
        return self._paths[path] - self.started_s

    def await_snapshots(self, number: int = 1) -> None:
        """Wait until so many snapshots have come in all."""
        self.await_that(lambda: self.snapshots >= number, "a snapshot")

    def final(self) -> dict[str, Any]:
        """End it and return its last snapshot."""
        self.end()
        self._thread.join(10)
        if not self.last.get("final"):
            raise RuntimeError("httptop printed no final snapshot")
        return self.last

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._thread.join(10)


class Screen(Program):
    """httptop with its screen on a pty of 140x45."""

    def __init__(self, run: Context, *flags: str, look_for: str = "") -> None:
        self._wanted = look_for.encode()
        self.seen_s: float | None = None
        self.bytes_drawn = 0
        self.peak_bytes = 0  # resident memory of all its processes, while look_for is awaited
        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", SCREEN[1], SCREEN[0], 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        try:
            # Textual draws on standard error.
            super().__init__(run, flags, stdin=slave, stdout=slave, stderr=slave)
        finally:
            os.close(slave)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        tail = b""
        with contextlib.suppress(OSError):  # EIO: its end of the pty is closed
            while more := os.read(self._master, 1 << 16):
                self.bytes_drawn += len(more)
                if self._wanted and self.seen_s is None:
                    tail = tail[-1024:] + more
                    if self._wanted in tail:
                        self.seen_s = time.perf_counter() - self.started_s

    def await_row(self, *, watch_memory: bool = False) -> float:
        """Wait for the text looked for; return the seconds from exec to it."""

        def seen() -> bool:
            if watch_memory:
                self.peak_bytes = max(self.peak_bytes, rss_bytes(self.pids()))
            return self.seen_s is not None

        self.await_that(seen, self._wanted.decode())
        assert self.seen_s is not None
        return self.seen_s

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, b"q")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.end()
        self._thread.join(5)
        os.close(self._master)
