"""A process of another user that fills a table, and holds on to what it has until it is to go.

Run as ``python -m tests.live.flood KIND COUNT [GROUP]``: it becomes the user ``UID``, floods,
prints a line, and ends when its standard input does. If it is given the directory of a control
group, it enters that and stays root, as a process named ``flooding``.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

_OK: Final = b"HTTP/1.1 %d Flood\r\nContent-Length: 0\r\n\r\n"
_SET_NAME: Final = 15
#: A user that has no name, and runs nothing else.
UID: Final = 54_321

Ends = tuple[socket.socket, socket.socket]
_held: list[Ends] = []


def word(number: int) -> str:
    """Return a word that does not look like an id."""
    return "".join(chr(97 + number // 26**at % 26) for at in range(4))


def head(path: str, method: str = "GET") -> bytes:
    """Return a request."""
    return f"{method} /flood/{path} HTTP/1.1\r\nHost: f\r\n\r\n".encode()


def exchange(ends: Ends, request: bytes, status: int = 200) -> None:
    """Send a request and its response."""
    ends[0].sendall(request)
    ends[1].recv(1 << 16)
    ends[1].sendall(_OK % status)
    ends[0].recv(1 << 16)


def paths(count: int) -> None:
    """Request other paths, each once."""
    ends = socket.socketpair()
    for number in range(count):
        exchange(ends, head(word(number)), 200 + number % 2 * 204)


def statuses(count: int) -> None:
    """Answer some paths with every status."""
    ends = socket.socketpair()
    for path in range(count):
        for status in range(200, 1000):
            exchange(ends, head(f"s/{word(path)}"), status)


def codes(count: int) -> None:
    """Answer many paths with as many statuses as one may have."""
    ends = socket.socketpair()
    for path in range(count):
        for status in range(200, 216):
            exchange(ends, head(f"c/{word(path)}"), status)


def names(count: int) -> None:
    """Be another process each time."""
    libc = ctypes.CDLL(None)
    for number in range(count):
        libc.prctl(_SET_NAME, word(number).encode())
        ends = socket.socketpair()
        for path in range(3):
            exchange(ends, head(f"n/{word(path)}"))


def tenants(count: int) -> None:
    """Be as many processes, each of which keeps a connection; then request other paths."""
    libc = ctypes.CDLL(None)
    for number in range(count):
        libc.prctl(_SET_NAME, word(number).encode())
        ends = socket.socketpair()
        exchange(ends, head("t"))
        _held.append(ends)
    paths(count)


def quiet(count: int) -> None:
    """Be a process of another name that fails a few times."""
    ctypes.CDLL(None).prctl(_SET_NAME, b"quiet")
    ends = socket.socketpair()
    for _ in range(count):
        exchange(ends, head("quiet"), 503)


def methods(count: int) -> None:
    """Use methods of one's own."""
    ends = socket.socketpair()
    for number in range(count):
        exchange(ends, head(f"m/{word(number)}", word(number).upper()))


def pipelines(count: int) -> None:
    """Leave pipelines unanswered."""
    for _ in range(count):
        ends = socket.socketpair()
        ends[0].setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(40):
                ends[0].sendall(head("p") * 10)
        ends[1].recv(1 << 20)
        _held.append(ends)


def halves(count: int) -> None:
    """Begin requests and never end them."""
    for number in range(count):
        ends = socket.socketpair()
        ends[0].sendall(head(f"h/{word(number)}")[:-2])
        ends[1].recv(1 << 16)
        _held.append(ends)


def connections(count: int) -> None:
    """Keep connections open."""
    for number in range(count):
        ends = socket.socketpair()
        exchange(ends, head(f"c/{word(number % 50)}"))
        _held.append(ends)


def peers(count: int) -> None:
    """Be asked by other addresses, each once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for number in range(count):
            ours = f"127.1.{number >> 8}.{number & 255 or 1}", 0
            with socket.create_connection(listener.getsockname(), 5, ours) as client:
                server, _ = listener.accept()
                exchange((client, server), head("peers"))
                server.close()


def processes(count: int) -> None:
    """Be another process each time, of the same name."""
    for _ in range(count):
        child = os.fork()
        if not child:
            exchange(socket.socketpair(), head("processes"))
            os._exit(0)
        os.waitpid(child, 0)


def latencies(count: int) -> None:
    """Answer some paths with many statuses, within all times up to 8 ms, on both of two CPUs."""

    def answer(path: str) -> None:
        ends = socket.socketpair()
        for octave, cpu, status in itertools.product(range(14), range(2), range(200, 216)):
            os.sched_setaffinity(0, {cpu % (os.cpu_count() or 1)})
            ends[0].sendall(head(f"l/{path}"))
            ends[1].recv(1 << 16)
            time.sleep(2.0**octave / 1e6)
            ends[1].sendall(_OK % status)
            ends[0].recv(1 << 16)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(answer, map(word, range(count))))


def failures(count: int) -> None:
    """Fail."""
    ends = socket.socketpair()
    for _ in range(count):
        exchange(ends, head("fail"), 500)


KINDS: Final[dict[str, Callable[[int], None]]] = {
    function.__name__: function
    for function in (
        paths, statuses, codes, names, tenants, quiet, methods, pipelines, halves, connections,
        peers, processes, latencies, failures,
    )
}  # fmt: skip

if __name__ == "__main__":
    if len(sys.argv) > 3:
        ctypes.CDLL(None).prctl(_SET_NAME, b"flooding")
        Path(sys.argv[3], "cgroup.procs").write_text("0")
    else:
        os.setresuid(UID, UID, UID)
    KINDS[sys.argv[1]](int(sys.argv[2]))
    print(flush=True)
    sys.stdin.read()
