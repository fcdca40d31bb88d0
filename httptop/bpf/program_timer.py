"""Measure the probes' cost in short intervals, since having the kernel time them costs as well."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from httptop.bpf.program_times import Times
from httptop.collect.source import UNMEASURED, KernelCost

#: Intervals that are averaged: one alone says little.
_WHILES: Final = 8


class ProgramTimer:
    """Has the kernel time programs; used by one thread."""

    def __init__(self, times: Callable[[], Iterable[Times]], enable: Callable[[], int]) -> None:
        """``times`` returns what each program has taken.

        ``enable`` has the kernel time programs until the descriptor that it returns is closed. If
        one of them raises :class:`OSError`, the cost is :data:`UNMEASURED`.
        """
        self._times_of_each, self._enable = times, enable
        self._enabled: int | None = None
        self._began = (0, 0, 0)
        self._whiles: deque[list[int]] = deque(maxlen=_WHILES)  # clock, run time, runs
        self._runs = 0
        self._cost: KernelCost | None = None

    def switch(self, on: bool) -> None:
        """Begin or end an interval; in it each run of a program costs two clock readings."""
        try:
            if on:
                self._enabled = self._enable()
                self._began = self._times()
            elif self._enabled is not None:
                self._end_interval()
        except OSError:
            self.close()
            self._whiles.clear()
            self._cost = UNMEASURED

    def _end_interval(self) -> None:
        timed = [now - then for now, then in zip(self._times(), self._began, strict=True)]
        self.close()
        self._runs += timed[2]
        self._whiles.append(timed)
        clock, spent, runs = (sum(column) for column in zip(*self._whiles, strict=True))
        self._cost = KernelCost(
            self._runs, spent / runs if runs else None, 100.0 * spent / max(clock, 1)
        )

    def take_cost(self) -> KernelCost | None:
        """Return the cost if it was measured since the last call, else None."""
        cost, self._cost = self._cost, None
        return cost

    def close(self) -> None:
        """Stop the kernel's timing; idempotent."""
        if self._enabled is not None:
            os.close(self._enabled)
            self._enabled = None

    def _times(self) -> tuple[int, int, int]:
        """Return (clock, run time, runs) of all programs, nanoseconds."""
        times = list(self._times_of_each())
        return time.monotonic_ns(), sum(row[0] for row in times), sum(row[1] for row in times)
