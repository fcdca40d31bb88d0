"""Time from exec to the first row, with a load already running."""

from __future__ import annotations

from typing import Final

from bench.context import Context
from bench.figures import Figure, Goal, spread
from bench.load import Shape, wrk
from bench.program import Batch, Screen

_GOAL: Final = Goal("<=", 0.6)


def measure(run: Context) -> list[Figure]:
    """Start it several times in both modes."""
    run.say("start-up")
    path, times = run.nginx.path, run.choose(7, 2)
    batch: list[float] = []
    screen: list[float] = []
    with wrk(run.nginx.url, Shape(16, think_ms=15), run.load_cpu, run.work):
        for _ in range(times):
            with Batch(run, "-d", "0.2") as program:
                batch.append(program.await_path(path))
            with Screen(run, look_for=path) as shown:
                screen.append(shown.await_row())
    section = "start-up: from exec to the first row, at about 1,000 req/s"
    return [
        Figure(section, "batch json, -d 0.2", "s", spread(batch), _GOAL),
        Figure(section, "screen", "s", spread(screen), _GOAL),
    ]
