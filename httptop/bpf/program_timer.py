"""Measure the probes' cost in short intervals, since having the kernel time them costs as well."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from httptop.collect.source import UNMEASURED, KernelCost
from httptop.linux import bpf_syscall

#: Intervals that are averaged: one alone says little.
_WHILES: Final = 8


class ProgramTimer:
    """Has the kernel time programs; used by one thread."""

    def __init__(self, programs: Mapping[str, int], enable: Callable[[], int]) -> None:
        """``programs``: descriptors, by name.

        ``enable`` has the kernel time programs until the descriptor that it returns is closed. If
        it raises :class:`OSError`, the cost is :data:`UNMEASURED`.
        """
        self._programs, self._enable = programs, enable
        self._enabled: int | None = None
        self._began = (0, 0, 0)
        self._whiles: deque[list[int]] = deque(maxlen=_WHILES)  # clock, run time, runs
        self._runs = 0
        self._cost: KernelCost | None = None

    def switch(self, on: bool) -> None:
        """Begin or end an interval; in it each run of a program costs two clock readings."""
        if on:
            try:
                self._enabled = self._enable()
            except OSError:
                self._whiles.clear()
                self._cost = UNMEASURED
            self._began = self._times()
        elif self._enabled is not None:
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
        times = [bpf_syscall.prog_times(program) for program in self._programs.values()]
        return time.monotonic_ns(), sum(row[0] for row in times), sum(row[1] for row in times)
