"""What httptop itself costs, read from /proc: CPU time, memory, descriptors, context switches.

Once this process has given up root, the helper that stays root belongs to another user. Its number
of descriptors cannot be read then, so it is read at the start: it does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

import psutil

from httptop.collect.source import KernelCost
from httptop.model import Overhead

Figure = TypeVar("Figure")

#: Rates over a shorter time are noise: the kernel counts CPU time in steps of 10 ms.
LEAST_S: Final = 0.09


class OverheadMeter:
    """Measures this process and its helpers, from one call to the next.

    For the collector's thread alone, once it runs.
    """

    def __init__(self, process: psutil.Process | None = None, helpers: Iterable[int] = ()) -> None:
        """``helpers``: process ids; those that have ended no longer count."""
        self._process = process or psutil.Process()
        self._helpers = [psutil.Process(pid) for pid in helpers]
        self._helpers_fds = sum(helper.num_fds() for helper in self._helpers)
        self._cpu_s = self._cpu()
        self._clock_s: float | None = None
        self._cost: KernelCost | None = None
        self._samples = 0
        self._cpu_percent: float | None = None
        self._samples_per_s: float | None = None

    def _cpu(self) -> float:
        times = [self._process.cpu_times(), *self._of_helpers(psutil.Process.cpu_times)]
        return sum(one.user + one.system for one in times)

    def _of_helpers(self, figure: Callable[[psutil.Process], Figure]) -> Iterator[Figure]:
        for helper in list(self._helpers):
            try:
                yield figure(helper)
            except psutil.NoSuchProcess:
                self._helpers.remove(helper)
                self._helpers_fds = 0

    def measure(self, clock_s: float, samples: int, cost: KernelCost | None) -> Overhead:
        """Return the cost since the last call.

        ``clock_s`` is the time of a monotonic clock and ``samples`` the number taken since the last
        call; ``cost`` is None if the programs have not been timed since then. Less than LEAST_S
        after the last call, rates are the former ones.
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
            switches = [
                self._process.num_ctx_switches(),
                *self._of_helpers(psutil.Process.num_ctx_switches),
            ]
            memory = [self._process.memory_info(), *self._of_helpers(psutil.Process.memory_info)]
            return Overhead(
                cpu_percent=self._cpu_percent,
                rss_bytes=sum(one.rss for one in memory),
                open_fds=self._process.num_fds() + self._helpers_fds,
                context_switches=sum(one.voluntary + one.involuntary for one in switches),
                bpf_cpu_percent=self._cost.cpu_percent if self._cost else None,
                bpf_ns_per_call=self._cost.ns_per_run if self._cost else None,
                bpf_calls=self._cost.runs if self._cost else None,
                samples_per_s=self._samples_per_s,
            )
