"""Time that httptop adds to a system call that has no HTTP in it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from bench.context import Context
from bench.figures import Figure, spread
from bench.parsing import parse_dd
from bench.tracing import EMPTY, HTTPTOP, NOTHING, tracing, turns

_DD_BYTES: Final = 300_000
_MESSAGES: Final = 20_000
#: First bytes of no HTTP.
BINARY: Final = bytes(range(128, 192))
#: A word, a space: until its line ends, this might be a request with a method of its own.
TEXT: Final = b"set number 42 and some more words of a protocol made of text...\n"
_PAIR: Final = "64 bytes, send and recv, socket pair"
_CALLS: Final = 2  # read and write, or send and recv


def dd_ns(cpu: int) -> float:
    """Return the nanoseconds per call of copying one byte at a time."""
    ended = subprocess.run(
        ["taskset", "-c", str(cpu), "dd", "if=/dev/zero", "of=/dev/null", "bs=1",
         f"count={_DD_BYTES}"],
        capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    return parse_dd(ended.stderr) * 1e9 / _DD_BYTES / _CALLS


def socket_ns(cpu: int, payload: bytes) -> float:
    """Return the CPU time per call in ns, Python's own included, of bytes through a socket pair."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        near, far = socket.socketpair()
        with near, far:
            send, receive = near.send, far.recv
            began = time.thread_time_ns()
            for _ in range(_MESSAGES):
                send(payload)
                receive(len(payload))
            return (time.thread_time_ns() - began) / _MESSAGES / _CALLS
    finally:
        os.sched_setaffinity(0, allowed)


def measure(run: Context) -> list[Figure]:
    """Measure files and sockets in turns of nothing, the empty program and httptop."""
    run.say("time added per system call")
    section = "time added per system call without HTTP"
    kinds: tuple[tuple[str, Callable[[int], float], tuple[int, int]], ...] = (
        ("1-byte read and write of a file (dd)", dd_ns, (15, 5)),
        (f"{_PAIR}, binary", partial(socket_ns, payload=BINARY), (60, 20)),
        (f"{_PAIR}, text", partial(socket_ns, payload=TEXT), (60, 20)),
    )
    figures = []
    with tracing() as loaded:
        for name, once, rounds in kinds:
            once(run.server_cpu)
            found: dict[str, list[float]] = {NOTHING: [], EMPTY: [], HTTPTOP: []}
            for order in turns((NOTHING, EMPTY, HTTPTOP), run.choose(*rounds)):
                for state in order:
                    loaded.to(state)
                    found[state].append(once(run.server_cpu))
            bare = found[NOTHING]
            figures.append(Figure(section, f"{name}: untraced", "ns", spread(bare)))
            for state, what in ((EMPTY, "an empty program adds"), (HTTPTOP, "httptop adds")):
                added = [a - b for a, b in zip(found[state], bare, strict=True)]
                figures.append(Figure(section, f"{name}: {what}", "ns", spread(added)))
    return figures
