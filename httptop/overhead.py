"""What httptop itself costs, from /proc: CPU, memory, descriptors, context switches."""

from __future__ import annotations

from typing import Final

import psutil

from httptop.model import Overhead
from httptop.readings import KernelCost

#: Rates over less than this say nothing.
LEAST_S: Final = 0.09


class OverheadMeter:
    """Measures this process from one call to the next."""

    def __init__(self, process: psutil.Process | None = None) -> None:
        self._process = process or psutil.Process()
        self._cpu_s = self._cpu()
        self._clock_s: float | None = None
        self._cost: KernelCost | None = None
        self._samples = 0
        self._cpu_percent: float | None = None
        self._samples_per_s: float | None = None

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    def measure(self, clock_s: float, samples: int, cost: KernelCost | None) -> Overhead:
        """Return the cost since the last call, ``clock_s`` being a monotonic clock's reading.

        Rates are those of before where the last call was so lately that they would be noise: the
        kernel counts CPU time in steps of 10 ms.
        """
        self._cost = cost or self._cost
        self._samples += samples
        elapsed_s = clock_s - self._clock_s if self._clock_s is not None else 0.0
        if self._clock_s is None:
            self._cpu_s, self._clock_s, self._samples = self._cpu(), clock_s, 0
        elif elapsed_s >= LEAST_S:
            cpu_s = self._cpu()
            self._cpu_percent = 100.0 * (cpu_s - self._cpu_s) / elapsed_s
            self._samples_per_s = self._samples / elapsed_s
            self._cpu_s, self._clock_s, self._samples = cpu_s, clock_s, 0
        with self._process.oneshot():
            switches = self._process.num_ctx_switches()
            return Overhead(
                cpu_percent=self._cpu_percent,
                rss_bytes=self._process.memory_info().rss,
                open_fds=self._process.num_fds(),
                context_switches=switches.voluntary + switches.involuntary,
                bpf_cpu_percent=self._cost.cpu_percent if self._cost else None,
                bpf_ns_per_call=self._cost.ns_per_run if self._cost else None,
                bpf_calls=self._cost.runs if self._cost else None,
                samples_per_s=self._samples_per_s,
            )
