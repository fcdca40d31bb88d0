"""CPU time of a collector tick with 10,000 endpoints, all of them active."""

from __future__ import annotations

import gc
import time
from typing import Final

from bench.context import Context
from bench.figures import Figure, spread
from httptop.collect.source import CellDelta, Controls, RawEndpoint, RawResponse, Reading
from httptop.collector import Collector
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS

ENDPOINTS: Final = 10_000
_WARM_UP: Final = 3


class GrowingSource:
    """A source whose every endpoint has five more requests and responses at each reading."""

    def __init__(self, endpoints: int) -> None:
        self._reading = 0
        self._endpoints = {
            cell: RawEndpoint(0, b"worker", 1, "GET", b"/service/resource-%d" % cell, False)
            for cell in range(endpoints)
        }
        self._responses = {endpoints + cell: RawResponse(cell, 200) for cell in range(endpoints)}
        self._deltas = [
            [
                *(CellDelta(cell, 5, 400, 0, 0, 0, 0, 0, {}) for cell in range(endpoints)),
                *(
                    CellDelta(
                        endpoints + cell, 5, 5_000, 9_000_000, 4_000_000, 0, 0, 0,
                        {400 + (cell + turn) % 64: 3, 470 + (cell * 7 + turn) % 40: 2},
                    )
                    for cell in range(endpoints)
                ),
            ]
            for turn in range(4)
        ]  # fmt: skip

    def read(self) -> Reading:
        """Return a delta of every cell."""
        first, self._reading = self._reading == 0, self._reading + 1
        reading = Reading(deltas=self._deltas[self._reading % 4])
        if first:
            reading.endpoints, reading.responses = self._endpoints, self._responses
        return reading

    def wait(self, since_s: float, due_s: float, woken: int) -> bool:  # noqa: ARG002
        """Do not wait."""
        return False

    def control(self, controls: Controls) -> None:
        """Do nothing."""

    def detach(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def measure(run: Context) -> list[Figure]:
    """Measure ``Collector.step``, the reading of kernel maps left out."""
    run.say("collector tick")
    collector = Collector(GrowingSource(ENDPOINTS), DEFAULTS, Scope(), host="bench")
    collector.begin(0.0)
    gc.collect()
    gc.freeze()
    costs: list[float] = []
    for tick in range(1, run.choose(18, 8) + 1):
        before = time.thread_time()
        snapshot = collector.step(float(tick), 1.7e9 + tick)
        costs.append((time.thread_time() - before) * 1e3)
    gc.unfreeze()
    if len(snapshot.endpoints) != ENDPOINTS:
        raise RuntimeError("the collector lost endpoints")
    section = "collector tick, 10,000 endpoints, all active; reading kernel maps not included"
    return [Figure(section, "CPU of Collector.step", "ms", spread(costs[_WARM_UP:]))]
