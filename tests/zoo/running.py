"""A server of the zoo at work: started on a port of its own, ended, its log read."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
APPS: Final = Path(__file__).parent / "apps"
OWN: Final = ROOT / ".zoo"
PYTHON: Final = ROOT / ".venv-zoo" / "bin" / "python"

#: Requests by method, path and status; 0 for one that got no response.
Responses = Counter[tuple[str, str, int]]

FILE_SIZE: Final = 5_000_011
_START_S: Final = 30.0
_END_S: Final = 5.0
_LOG_S: Final = 1.0
#: ``METHOD PATH STATUS``, or the same with the request line in one piece.
LINE: Final = re.compile(r"\b([A-Z]+) (/\S*)(?: HTTP/1\.[01]\"?)? (\d{3})\b")


@dataclass(frozen=True)
class Server:
    """How to start one server, and where its log is.

    ``command`` gets the work directory and the port, writes what configuration it needs, and
    returns the command that serves ``work/www`` or answers like the files there. What it prints
    goes to ``work/access.log`` unless it logs there by itself.
    """

    name: str
    command: Callable[[Path, int], list[str]]
    needs: Path | str
    version: tuple[str, ...]
    line: re.Pattern[str] = LINE
    #: A server behind it, for a proxy: it gets the next port.
    behind: Server | None = None


@dataclass
class Running:
    """A server that responds."""

    server: Server
    port: int
    log: Path
    processes: list[subprocess.Popen[bytes]]
    io_uring: bool = False

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def look(self) -> None:
        """See whether it uses io_uring: a ring is a file that one of its processes has open."""
        self.io_uring = any(
            "io_uring" in link for process in self.processes for link in _open_files(process.pid)
        )

    def settle(self, prefix: str, count: int) -> None:
        """Let it write its log: some do after the response, and not when they are ended before."""
        deadline = time.monotonic() + _LOG_S
        while self.logged(prefix).total() < count and time.monotonic() < deadline:
            time.sleep(0.02)

    def end(self) -> None:
        """End it, in order, with all that it started."""
        for process in self.processes:
            _end(process)

    def logged(self, prefix: str) -> Responses:
        """Return its own counts of responses for a path; complete once it has ended."""
        return _read(self.log, self.server.line, prefix)

    def logged_behind(self, prefix: str) -> Responses:
        """Return the same of the server behind a proxy."""
        assert self.server.behind is not None
        return _read(self.log.parent / "behind" / self.log.name, self.server.behind.line, prefix)


@contextlib.contextmanager
def running(server: Server, work: Path, paths: tuple[str, ...]) -> Iterator[Running]:
    """Start a server with the files under each of these paths; end it."""
    port, other = _free_ports(2)
    www = work / "www"
    for path in paths:
        (www / path.lstrip("/")).mkdir(parents=True)
        (www / path.lstrip("/") / "ok").write_text("ok\n")
        body = b"GET / HTTP/1.1\r\n" * (FILE_SIZE // 16) + b"x" * (FILE_SIZE % 16)
        (www / path.lstrip("/") / "file.bin").write_bytes(body)
    log = work / "access.log"
    one = Running(server, port, log, [])
    try:
        if server.behind is not None:
            (work / "behind").mkdir()
            (work / "behind" / "www").symlink_to(www)
            one.processes.append(_start(server.behind, work / "behind", other))
            _await(one.processes[-1], other, work / "behind")
        one.processes.insert(0, _start(server, work, port, other))
        _await(one.processes[0], port, work)
        yield one
    finally:
        one.end()


def _read(log: Path, line: re.Pattern[str], prefix: str) -> Responses:
    found = line.findall(log.read_text(errors="replace"))
    return Counter(
        (method, path, int(status)) for method, path, status in found if path.startswith(prefix)
    )


def _start(server: Server, work: Path, port: int, other: int = 0) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ, "PYTHONPATH": str(APPS), "PYTHONUNBUFFERED": "1", "HOME": str(work),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    (work / "behind.port").write_text(str(other))
    with (work / "access.log").open("ab") as log:
        return subprocess.Popen(
            server.command(work, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=work,
            start_new_session=True,
        )


def _await(process: subprocess.Popen[bytes], port: int, work: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"did not start: {(work / 'access.log').read_text()[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    # The session is ours: what is left in it are its workers.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _open_files(session: int) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(process.name)) == session:
                for name in (process / "fd").iterdir():
                    with contextlib.suppress(OSError):
                        yield str(name.readlink())


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
