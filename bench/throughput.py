"""How much throughput nginx keeps at saturation, and the CPU that a request costs it.

One long run of wrk; every 0.25 s another state (tracing.py), and ratios within a round: the speed
of a virtual machine changes by more than what is measured here. A slice in which other processes
or the hypervisor took more than a tenth of the machine is taken again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from bench.context import Context
from bench.figures import Figure, Goal, certain, ratios, spread
from bench.load import Shape, Wrk, wrk
from bench.proc import cpu_ns, machine_s
from bench.tracing import EMPTY, HTTPTOP, NOTHING, tracing, turns
from httptop.model import SIDES, Side

SLICE_S: Final = 0.25
_TICK_S: Final = 1.0
_FOREIGN: Final = 0.10
_KEEP_ALIVE: Final = Shape()
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
    if not requests:
        raise RuntimeError("nginx got no request")
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

        ``began`` is called at the start of each attempt.
        """
        self._taken += 1
        while True:
            if began is not None:
                began()
            found = take_slice(self._run, wrk_pid, seconds, halfway)
            if found.foreign <= _FOREIGN:
                return found
            if time.monotonic() > self._end_s:
                self._disturbed += 1
                return found

    def tell(self, what: str) -> None:
        """Note how many disturbed slices are among the figures."""
        if self._disturbed:
            taken = self._taken
            self._run.note(f"{self._disturbed} of {taken} slices of {what} were disturbed.")


def compare(
    run: Context,
    what: str,
    states: tuple[str, ...],
    rounds: int,
    *,
    shape: Shape = _KEEP_ALIVE,
    sides: Sequence[Side] = SIDES,
    ticking: bool = False,
) -> dict[str, list[Slice]]:
    """Return the slices of each state, round by round; ``ticking``: with a tick in each."""
    run.say(f"throughput, {what}")
    found: dict[str, list[Slice]] = {state: [] for state in states}
    seconds = _TICK_S if ticking else SLICE_S
    with tracing(sides) as loaded, contextlib.ExitStack() as loads:
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
    """Measure both sides, one side, and a connection for each request; the probes alone."""
    section = "nginx at saturation, 1 worker, wrk -t1 -c16, 900 bytes; the probes alone"
    states = (NOTHING, EMPTY, HTTPTOP)
    both = compare(run, "both sides traced", states, run.choose(60, 12))
    figures = _figures(section, "both sides", both, judge=True)
    less = (NOTHING, HTTPTOP)
    server = compare(run, "server side only", less, run.choose(40, 8), sides=("server",))
    figures += _figures(section, "server side only", server)
    closing = Shape(close=True)
    close = compare(run, "Connection: close", states, run.choose(40, 8), shape=closing)
    return figures + _figures(section, "Connection: close", close)


def measure_whole(run: Context) -> list[Figure]:
    """Measure the probes and the collector together, a tick in each second with them."""
    states = (NOTHING, HTTPTOP)
    found = compare(run, "collector ticking", states, run.choose(40, 6), ticking=True)
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
        plain("untraced", "req/s", [one.rps for one in found[NOTHING]]),
        ratio("throughput, traced : untraced", "rps", HTTPTOP, NOTHING, _KEPT),
    ]
    if EMPTY in found:
        figures += [
            ratio("traced : empty program", "rps", HTTPTOP, EMPTY, _KEPT_OF_EMPTY),
            ratio("empty program : untraced", "rps", EMPTY, NOTHING),
        ]
    figures += [
        plain("nginx CPU per request, untraced", "us", [one.server_us for one in found[NOTHING]]),
        ratio("nginx CPU per request, traced : untraced", "server_us", HTTPTOP, NOTHING, _CPU),
    ]
    if EMPTY in found:
        figures.append(
            ratio("nginx CPU per request, empty : untraced", "server_us", EMPTY, NOTHING)
        )
    figures.append(ratio("wrk CPU per request, traced : untraced", "load_us", HTTPTOP, NOTHING))
    return figures
