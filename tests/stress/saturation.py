"""Whether every request is counted while other work takes both CPUs: ``make test-saturation``.

nginx answers pipelines of 1, 16, 64 and 512 requests a call, each of a path that nobody has asked
for before, with one worker and two, on kept connections and with a connection a batch. A process
for each CPU does nothing but spin meanwhile, and httptop runs as users run it. A batch is sent when
the one before has been answered, so nginx's own count, what was asked and what httptop counts on
either side have to be the same number. The status is 0 where they are, and nothing was lost.

HTTPTOP_SATURATION_REQUESTS changes how many requests each case makes.
"""

from __future__ import annotations

import functools
import itertools
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.live.live import new_path
from tests.live.nginx import Nginx

REQUESTS: Final = int(os.environ.get("HTTPTOP_SATURATION_REQUESTS", "40960"))
DEPTHS: Final = (1, 16, 64, 512)
_CLIENTS: Final = 2  # processes
_CONNECTIONS: Final = 4  # of each


class Case(NamedTuple):
    """A way to ask."""

    workers: int  # of nginx
    depth: int  # requests in a call
    keep: bool  # the connection

    def __str__(self) -> str:
        kept = "kept" if self.keep else "one a batch"
        return f"{self.workers} worker{'s' * (self.workers > 1)}, {self.depth:>3} a call, {kept}"


def _burn() -> None:
    while True:
        pass


@contextmanager
def burners() -> Iterator[None]:
    """Keep every CPU busy."""
    processes = [
        multiprocessing.Process(target=_burn, daemon=True) for _ in range(os.cpu_count() or 1)
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _batch(path: str, first: int, case: Case) -> bytes:
    heads = [
        f"GET {path}/{first + number} HTTP/1.1\r\nHost: test\r\n" for number in range(case.depth)
    ]
    if not case.keep:
        heads[-1] += "Connection: close\r\n"
    return ("\r\n".join(heads) + "\r\n").encode()


def _ask(port: int, path: str, numbers: Iterator[int], batches: int, case: Case) -> None:
    """Send batches on one connection after the other, each when the last has been answered."""
    open_one = functools.partial(socket.create_connection, ("127.0.0.1", port), 60)
    end = open_one()
    for _ in range(batches):
        end.sendall(_batch(path, next(numbers) * case.depth, case))
        answered = 0
        rest = b""
        while answered < case.depth:
            data = rest + end.recv(1 << 16)
            assert len(data) > len(rest), "nginx has closed the connection"
            answered += data.count(b"HTTP/1.1 200 ")
            rest = data[-12:]  # shorter than what is counted
        if not case.keep:
            end.close()
            end = open_one()
    end.close()


def _client(port: int, path: str, number: int, batches: int, case: Case) -> None:
    numbers = itertools.count(number, _CLIENTS)
    lock = threading.Lock()

    def locked() -> Iterator[int]:
        while True:
            with lock:
                yield next(numbers)

    threads = [
        threading.Thread(target=_ask, args=(port, path, locked(), batches, case))
        for _ in range(_CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run(case: Case, nginx: Nginx) -> list[str]:
    """Run a case; return what is wrong with the counts."""
    path = new_path()
    batches = max(1, REQUESTS // case.depth // _CLIENTS // _CONNECTIONS)
    asked = batches * case.depth * _CLIENTS * _CONNECTIONS
    command = [sys.executable, "-m", "httptop", "-b", "--format", "json"]
    command += ["--port", str(nginx.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as httptop:
        assert httptop.stdout is not None
        httptop.stdout.readline()  # it is attached now
        before = nginx.requests()
        with burners():
            clients = [
                multiprocessing.Process(
                    target=_client, args=(nginx.port, path, number, batches, case)
                )
                for number in range(_CLIENTS)
            ]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
        nginx.wait_until_idle()
        served = nginx.requests() - before
        httptop.send_signal(signal.SIGINT)
        *_, last = httptop.stdout
    return list(_faults(json.loads(last), path, asked, served))


def _faults(snapshot: dict[str, Any], path: str, asked: int, served: int) -> Iterator[str]:
    if served != asked:
        yield f"nginx served {served:,} of {asked:,}"
    for side in ("server", "client"):
        rows = [
            row
            for row in snapshot["endpoints"]
            if row["side"] == side and row["path"].startswith(path)
        ]
        found: dict[str, int] = {}
        for row in rows:
            for status, count in row["status"].items():
                found[status] = found.get(status, 0) + count
        if found != {"200": asked}:
            yield f"{side}: {found}"
    losses = {name: n for name, n in snapshot["health"].items() if n and name != "late_ticks"}
    if losses:
        yield f"health: {losses}"


def main() -> int:
    """Run every case; return 0 if all counts are right, 1 if not."""
    wrong = 0
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as work, Nginx(Path(work), workers) as nginx:
            for keep, depth in itertools.product((True, False), DEPTHS):
                case = Case(workers, depth, keep)
                faults = run(case, nginx)
                wrong += bool(faults)
                print(f"{case}: {'; '.join(faults) or 'exact'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
