"""CPU time of httptop's programs, as the kernel's own statistics report it.

Per request and side at saturation, for three shapes of requests, and per call that is not HTTP.
Statistics cost two looks at the clock a run, part of which is in the figure. So what an empty
program is said to take at the same tracepoints is subtracted for each run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, NamedTuple

from bench.context import Context
from bench.figures import Figure, Goal, spread
from bench.load import Shape, wrk
from bench.shapes import in_turns, long_requests
from bench.syscall_cost import BINARY, TEXT, socket_ns
from bench.throughput import Patience
from bench.tracing import EMPTY, HTTPTOP, Tracing, tracing, turns
from httptop.linux import bpf_syscall

_CALL_GOAL: Final = Goal("<=", 20.0)
_SIDES = 2  # on loopback each request is seen by the server and by the client


class _Slice(NamedTuple):
    """What the programs did in a slice of time."""

    requests: int  # 1 where calls are counted alone
    spent_ns: int
    runs: int


def measure(run: Context) -> list[Figure]:
    """Measure with the kernel's program statistics on."""
    nginx = run.nginx
    shapes = {
        "a short request, as before": (Shape(), Goal("<=", 0.60)),
        "480 bytes, another trace each time": (
            long_requests(nginx.host, nginx.path), Goal("<=", 0.70),
        ),
        "three endpoints in turns": (in_turns(nginx.host, nginx.paths), Goal("<=", 0.90)),
    }  # fmt: skip
    figures: list[Figure] = []
    with tracing() as loaded:
        statistics = bpf_syscall.enable_stats()
        try:
            for name, (shape, goal) in shapes.items():
                figures += _requests(run, loaded, name, shape, goal)
            for name, payload in (("binary", BINARY), ("text", TEXT)):
                figures.append(_calls(run, loaded, name, payload))
        finally:
            os.close(statistics)
    return figures


def _requests(run: Context, loaded: Tracing, name: str, shape: Shape, goal: Goal) -> list[Figure]:
    run.say(f"BPF time, {name}")
    rounds = run.choose(20, 6)
    with wrk(run.nginx.url, shape, run.load_cpu, run.work) as load:
        patience = Patience(run, 20 + rounds)
        pid = load.process.pid
        found = _in_turns(loaded, rounds, lambda: _at_saturation(loaded, patience, pid))
    patience.tell(f"BPF time, {name}")
    per_request = [(traced, traced.requests * _SIDES) for _, traced in found]
    net = [_net_ns(empty, traced) / traced.requests / _SIDES / 1e3 for empty, traced in found]
    raw = [traced.spent_ns / requests / 1e3 for traced, requests in per_request]
    runs = [traced.runs / requests for traced, requests in per_request]
    section = "BPF time per request and side, nginx at saturation, both sides"
    return [
        Figure(section, name, "us", spread(net), goal),
        Figure(section, f"{name}: with the cost of timing", "us", spread(raw)),
        Figure(section, f"{name}: program runs", "runs", spread(runs)),
    ]


def _calls(run: Context, loaded: Tracing, name: str, payload: bytes) -> Figure:
    run.say(f"BPF time, calls without HTTP, {name}")

    def once() -> _Slice:
        before = loaded.times()
        socket_ns(run.server_cpu, payload)
        spent, runs = (b - a for a, b in zip(before, loaded.times(), strict=True))
        return _Slice(1, spent, runs)

    found = _in_turns(loaded, run.choose(40, 12), once)
    each = [_net_ns(empty, traced) / traced.runs for empty, traced in found]
    section = "BPF time per send or recv of 64 bytes that are not HTTP, beyond an empty program's"
    return Figure(section, name, "ns", spread(each), _CALL_GOAL)


def _in_turns(
    loaded: Tracing, rounds: int, once: Callable[[], _Slice]
) -> list[tuple[_Slice, _Slice]]:
    """Return a slice with an empty program and one with httptop for each round."""
    pairs = []
    for order in turns((EMPTY, HTTPTOP), rounds):
        found = {}
        for state in order:
            loaded.to(state)
            found[state] = once()
            if state == HTTPTOP:
                loaded.drain()
        pairs.append((found[EMPTY], found[HTTPTOP]))
    return pairs


def _net_ns(empty: _Slice, traced: _Slice) -> float:
    """Return the time of a slice, less what as many runs of the empty program would take."""
    return traced.spent_ns - traced.runs * empty.spent_ns / empty.runs


def _at_saturation(loaded: Tracing, patience: Patience, wrk_pid: int) -> _Slice:
    """Return what happened in an undisturbed slice."""
    times: list[tuple[int, int]] = []

    def began() -> None:
        times[:] = [loaded.times()]

    taken = patience.take(wrk_pid, began=began)
    spent, runs = (b - a for a, b in zip(times[0], loaded.times(), strict=True))
    return _Slice(taken.requests, spent, runs)
