"""How much of its throughput nginx keeps at saturation, and what a request costs it.

One long run of wrk; every 0.4 s another state (tracing.py), and ratios within a round: the speed
of a virtual machine wanders by more than what is to be seen. A slice in which other processes, or
the hypervisor, took more than a tenth of the machine is taken again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from bench.context import Context
from bench.figures import Figure, Goal, ratios, spread
from bench.load import Shape, wrk
from bench.proc import cpu_ns, machine_s
from bench.program import Batch
from bench.tracing import EMPTY, HTTPTOP, NOTHING, tracing, turns
from httptop.model import SIDES, Side

SLICE_S: Final = 0.4
_FOREIGN: Final = 0.10
_KEPT: Final = Goal(">=", 0.90)
_KEPT_OF_EMPTY: Final = Goal(">=", 0.96)
_CPU: Final = Goal("<=", 1.12)


class Slice(NamedTuple):
    """What happened in a slice of time."""

    requests: int
    seconds: float
    server_ns: int  # CPU of nginx's worker
    load_ns: int  # CPU of wrk
    foreign: float  # share of the machine that neither of them nor we had

    @property
    def rps(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def server_us(self) -> float:
        """CPU of nginx a request, microseconds."""
        return self.server_ns / self.requests / 1e3

    @property
    def load_us(self) -> float:
        """CPU of wrk a request, microseconds."""
        return self.load_ns / self.requests / 1e3


def take_slice(run: Context, wrk_pid: int, seconds: float) -> Slice:
    """Let time pass and return what happened in it."""

    def now() -> tuple[int, float, int, int, int, float, float]:
        requests, clock = run.nginx.requests(), time.perf_counter()
        busy, stolen, total = machine_s()
        used = (cpu_ns(run.nginx.worker), cpu_ns(wrk_pid), cpu_ns(os.getpid()))
        return requests, clock, *used, busy + stolen, total

    before = now()
    time.sleep(seconds)
    requests, clock, server, load, ours, busy, total = (
        b - a for a, b in zip(before, now(), strict=True)
    )
    if not requests:
        raise RuntimeError("nginx was asked for nothing")
    others = busy - (server + load + ours) / 1e9
    return Slice(int(requests), clock, int(server), int(load), max(0.0, others / total))


class Patience:
    """Takes slices again that others disturbed, until its time is up."""

    def __init__(self, run: Context, limit_s: float) -> None:
        self._run, self._end_s = run, time.monotonic() + limit_s
        self.disturbed = 0

    def take(self, wrk_pid: int) -> Slice:
        """Return an undisturbed slice, or the last one that there was time for."""
        while True:
            found = take_slice(self._run, wrk_pid, SLICE_S)
            if found.foreign <= _FOREIGN:
                return found
            if time.monotonic() > self._end_s:
                self.disturbed += 1
                return found


def compare(
    run: Context, states: tuple[str, ...], rounds: int, shape: Shape, sides: Sequence[Side]
) -> dict[str, list[Slice]]:
    """Return the slices of each state, round by round."""
    found: dict[str, list[Slice]] = {state: [] for state in states}
    with tracing(sides) as loaded, wrk(run.nginx.url, shape, run.load_cpu, run.work) as load:
        take_slice(run, load.process.pid, 2 * SLICE_S)  # warm up
        slices = len(states) * rounds
        patience = Patience(run, 2 * slices * (SLICE_S + 0.1) + 10)
        for order in turns(states, rounds):
            for state in order:
                loaded.to(state)
                found[state].append(patience.take(load.process.pid))
                if state == HTTPTOP:
                    loaded.drain()
    if patience.disturbed:
        run.note(f"{patience.disturbed} of {slices} slices of throughput were disturbed by others.")
    return found


def measure(run: Context) -> list[Figure]:
    """Measure both sides, one side, and a connection for each request."""
    section = "nginx at saturation, 1 worker, wrk -t1 -c16, 900 bytes"
    run.say("throughput, keep-alive, both sides traced")
    states = (NOTHING, EMPTY, HTTPTOP)
    both = compare(run, states, run.choose(28, 9), Shape(), SIDES)
    figures = _figures(section, both, "both sides", full=True)
    run.say("throughput, keep-alive, server side only")
    less = (NOTHING, HTTPTOP)
    server = compare(run, less, run.choose(20, 5), Shape(), ("server",))
    figures += _figures(section, server, "server side only")
    run.say("throughput, a connection for each request")
    close = compare(run, states, run.choose(20, 5), Shape(close=True), SIDES)
    return figures + _figures(section, close, "Connection: close", full=False)


def _figures(
    section: str, found: dict[str, list[Slice]], what: str, *, full: bool = False
) -> list[Figure]:
    def ratio(of: str, over: str, under: str) -> list[float]:
        return ratios(*([getattr(one, of) for one in found[state]] for state in (over, under)))

    def line(name: str, values: list[float], goal: Goal | None = None, unit: str = "") -> Figure:
        return Figure(section, f"{what}: {name}", unit, spread(values), goal if full else None)

    figures = [
        line("untraced", [one.rps for one in found[NOTHING]], None, "req/s"),
        line("throughput, traced : untraced", ratio("rps", HTTPTOP, NOTHING), _KEPT),
    ]
    if EMPTY in found:
        figures += [
            line("traced : empty program", ratio("rps", HTTPTOP, EMPTY), _KEPT_OF_EMPTY),
            line("empty program : untraced", ratio("rps", EMPTY, NOTHING)),
        ]
    figures += [
        line("nginx CPU a request, untraced", [s.server_us for s in found[NOTHING]], None, "us"),
        line("nginx CPU a request, traced : untraced", ratio("server_us", HTTPTOP, NOTHING), _CPU),
    ]
    if full:
        figures += [
            line("nginx CPU a request, empty : untraced", ratio("server_us", EMPTY, NOTHING)),
            line("wrk CPU a request, traced : untraced", ratio("load_us", HTTPTOP, NOTHING)),
        ]
    return figures


def measure_whole(run: Context) -> list[Figure]:
    """Measure the whole program, its collector included: started and ended in turns."""
    run.say("throughput, the whole program started and ended in turns")
    kept: list[float] = []
    cpu: list[float] = []
    with wrk(run.nginx.url, Shape(), run.load_cpu, run.work) as load:
        for _ in range(run.choose(8, 2)):
            before = take_slice(run, load.process.pid, 0.75)
            with Batch(run, "-d", "1") as program:
                program.await_path(run.nginx.path)
                traced = take_slice(run, load.process.pid, 2.0)  # two ticks of it
            time.sleep(0.2)
            after = take_slice(run, load.process.pid, 0.75)
            kept.append(traced.rps / ((before.rps + after.rps) / 2))
            cpu.append(traced.server_us / ((before.server_us + after.server_us) / 2))
    section = "the same, the whole program running (httptop -b -d 1 and its collector)"
    return [
        Figure(section, "throughput, traced : untraced", "", spread(kept), _KEPT),
        Figure(section, "nginx CPU a request, traced : untraced", "", spread(cpu), _CPU),
    ]
