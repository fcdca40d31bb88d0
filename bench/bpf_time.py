"""CPU time of httptop's programs per request, as the kernel's own statistics report it."""

from __future__ import annotations

import os

from bench.context import Context
from bench.figures import Figure, Goal, spread
from bench.load import Shape, wrk
from bench.throughput import Patience
from bench.tracing import EMPTY, HTTPTOP, Tracing, tracing, turns
from httptop.linux import bpf_syscall

_GOAL = Goal("<=", 0.6)
_SIDES = 2  # on loopback each request is seen by the server and by the client


def measure(run: Context) -> list[Figure]:
    """Measure at saturation, with the kernel's program statistics on."""
    run.say("BPF time per request")
    clock: list[float] = []
    raw: list[float] = []
    net: list[float] = []
    runs_each: list[float] = []
    rounds = run.choose(20, 6)
    with tracing() as loaded, wrk(run.nginx.url, Shape(), run.load_cpu, run.work) as load:
        patience = Patience(run, 20 + rounds)
        statistics = bpf_syscall.enable_stats()
        try:
            for order in turns((EMPTY, HTTPTOP), rounds):
                found = {}
                for state in order:
                    loaded.to(state)
                    found[state] = _slice(loaded, patience, load.process.pid)
                    if state == HTTPTOP:
                        loaded.drain()
                _, spent, runs = found[EMPTY]
                own = spent / runs
                clock.append(own)
                requests, spent, runs = found[HTTPTOP]
                runs_each.append(runs / requests / _SIDES)
                raw.append(spent / requests / _SIDES / 1e3)
                net.append((spent - runs * own) / requests / _SIDES / 1e3)
        finally:
            os.close(statistics)
    patience.tell("BPF time")
    section = "BPF time per request and side, nginx at saturation, both sides"
    return [
        Figure(section, "without the cost of timing", "us", spread(net), _GOAL),
        Figure(section, "as the kernel reports it", "us", spread(raw)),
        Figure(section, "program runs", "runs", spread(runs_each)),
        Figure(
            section, "one run of an empty program, as the kernel reports it", "ns", spread(clock)
        ),
    ]


def _slice(loaded: Tracing, patience: Patience, wrk_pid: int) -> tuple[int, int, int]:
    """Return requests, run time in ns and runs of an undisturbed slice."""
    times: list[tuple[int, int]] = []

    def began() -> None:
        times[:] = [loaded.times()]

    taken = patience.take(wrk_pid, began=began)
    spent, runs = (b - a for a, b in zip(times[0], loaded.times(), strict=True))
    return taken.requests, spent, runs
