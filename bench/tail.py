"""nginx's 99th percentile at saturation beside a real httptop, its screen on, on the same CPUs.

In each round wrk runs against nginx alone and beside httptop, a second at a time, and the ratio is
taken within the round. A run of wrk during which other processes had more than a twentieth of the
machine is taken again, until the time for the measure is up.
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from typing import Final

from bench.context import Context
from bench.figures import Figure, Goal, certain, ratios, spread
from bench.load import Shape, run_wrk, wrk
from bench.proc import cpu_ns, machine_s
from bench.program import Screen

_SECONDS: Final = 1.0
_RUNS: Final = 3  # of wrk, each way and round
_FOREIGN: Final = 0.05
_GOAL: Final = Goal("<=", 1.3)
_SHAPE: Final = Shape()


class _Runs:
    """Takes runs of wrk."""

    def __init__(self, run: Context, limit_s: float) -> None:
        self._run, self._end_s = run, time.monotonic() + limit_s
        self._taken = self._disturbed = 0

    def p99_us(self, pids: list[int]) -> float:
        """Return the median over some runs; ``pids``: httptop's processes."""
        return statistics.median(self._one(pids) for _ in range(_RUNS))

    def _one(self, pids: list[int]) -> float:
        run = self._run
        self._taken += 1
        while True:
            before = self._spent_s(pids)
            load = run_wrk(run.nginx.url, _SHAPE, _SECONDS, run.load_cpu, run.work)
            busy, total, ours = (b - a for a, b in zip(before, self._spent_s(pids), strict=True))
            quiet = busy - ours <= _FOREIGN * total
            if quiet or time.monotonic() > self._end_s:
                self._disturbed += not quiet
                return load.p99_us

    def _spent_s(self, pids: list[int]) -> tuple[float, float, float]:
        """Return the machine's busy CPU time, all of its time, and the busy time that is ours."""
        busy, stolen, total = machine_s()
        waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours_s = cpu_ns(self._run.nginx.worker, os.getpid(), *pids) / 1e9
        return busy + stolen, total, ours_s + waited_for.ru_utime + waited_for.ru_stime

    def tell(self) -> None:
        """Note how many disturbed runs are among the figures."""
        if self._disturbed:
            self._run.note(
                f"{self._disturbed} of {self._taken} runs of wrk for the tail were disturbed."
            )


def measure(run: Context) -> list[Figure]:
    """Measure the percentile without httptop and with it, in turns."""
    rounds = run.choose(12, 4)
    run.say(f"99th percentile beside httptop, {rounds} rounds")
    runs = _Runs(run, 6 * rounds * _RUNS * _SECONDS + 10)
    untraced: list[float] = []
    traced: list[float] = []
    for turn in range(rounds):
        if turn % 2:
            traced.append(_traced(run, runs))
            untraced.append(runs.p99_us([]))
        else:
            untraced.append(runs.p99_us([]))
            traced.append(_traced(run, runs))
    runs.tell()
    section = "nginx's tail at saturation, a whole httptop with its screen on the same CPUs"
    found = ratios(traced, untraced)
    low, high = certain(found)
    note = f"95 % interval: {low:.2f} .. {high:.2f}"
    return [
        Figure(section, "p99, untraced", "us", spread(untraced)),
        Figure(section, "p99, traced", "us", spread(traced)),
        Figure(section, "p99, traced : untraced", "", spread(found), _GOAL, note),
    ]


def _traced(run: Context, runs: _Runs) -> float:
    with Screen(run, look_for=run.nginx.path) as screen:
        with wrk(run.nginx.url, _SHAPE, run.load_cpu, run.work):
            screen.await_row()
        return runs.p99_us(screen.pids())
