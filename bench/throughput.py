"""The CPU that a request costs nginx at saturation, and how much throughput it keeps.

CPU per request is what a change is accepted by: it varies less than throughput. One long run of
wrk; every 0.25 s another state (tracing.py), and ratios within a round: the speed of a virtual
machine changes by more than what is measured here. A slice in which other processes or the
hypervisor took more than a tenth of the machine is taken again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from bench.context import Context
from bench.figures import Figure, Goal, certain, ratios, spread
from bench.load import Shape, Wrk, wrk
from bench.proc import cpu_ns, machine_s
from bench.shapes import in_turns, long_requests
from bench.tracing import EMPTY, HTTPTOP, NOTHING, Tracing, tracing, turns

SLICE_S: Final = 0.25
_TICK_S: Final = 1.0
_FOREIGN: Final = 0.10
_STALLED_S: Final = 10.0
_KEEP_ALIVE: Final = Shape()
_KEPT: Final = Goal(">=", 0.92)
_CPU: Final = Goal("<=", 1.08)


class Slice(NamedTuple):
    """What happened in a slice of time."""

    requests: int
    seconds: float
    server_ns: int  # CPU of nginx's worker
    load_ns: int  # CPU of wrk
    foreign: float  # share of the machine that neither of them nor we had

    @property
    def rps(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def server_us(self) -> float:
        """CPU of nginx per request, microseconds."""
        return self.server_ns / self.requests / 1e3

    @property
    def load_us(self) -> float:
        """CPU of wrk per request, microseconds."""
        return self.load_ns / self.requests / 1e3


def take_slice(
    run: Context, wrk_pid: int, seconds: float, halfway: Callable[[], None] | None = None
) -> Slice:
    """Let time pass and return what happened in it; ``halfway`` is called in its middle."""

    def now() -> tuple[int, float, int, int, int, float, float]:
        requests, clock = run.nginx.requests(), time.perf_counter()
        busy, stolen, total = machine_s()
        used = (cpu_ns(run.nginx.worker), cpu_ns(wrk_pid), cpu_ns(os.getpid()))
        return requests, clock, *used, busy + stolen, total

    before = now()
    end_s = time.perf_counter() + seconds
    if halfway is not None:
        time.sleep(seconds / 2)
        halfway()
    time.sleep(max(0.0, end_s - time.perf_counter()))
    requests, clock, server, load, ours, busy, total = (
        b - a for a, b in zip(before, now(), strict=True)
    )
    others = busy - (server + load + ours) / 1e9
    return Slice(int(requests), clock, int(server), int(load), max(0.0, others / total))


class Patience:
    """Takes slices again that others disturbed, until its time is up."""

    def __init__(self, run: Context, limit_s: float) -> None:
        self._run, self._end_s = run, time.monotonic() + limit_s
        self._taken = self._disturbed = 0

    def take(
        self,
        wrk_pid: int,
        seconds: float = SLICE_S,
        *,
        began: Callable[[], None] | None = None,
        halfway: Callable[[], None] | None = None,
    ) -> Slice:
        """Return an undisturbed slice, or the last one that there was time for.

        ``began`` is called at the start of each attempt. Raises RuntimeError where nginx has got no
        request for a while.
        """
        self._taken += 1
        while True:
            if began is not None:
                began()
            found = take_slice(self._run, wrk_pid, seconds, halfway)
            if found.requests and found.foreign <= _FOREIGN:
                return found
            if found.requests and time.monotonic() > self._end_s:
                self._disturbed += 1
                return found
            if time.monotonic() > self._end_s + _STALLED_S:
                raise RuntimeError("nginx gets no requests")

    def tell(self, what: str) -> None:
        """Note how many disturbed slices are among the figures."""
        if self._disturbed:
            taken = self._taken
            self._run.note(f"{self._disturbed} of {taken} slices of {what} were disturbed.")


def compare(
    run: Context,
    loaded: Tracing,
    what: str,
    states: tuple[str, ...],
    rounds: int,
    *,
    shape: Shape = _KEEP_ALIVE,
    ticking: bool = False,
) -> dict[str, list[Slice]]:
    """Return the slices of each state, round by round; ``ticking``: with a tick in each."""
    run.say(f"throughput, {what}")
    found: dict[str, list[Slice]] = {state: [] for state in states}
    seconds = _TICK_S if ticking else SLICE_S
    with contextlib.ExitStack() as loads:
        patience = Patience(run, 2 * len(states) * rounds * (seconds + 0.1) + 10)
        load: Wrk | None = None
        for order in turns(states, rounds):
            # wrk never again uses a connection that it once could not open (no port was free),
            # so where it opens many it is started anew each round.
            if load is None or shape.close:
                loads.close()
                load = loads.enter_context(wrk(run.nginx.url, shape, run.load_cpu, run.work))
                take_slice(run, load.process.pid, SLICE_S)  # warm up
            for state in order:
                loaded.to(state)
                tick = loaded.tick if ticking and state == HTTPTOP else None
                found[state].append(patience.take(load.process.pid, seconds, halfway=tick))
                if state == HTTPTOP:
                    loaded.drain()
    patience.tell(f"throughput, {what}")
    return found


def measure(run: Context) -> list[Figure]:
    """Measure each shape of requests, and one side alone; the probes alone."""
    section = "nginx at saturation, 1 worker, wrk -t1 -c16, 900 bytes; the probes alone"
    nginx, states, less = run.nginx, (NOTHING, EMPTY, HTTPTOP), (NOTHING, HTTPTOP)
    with tracing() as loaded:
        found = compare(run, loaded, "both sides traced", states, run.choose(60, 12))
        figures = _figures(section, "both sides", found, judge=True)
        for what, shape in (
            ("480 bytes, another trace each time", long_requests(nginx.host, nginx.path)),
            ("three endpoints in turns", in_turns(nginx.host, nginx.paths)),
            ("Connection: close", Shape(close=True)),
        ):
            found = compare(run, loaded, what, less, run.choose(40, 8), shape=shape)
            figures += _figures(section, what, found)
    with tracing(("server",)) as loaded:
        found = compare(run, loaded, "server side only", less, run.choose(40, 8))
    return figures + _figures(section, "server side only", found)


def measure_whole(run: Context) -> list[Figure]:
    """Measure the probes and the collector together, a tick in each second with them."""
    states = (NOTHING, HTTPTOP)
    with tracing() as loaded:
        found = compare(run, loaded, "collector ticking", states, run.choose(40, 6), ticking=True)
    section = "the same, with a collector tick every second on the CPUs of nginx and wrk"
    return _figures(section, "both sides", found, judge=True)


def _figures(
    section: str, what: str, found: dict[str, list[Slice]], *, judge: bool = False
) -> list[Figure]:
    def plain(name: str, unit: str, values: list[float]) -> Figure:
        return Figure(section, f"{what}: {name}", unit, spread(values))

    def ratio(name: str, of: str, over: str, under: str, goal: Goal | None = None) -> Figure:
        values = ratios(*([getattr(one, of) for one in found[state]] for state in (over, under)))
        low, high = certain(values)
        note = f"95 % interval: {low:.3f} .. {high:.3f}"
        return Figure(section, f"{what}: {name}", "", spread(values), goal if judge else None, note)

    figures = [
        plain("nginx CPU per request, untraced", "us", [one.server_us for one in found[NOTHING]]),
        ratio("nginx CPU per request, traced : untraced", "server_us", HTTPTOP, NOTHING, _CPU),
        ratio("wrk CPU per request, traced : untraced", "load_us", HTTPTOP, NOTHING),
    ]
    if EMPTY in found:
        figures.append(
            ratio("nginx CPU per request, empty program : untraced", "server_us", EMPTY, NOTHING)
        )
    figures += [
        plain("untraced", "req/s", [one.rps for one in found[NOTHING]]),
        ratio("throughput, traced : untraced", "rps", HTTPTOP, NOTHING, _KEPT),
    ]
    if EMPTY in found:
        figures.append(ratio("throughput, empty program : untraced", "rps", EMPTY, NOTHING))
    return figures
