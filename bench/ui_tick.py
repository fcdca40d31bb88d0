"""What a tick costs the screen: CPU milliseconds at 200, 1,000 and 5,000 endpoints, 100x40.

A real app runs headless; each tick posts a snapshot whose every figure changed, so that rows move
and all is sorted, laid out and drawn. The CPU time of the whole process is taken, and the cost of
waiting for the app to be idle is measured without a snapshot and subtracted.
Run it from the repository: ``python -m bench.ui_tick [--json]``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import time
from dataclasses import asdict, dataclass

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")

from httptop.app import HttptopApp
from tests.ui.factory import many

SIZE = (100, 40)
ENDPOINTS = (200, 1_000, 5_000)
TICKS = 20
WARM_UP = 4


@dataclass(frozen=True, slots=True)
class TickCost:
    """CPU milliseconds of the ticks at one number of endpoints."""

    endpoints: int
    ticks: int
    median_ms: float
    min_ms: float
    max_ms: float


async def measure(endpoints: int, ticks: int = TICKS) -> TickCost:
    """Return what a tick costs with that many endpoints."""
    snapshots = [many(endpoints, tick) for tick in range(ticks + WARM_UP)]
    gc.collect()
    gc.freeze()  # the prepared snapshots are not the app's; a collection must not walk them
    app = HttptopApp()
    costs: list[float] = []
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        idle = []
        for _ in range(5):
            before = time.process_time()
            await pilot.pause()
            idle.append(time.process_time() - before)
        waiting = statistics.median(idle)
        for snapshot in snapshots:
            before = time.process_time()
            app.publish(snapshot)
            await pilot.pause()
            costs.append((time.process_time() - before - waiting) * 1e3)
            if app.snapshot is not snapshot:
                raise RuntimeError("the tick was not shown")
    costs = costs[WARM_UP:]
    return TickCost(
        endpoints,
        len(costs),
        round(statistics.median(costs), 2),
        round(min(costs), 2),
        round(max(costs), 2),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of a UI tick")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--ticks", type=int, default=TICKS)
    options = parser.parse_args()
    found = [asyncio.run(measure(endpoints, options.ticks)) for endpoints in ENDPOINTS]
    if options.json:
        print(json.dumps([asdict(cost) for cost in found]))
        return
    print(f"CPU of a UI tick at {SIZE[0]}x{SIZE[1]}, ms")
    print(f"{'endpoints':>9} {'median':>8} {'min':>8} {'max':>8}")
    for cost in found:
        print(
            f"{cost.endpoints:>9,} {cost.median_ms:>8.1f} {cost.min_ms:>8.1f} {cost.max_ms:>8.1f}"
        )


if __name__ == "__main__":
    main()
