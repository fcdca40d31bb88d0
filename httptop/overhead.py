"""What httptop itself costs, from /proc: CPU, memory, descriptors, context switches."""

from __future__ import annotations

import psutil

from httptop.model import Overhead
from httptop.readings import KernelCost


class OverheadMeter:
    """Measures this process from one call to the next."""

    def __init__(self, process: psutil.Process | None = None) -> None:
        self._process = process or psutil.Process()
        self._cpu_s = self._cpu()
        self._clock_s: float | None = None
        self._cost: KernelCost | None = None

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    def measure(self, clock_s: float, samples: int, cost: KernelCost | None) -> Overhead:
        """Return the cost since the last call, ``clock_s`` being a monotonic clock's reading."""
        self._cost = cost or self._cost
        cpu_s, before_s = self._cpu(), self._clock_s
        elapsed_s = clock_s - before_s if before_s is not None else 0.0
        used_s, self._cpu_s, self._clock_s = cpu_s - self._cpu_s, cpu_s, clock_s
        with self._process.oneshot():
            switches = self._process.num_ctx_switches()
            return Overhead(
                cpu_percent=100.0 * used_s / elapsed_s if elapsed_s > 0 else None,
                rss_bytes=self._process.memory_info().rss,
                open_fds=self._process.num_fds(),
                context_switches=switches.voluntary + switches.involuntary,
                bpf_cpu_percent=self._cost.cpu_percent if self._cost else None,
                bpf_ns_per_call=self._cost.ns_per_run if self._cost else None,
                bpf_calls=self._cost.runs if self._cost else None,
                samples_per_s=samples / elapsed_s if elapsed_s > 0 else None,
            )
