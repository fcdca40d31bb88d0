"""CPU time of a screen tick: milliseconds at 200, 1,000 and 5,000 endpoints, 100x40.

A real app draws on a terminal that keeps what it is sent (bench/recording_driver.py). Each tick
posts a snapshot whose every figure changed, so that rows move and all is sorted, laid out, drawn
and sent. The CPU time of the whole process is taken, and the cost of waiting for the app to be idle
is measured without a snapshot and subtracted. It runs in a process of its own (``python -m
bench.ui_tick [TICKS]`` prints JSON), so that nothing else that the bench holds in memory slows it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from bench.context import Context
from bench.figures import Figure, Goal, spread
from bench.screen import screen
from bench.snapshots import many

SIZE: Final = (100, 40)
ENDPOINTS: Final = (200, 1_000, 5_000)
TICKS: Final = 20
WARM_UP: Final = 4
_GOAL: Final = Goal("<=", 15.0)


async def tick_costs(endpoints: int, ticks: int = TICKS) -> list[float]:
    """Return what each tick costs with that many endpoints, CPU milliseconds."""
    snapshots = [many(endpoints, tick) for tick in range(ticks + WARM_UP)]
    gc.collect()
    gc.freeze()  # the prepared snapshots are not the app's; a collection must not walk them
    costs: list[float] = []
    async with screen(SIZE) as on:
        idle = []
        for _ in range(5):
            before = time.process_time()
            await on.settled()
            idle.append(time.process_time() - before)
        waiting = statistics.median(idle)
        for snapshot in snapshots:
            before = time.process_time()
            on.app.publish(snapshot)
            await on.settled()
            costs.append((time.process_time() - before - waiting) * 1e3)
            if on.app.snapshot is not snapshot:
                raise RuntimeError("the tick was not shown")
    return costs[WARM_UP:]


def measure(run: Context) -> list[Figure]:
    """Measure each number of endpoints in a process of its own."""
    run.say("screen tick")
    root = Path(__file__).parents[1]
    ended = subprocess.run(
        [sys.executable, "-m", "bench.ui_tick", str(run.choose(TICKS, 8))],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=root,
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr[-600:])
    section = f"CPU per screen tick at {SIZE[0]}x{SIZE[1]}, every figure changed"
    return [
        Figure(
            section,
            f"{int(number):,} endpoints",
            "ms",
            spread(costs),
            _GOAL if int(number) == ENDPOINTS[-1] else None,
        )
        for number, costs in json.loads(ended.stdout).items()
    ]


def main() -> None:
    """Print {endpoints: [milliseconds, ...]}."""
    ticks = int(sys.argv[1]) if len(sys.argv) > 1 else TICKS
    found = {}
    for endpoints in ENDPOINTS:
        found[endpoints] = [round(cost, 3) for cost in asyncio.run(tick_costs(endpoints, ticks))]
        gc.unfreeze()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
