"""nginx and two Python servers under load: each filter shows exactly the requests that it means.

The command runs as users run it; what it prints is compared with the servers' own logs.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.live.command import document, running
from tests.live.nginx import Nginx
from tests.patience import PATIENCE_S

#: All cases share one load, which each run would see twice if two processes shared the cases.
pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("filtered runs")]

#: Requests of each load, and how many at a time.
EACH: Final = 400
PATHS: Final = ("/users/7", "/users/8", "/missing", "/other")

_SERVER: Final = """
import ctypes, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
ctypes.CDLL(None).prctl(15, sys.argv[1].encode())
log = open(sys.argv[2], "w", buffering=1)
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        status = 404 if self.path.endswith("/missing") else 200
        log.write(f"{self.path} {status}\\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass
class Server:
    """A server under load and what it says that it served: (path, status)."""

    name: str
    pids: str
    port: int
    log: Path
    process: subprocess.Popen[str] | None = None

    def served(self) -> Counter[tuple[str, int]]:
        lines = (line.split() for line in self.log.read_text().splitlines())
        return Counter((path, int(status)) for path, status in lines)


def children(pid: int, count: int) -> list[str]:
    """Wait until a process has so many children; return their numbers."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if len(found) == count:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    work = tmp_path_factory.mktemp("servers")
    with ExitStack() as stack:
        nginx = stack.enter_context(Nginx(tmp_path_factory.mktemp("nginx"), 2))
        workers = children(nginx.process.pid, 2)
        found = [Server("nginx", ",".join(workers), nginx.port, nginx.log)]
        for name in ("orders", "search"):
            log = work / name
            process = subprocess.Popen(
                [sys.executable, "-c", _SERVER, name, str(log)], stdout=subprocess.PIPE, text=True
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            port = int(process.stdout.readline())
            found.append(Server(name, str(process.pid), port, log, process))
        yield found


def load(servers: list[Server]) -> None:
    """Have ab ask every server for every path, all servers at a time."""

    def ask(server: Server) -> None:
        for path in PATHS:
            subprocess.run(
                [
                    "ab",
                    "-q",
                    "-n",
                    str(EACH),
                    "-c",
                    "4",
                    f"http://127.0.0.1:{server.port}{path}",
                ],
                stdout=subprocess.DEVNULL,
                check=True,
                timeout=PATIENCE_S,
            )

    threads = [threading.Thread(target=ask, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


Meant = Callable[[str, str, int], bool]
CASES: Final[dict[str, Meant]] = {
    "--pid {pids[0]},{pids[1]}": lambda name, _path, _status: name != "search",
    "--path /users/* --port {ports[1]}": (
        lambda name, path, _status: name == "orders" and path == "/users/{id}"
    ),
    "--status 4xx --comm ng*,search": (
        lambda name, _path, status: name != "orders" and status == 404
    ),
    "--filter=not comm = nginx and (status = 404 or path = /other) and port != {ports[1]}": (
        lambda name, path, _status: name == "search" and path in ("/missing", "/other")
    ),
    "--filter=(port = {ports[0]} or pid = {pids[1]}) and status < 400": (
        lambda name, _path, status: name != "search" and status == 200
    ),
}


Counts = Counter[tuple[str, str, int]]


def counts_of(run: subprocess.Popen[str]) -> Counts:
    """End a run; return (process, path, status) of what its last snapshot holds."""
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=PATIENCE_S)
    last: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert last["final"]
    assert last["health"]["lost_samples"] == 0  # parse errors may be other tests' on this host
    rows = [
        row
        for row in last["endpoints"]
        if row["path"].startswith(("/users/", "/missing", "/other"))
    ]
    assert all(row["unanswered"] == 0 for row in rows)
    return Counter(
        {
            (row["process"], row["path"], int(status)): count
            for row in rows
            for status, count in row["status"].items()
        }
    )


@pytest.fixture(scope="module")
def shown(servers: list[Server]) -> dict[str, Counts]:
    """Return what a run with each filter has shown of one load, all of them side by side."""
    pids, ports = [server.pids for server in servers], [server.port for server in servers]
    with ExitStack() as stack:
        runs = {}
        for flags in CASES:
            words = [flags] if "=" in flags.split()[0] else flags.split()
            filled = (word.format(pids=pids, ports=ports) for word in words)
            runs[flags] = stack.enter_context(
                running("-b", "--format", "json", "--side", "server", *filled)
            )
        for run in runs.values():
            document(run)  # attached, and a first snapshot taken
        load(servers)
        return {flags: counts_of(run) for flags, run in runs.items()}


@pytest.mark.parametrize("flags", CASES)
def test_a_filter_shows_what_it_means(
    servers: list[Server], shown: dict[str, Counts], flags: str
) -> None:
    meant = CASES[flags]
    expected: Counts = Counter()
    for server in servers:
        for (path, status), count in server.served().items():
            template = "/users/{id}" if path.startswith("/users") else path
            if meant(server.name, template, status):
                expected[server.name, template, status] += count
    assert shown[flags] == expected
    assert expected.total() % EACH == 0
    assert expected
